"""Pools of one model's servers and keys: choice of members, cost of a dead member, no call lost or sent twice."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Fault, Request
from askwell.models.providers.openai import OpenAIModel
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.meter import Metered
from askwell.models.wrappers.pool import Pool
from askwell.models.wrappers.retry import Retrying
from askwell.testing import ChatModelContract
from askwell.testing.fakes import FlakyModel, ScriptedModel, SlowModel
from tests.support.rate_servers import FixedWindow
from tests.support.requests import ask
from tests.support.servers import always, chat_server, error

FAULTS: list[Fault] = ["auth", "bad_request", "connection", "malformed", "server", "timeout"]


def echo(name: str = "tiny") -> ScriptedModel:
    return ScriptedModel(lambda request: request.messages[-1].content, name=name)


def failing(fault: Fault) -> ScriptedModel:
    return ScriptedModel(lambda _: Completion(outcome="failed", fault=fault, error=f"their {fault}"), name="tiny")


def calls(pool: Pool) -> list[int]:
    return [one.totals.calls for one in pool.totals]


async def ask_all(model: ChatModel, count: int, *, at_once: int = 1000, text: str = "q") -> list[Completion]:
    places = asyncio.Semaphore(at_once)

    async def one(number: int) -> Completion:
        async with places:
            return await model.complete(ask(f"{text}{number}"))

    return await asyncio.gather(*(one(number) for number in range(count)))


class TestContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> ChatModel:
        return Pool([echo(), SlowModel(echo(), latency_s=0.001), Limited(echo(), max_concurrency=2)])


# --- which member ---------------------------------------------------------------------------------------------------


async def test_share_follows_speed() -> None:
    fast, slow = SlowModel(echo(), latency_s=0.01), SlowModel(echo(), latency_s=0.04)
    pool = Pool([slow, fast], max_concurrency=4)
    got = await ask_all(pool, 400)
    assert [one.text for one in got] == [f"q{number}" for number in range(400)]
    slow_calls, fast_calls = calls(pool)
    assert slow_calls + fast_calls == 400
    assert 2.5 <= fast_calls / slow_calls <= 6  # four times as fast
    assert (fast.most_in_flight, slow.most_in_flight) == (4, 4)


async def test_few_calls_go_to_the_member_expected_to_answer_soonest() -> None:
    pool = Pool([SlowModel(echo(), latency_s=0.05), SlowModel(echo(), latency_s=0.005)])
    await ask_all(pool, 100, at_once=2)
    slow_calls, fast_calls = calls(pool)
    assert fast_calls >= 8 * slow_calls


async def test_common_prefixes_go_to_one_member_while_loads_are_equal() -> None:
    members = [SlowModel(echo(), latency_s=0.03) for _ in range(3)]
    scripts = [unwrapped_script(one) for one in members]
    pool = Pool(members)
    for number in range(45):
        await pool.complete(ask(f"question {number}", system=f"instruction {number % 9}: " + "x" * 300))
    homes = [{request.messages[0].content for request in script.requests} for script in scripts]
    assert sum(len(home) for home in homes) <= 9 + 4  # measured latencies differ a little at first
    assert sum(bool(home) for home in homes) >= 2


def unwrapped_script(model: SlowModel) -> ScriptedModel:
    assert isinstance(model.inner, ScriptedModel)
    return model.inner


async def test_no_call_waits_at_one_member_while_another_has_room() -> None:
    one, other = SlowModel(echo(), latency_s=0.03), SlowModel(echo(), latency_s=0.03)
    pool = Pool([one, other], max_concurrency=3)
    started = time.perf_counter()
    alike = [ask(f"q{number}", system="the same instruction " * 30) for number in range(6)]
    await asyncio.gather(*(pool.complete(request) for request in alike))
    assert time.perf_counter() - started < 0.055
    assert (one.most_in_flight, other.most_in_flight) == (3, 3)


async def test_a_call_cancelled_while_it_waits_leaves_no_trace() -> None:
    pool = Pool([SlowModel(echo(), latency_s=0.01)], max_concurrency=1)
    tasks = [asyncio.ensure_future(pool.complete(ask(f"q{number}"))) for number in range(5)]
    await asyncio.sleep(0.002)
    for task in tasks[1:4]:
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in found] == [False, True, True, True, False]
    assert (await pool.complete(ask("again"))).text == "again"


# --- members that fail ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["auth", "connection", "rate_limit", "bad_request"])
async def test_a_call_that_one_member_rejects_is_answered_by_another(fault: Fault) -> None:
    broken = failing(fault)
    pool = Pool([broken, echo()])
    got = await ask_all(pool, 60, at_once=4)
    assert all(one.outcome == "ok" for one in got)
    if fault != "rate_limit":
        assert len(broken.requests) <= 12  # then it is left out


@pytest.mark.parametrize("fault", ["server", "timeout", "malformed"])
async def test_a_call_that_failed_at_one_member_is_tried_again_at_another(fault: Fault) -> None:
    broken = failing(fault)
    pool = Pool([broken, echo()])
    got = await ask_all(Retrying(pool, max_attempts=2, base_s=0.001), 100, at_once=8)
    assert all(one.outcome == "ok" for one in got)
    assert len(broken.requests) <= 20  # a member that only fails must not look like a fast one


async def test_a_bad_key_is_logged_once_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        await ask_all(Pool([failing("auth"), echo()]), 50)
    [told] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "is left out for a while: their auth" in told.message


async def test_all_dead_is_the_fault() -> None:
    got = await Pool([failing("auth"), failing("auth")], labels=["key A", "key B"]).complete(ask("q"))
    assert (got.outcome, got.fault) == ("failed", "auth")
    assert "their auth (at key A; left out for now: key B)" in got.error or "key B; left out" in got.error
    mixed = await Pool([failing("auth"), failing("connection")]).complete(ask("q"))
    assert mixed.fault == "connection"  # which may pass
    assert (await Pool([failing("bad_request"), failing("bad_request")]).complete(ask("q"))).fault == "bad_request"


async def test_a_recovered_member_is_called_again() -> None:
    state = {"dead": True}

    def reply(request: Request) -> Completion | str:
        if state["dead"]:
            return Completion(outcome="failed", fault="connection", error="refused")
        return request.messages[-1].content

    back = ScriptedModel(reply, name="tiny")
    pool = Pool([back, SlowModel(echo(), latency_s=0.01)], max_concurrency=2)
    await ask_all(pool, 20)
    state["dead"] = False
    asked = len(back.requests)
    await asyncio.sleep(1.05)
    await ask_all(pool, 40)
    assert len(back.requests) >= asked + 10


@settings(deadline=None, max_examples=30)
@given(
    rates=st.lists(st.sampled_from([0.0, 0.0, 0.2, 0.6, 1.0]), min_size=1, max_size=4),
    count=st.integers(1, 60),
    at_once=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_no_call_is_lost_or_answered_twice(rates: list[float], count: int, at_once: int, seed: int) -> None:
    answered = Counter[str]()

    def reply(request: Request) -> str:
        answered[request.messages[-1].content] += 1
        return request.messages[-1].content

    members: list[ChatModel] = []
    for number, rate in enumerate(rates):
        slow = SlowModel(ScriptedModel(reply, name="m"), latency_s=0.0005 * (1 + number), sigma=0.5, seed=seed)
        members.append(FlakyModel(slow, seed=seed + number, rate=rate, faults=FAULTS))
    model = Retrying(Pool(members, max_concurrency=3), base_s=0.0001, cap_s=0.0005, max_attempts=30)
    got = asyncio.run(ask_all(model, count, at_once=at_once))
    ok = [one.text for one in got if one.outcome != "failed"]
    assert answered == Counter(ok)
    if 0.0 in rates:
        assert sorted(ok) == sorted(f"q{number}" for number in range(count))


# --- names and mistakes ---------------------------------------------------------------------------------------------


def test_the_name_is_the_models_whatever_the_members() -> None:
    members = [OpenAIModel("tiny", base_url=f"http://127.0.0.1:{port}/v1") for port in (8001, 8002)]
    assert Pool(members).name == Pool(members[:1]).name == "openai:tiny"
    assert Pool(members, name="mine").name == "mine"


def test_invalid_members_are_rejected() -> None:
    with pytest.raises(ConfigError, match="without members"):
        Pool([])
    with pytest.raises(ConfigError, match=r"\['a', 'b'\]; expected one model"):
        Pool([echo("a"), echo("b")])


# --- real servers ---------------------------------------------------------------------------------------------------


def at(server: Any, *, key: str | None = None) -> OpenAIModel:
    return OpenAIModel("tiny", base_url=server.base_url, api_key=key, timeout_s=5)


async def test_real_servers_of_different_speed_and_rate_limit() -> None:
    limiter, lock = FixedWindow(60.0), threading.Lock()

    def limited(_: dict[str, Any]) -> web.StreamResponse | None:
        with lock:
            wait = limiter.try_accept(time.time())
        return None if wait is None else error(429, "slow down", "rate_limit_exceeded", {"Retry-After": f"{wait:.3f}"})

    with chat_server(latency_s=0.01, transform=limited) as narrow, chat_server(latency_s=0.05) as wide:
        pool = Pool([at(narrow), at(wide)], max_concurrency=8)
        model = Metered(Retrying(pool))
        started = time.perf_counter()
        got = await ask_all(model, 800, at_once=16)
        seconds = time.perf_counter() - started
        await model.aclose()
    assert all(one.outcome == "ok" for one in got)
    assert narrow.answered.total() + wide.answered.total() == 800
    assert narrow.answered.total() >= 0.5 * 60 * seconds  # its limit is used ...
    assert wide.answered.total() >= 0.5 * 8 / 0.05 * seconds  # ... and the other server is kept busy
    assert narrow.total_requests - narrow.answered.total() <= 0.15 * 800


async def test_a_real_server_that_dies_in_mid_run() -> None:
    with chat_server(latency_s=0.01) as staying:
        with chat_server(latency_s=0.01) as dying:
            pool = Pool([at(dying), at(staying)], max_concurrency=8)
            model = Retrying(pool)
            before = asyncio.ensure_future(ask_all(model, 300, at_once=16))
            while dying.answered.total() < 50:
                await asyncio.sleep(0.005)
        got = [*await before, *await ask_all(model, 100, at_once=16, text="later ")]
        await model.aclose()
    assert [one.outcome for one in got] == ["ok"] * 400
    assert staying.answered.total() >= 250


async def test_a_real_server_that_always_fails_and_one_with_a_bad_key() -> None:
    with chat_server(api_key="right") as keyed, chat_server(faults=always("503")) as broken:
        pool = Pool([at(keyed, key="wrong-key"), at(keyed, key="right"), at(broken)], max_concurrency=4)
        got = await ask_all(Retrying(pool, base_s=0.001), 200, at_once=12)
        await pool.aclose()
    assert [one.outcome for one in got] == ["ok"] * 200
    assert keyed.by_key["Bearer right"] == 200
    assert keyed.by_key["Bearer wrong-key"] <= 12
    assert broken.total_requests <= 12
    assert all("wrong-key" not in one.error for one in got)


async def test_limits_are_each_members_own() -> None:
    members = [Limited(echo(), max_concurrency=50, requests_per_minute=60 * 50) for _ in range(2)]
    started = time.perf_counter()
    await ask_all(Pool(members), 160)  # 50 at once and then 50 a second, twice
    assert 0.5 <= time.perf_counter() - started <= 0.95

"""Retrying, Limited and Metered, over fakes and over a faulty server."""

from __future__ import annotations

import asyncio
import time
from typing import Any, get_args

import pytest

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import FINAL_FAULTS, Completion, Fault, Request, Usage
from askwell.models.providers.openai import OpenAIModel
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.meter import Metered
from askwell.models.wrappers.retry import Retrying
from askwell.testing import ChatModelContract
from askwell.testing.fakes import FlakyModel, ScriptedModel, SlowModel
from tests.support.requests import ask
from tests.support.servers import chat_server, random_faults

PASSING: list[Fault] = sorted(set(get_args(Fault)) - FINAL_FAULTS - {"", "budget"})


def echo() -> ScriptedModel:
    return ScriptedModel(lambda request: request.messages[-1].content)


def failed(fault: Fault, retry_after_s: float | None = None) -> Completion:
    return Completion(outcome="failed", fault=fault, error="their words", retry_after_s=retry_after_s)


class TestContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> ChatModel:
        limited = Limited(echo(), max_concurrency=4, requests_per_minute=1e6, tokens_per_minute=1e9)
        return Metered(Retrying(limited))


# --- Retrying -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", PASSING)
async def test_a_passing_fault_is_tried_again(fault: Fault) -> None:
    script = ScriptedModel([failed("server"), failed(fault), failed(fault), "fine"])
    model = Retrying(script, base_s=0.001)
    assert (await model.complete(ask("q"))).text == "fine"
    assert (len(script.requests), model.retries) == (4, 3)


@pytest.mark.parametrize("fault", [*sorted(FINAL_FAULTS), "budget"])
async def test_a_final_fault_is_not(fault: Fault) -> None:
    script = ScriptedModel([failed(fault)])
    assert await Retrying(script).complete(ask("q")) == failed(fault)
    assert len(script.requests) == 1


async def test_gives_up_after_max_attempts_and_keeps_the_words() -> None:
    script = ScriptedModel(lambda request: failed("server"))
    got = await Retrying(script, max_attempts=4, base_s=0.001).complete(ask("q"))
    assert (got.outcome, got.fault, got.error) == ("failed", "server", "their words (gave up after 4 attempts)")
    assert len(script.requests) == 4


async def test_an_address_that_never_answered_is_given_up_early() -> None:
    script = ScriptedModel(lambda request: failed("connection"))
    got = await Retrying(script, base_s=0.001).complete(ask("q"))
    assert "gave up after 3 attempts" in got.error
    script = ScriptedModel(["hello", *[failed("connection")] * 6, "back again"])
    model = Retrying(script, base_s=0.001)
    assert [(await model.complete(ask("q"))).text for _ in range(2)] == ["hello", "back again"]


async def test_waits_as_long_as_the_server_asks() -> None:
    model = Retrying(ScriptedModel([failed("rate_limit", 0.2), "fine"]), base_s=0.001)
    started = time.perf_counter()
    assert (await model.complete(ask("q"))).text == "fine"
    assert time.perf_counter() - started >= 0.2


async def test_does_not_wait_longer_than_allowed() -> None:
    model = Retrying(ScriptedModel([failed("rate_limit", 3600.0)]), max_wait_s=60)
    got = await model.complete(ask("q"))
    assert (got.outcome, got.fault) == ("failed", "rate_limit")
    assert got.error == "their words (the server asks to wait 3600 s, longer than max_wait_s=60)"


async def test_refusals_and_truncations_are_answers() -> None:
    for answer in (Completion(outcome="refused", error="no"), Completion(text="half", outcome="truncated")):
        assert await Retrying(ScriptedModel([answer])).complete(ask("q")) == answer


async def test_a_thousand_calls_survive_30_percent_of_all_faults() -> None:
    flaky = FlakyModel(echo(), seed=7, rate=0.3, retry_after_s=0.001)
    model = Metered(Retrying(flaky, base_s=0.0005, cap_s=0.002))
    got = await asyncio.gather(*(model.complete(ask(f"q{number}")) for number in range(1000)))
    assert [(one.outcome, one.text) for one in got] == [("ok", f"q{number}") for number in range(1000)]
    assert set(flaky.fault_counts) == set(PASSING)
    assert 300 < flaky.fault_counts.total() < 600
    assert (model.totals.calls, model.totals.failed) == (1000, 0)


async def test_calls_survive_30_percent_of_real_faults() -> None:
    with chat_server(faults=random_faults(seed=1, rate=0.3), retry_after="0.01") as server:
        model = Retrying(
            Limited(OpenAIModel("tiny", base_url=server.base_url, timeout_s=2), max_concurrency=64),
            base_s=0.01,
            cap_s=0.05,
        )
        got = await asyncio.gather(*(model.complete(ask(f"q{number}")) for number in range(300)))
        await model.aclose()
    assert [(one.outcome, one.text) for one in got] == [("ok", f"q{number}") for number in range(300)]
    assert server.faults_served.total() > 60
    assert server.answered.total() == 300  # nothing was paid twice
    assert server.most_in_flight <= 64 + server.faults_served["hang"]  # a client that left is noticed a little later


# --- Limited --------------------------------------------------------------------------------------------------------


async def test_no_more_calls_at_once_than_allowed() -> None:
    slow = SlowModel(echo(), latency_s=0.005)
    model = Limited(slow, max_concurrency=7)
    await asyncio.gather(*(model.complete(ask(f"q{number}")) for number in range(60)))
    assert slow.most_in_flight == 7


async def test_requests_per_minute() -> None:
    model = Limited(echo(), max_concurrency=100, requests_per_minute=60 * 100)
    started = time.perf_counter()
    await asyncio.gather(*(model.complete(ask(f"q{number}")) for number in range(130)))  # 100 at once, 30 at 100/s
    assert time.perf_counter() - started >= 0.29


async def test_tokens_per_minute_are_corrected_by_the_real_usage() -> None:
    cheap = ScriptedModel(lambda request: Completion(text="x", usage=Usage(prompt_tokens=1, completion_tokens=1)))
    model = Limited(cheap, max_concurrency=1, tokens_per_minute=60 * 500)
    started = time.perf_counter()
    for number in range(50):  # each books 400 tokens, uses 2
        await model.complete(ask(f"q{number}", max_tokens=400))
    assert time.perf_counter() - started < 5  # 20,000 tokens at 500/s would take 40 s

    dear = ScriptedModel(lambda request: Completion(text="x", usage=Usage(prompt_tokens=0, completion_tokens=100)))
    model = Limited(dear, max_concurrency=1, tokens_per_minute=60 * 1000)
    started = time.perf_counter()
    for number in range(14):  # books about 1, uses 100: 1,000 at once, then 1,000 a second
        await model.complete(ask(f"q{number}", max_tokens=1))
    assert time.perf_counter() - started >= 0.25


async def test_a_failed_call_gives_its_tokens_back() -> None:
    model = Limited(ScriptedModel(lambda request: failed("server")), max_concurrency=1, tokens_per_minute=60 * 100)
    started = time.perf_counter()
    for number in range(20):
        await model.complete(ask(f"q{number}", max_tokens=1000))
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("limits", [{"max_concurrency": 0}, {"max_concurrency": 1, "requests_per_minute": -1.0}])
def test_limits_must_be_positive(limits: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        Limited(echo(), **limits)


# --- Metered --------------------------------------------------------------------------------------------------------


async def test_totals() -> None:
    add_cost = Usage(prompt_tokens=3, completion_tokens=2, cost_usd=0.5)
    unpriced = Usage(prompt_tokens=10, completion_tokens=20)
    model = Metered(
        ScriptedModel(
            [
                Completion(usage=add_cost),
                Completion(usage=unpriced),
                failed("server"),
                failed("timeout"),
                failed("server"),
            ]
        )
    )
    for _ in range(5):
        await model.complete(ask("q"))
    totals = model.totals
    assert totals.usage == Usage(prompt_tokens=13, completion_tokens=22, cost_usd=0.5)
    assert (totals.calls, totals.failed, totals.unpriced_calls, totals.in_flight) == (5, 3, 1, 0)
    assert totals.faults == {"server": 2, "timeout": 1}


async def test_calls_in_flight_are_counted_also_when_they_are_cancelled() -> None:
    model = Metered(SlowModel(echo(), latency_s=30))
    calls = [asyncio.create_task(model.complete(ask(f"q{number}"))) for number in range(3)]
    await asyncio.sleep(0.01)
    assert model.totals.in_flight == 3
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert (model.totals.in_flight, model.totals.calls) == (0, 0)


# --- fakes ----------------------------------------------------------------------------------------------------------


class TestFakeContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> ChatModel:
        return SlowModel(FlakyModel(echo(), seed=1, rate=0.0), latency_s=0.0005, sigma=0.5, seed=1)


async def test_flaky_faults_do_not_depend_on_the_order_of_calls() -> None:
    async def outcomes(order: list[Request]) -> dict[str, str]:
        model = FlakyModel(echo(), seed=3, rate=0.5)
        return {request.messages[-1].content: (await model.complete(request)).fault for request in order}

    requests = [ask(f"q{number}") for number in range(50)]
    forward = await outcomes(requests)
    assert forward == await outcomes(requests[::-1])
    assert len(set(forward.values())) > 3


async def test_a_script_that_ran_out_is_loud() -> None:
    from askwell.core.errors import ModelError

    model = ScriptedModel(["only one"])
    await model.complete(ask("q"))
    with pytest.raises(ModelError, match="has 1 replies and was asked 2 times"):
        await model.complete(ask("q"))

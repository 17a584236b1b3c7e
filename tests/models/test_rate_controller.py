"""The controller in simulated time against every kind of limiter, and gates that models share."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from statistics import median

import pytest
from aiohttp import web

from askwell.core.types import Completion, Quota
from askwell.models.providers.openai import OpenAIModel
from askwell.models.providers.rate_headers import parse_quota
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.rate_controller import RateController
from askwell.models.wrappers.retry import Retrying
from askwell.models.wrappers.shared_gate import SharedGate
from askwell.testing.fakes import ScriptedModel, SlowModel
from tests.support.rate_servers import KINDS, FixedWindow, TokenBucket
from tests.support.rate_world import WORLDS, World, simulate
from tests.support.requests import ask
from tests.support.servers import chat_server, completion, error

RATE, REQUESTS = 300.0, 9000
_FAST = [
    ("fixed window 1 s", "wakes late"),
    ("token bucket, burst 20", "refuses at once"),
    ("sliding window 1 s", "decides late"),
]


@pytest.mark.parametrize("hints", ["none", "Retry-After", "what is left"])
@pytest.mark.parametrize("latency_s", [0.02, 0.2])
@pytest.mark.parametrize("kind", KINDS)
def test_keeps_95_percent_of_a_limit_and_has_at_most_3_percent_refused(kind: str, latency_s: float, hints: str) -> None:
    outcome = simulate(
        KINDS[kind](RATE),
        requests=REQUESTS,
        latency_s=latency_s,
        max_in_flight=128,
        sends_retry_after=hints == "Retry-After",
        sends_quota=hints == "what is left",
    )
    whole_windows = kind == "fixed window 10 s" and hints != "Retry-After"  # nothing says how long it is shut
    assert outcome.accepted / outcome.seconds >= (0.8 if whole_windows else 0.95) * RATE
    assert outcome.refused <= (0.05 if whole_windows else 0.03) * (outcome.accepted + outcome.refused)


@pytest.mark.parametrize("hints", ["none", "Retry-After"])
@pytest.mark.parametrize("latency_s", [0.02, 0.2])
@pytest.mark.parametrize(
    ("kind", "world"),
    [
        pytest.param(kind, world, marks=[] if (kind, world) in _FAST else pytest.mark.slow)
        for kind in KINDS
        if kind != "fixed window 10 s"  # its test is above
        for world in WORLDS
    ],
)
def test_keeps_to_a_limit_at_any_phase_of_its_windows_in_every_world(
    kind: str, world: str, latency_s: float, hints: str
) -> None:
    outcome = [
        simulate(
            KINDS[kind](RATE),
            requests=6000,
            latency_s=latency_s,
            max_in_flight=128,
            sends_retry_after=hints == "Retry-After",
            world=WORLDS[world],
            seed=number,
            start=100.0 + number / 5,  # the phase of the server's windows
        )
        for number in range(5)
    ]
    kept = [result.accepted / result.seconds / RATE for result in outcome]
    refused = [result.refused / (result.accepted + result.refused) for result in outcome]
    assert median(kept) >= 0.95
    assert min(kept) >= 0.93
    assert median(refused) <= 0.03
    assert max(refused) <= 0.035


@pytest.mark.parametrize("start", [100.0, 102.5, 104.0, 107.5])  # at 104 it is shut for hardly a second
def test_a_long_window_that_was_nearly_over_is_no_low_rate(start: float) -> None:
    outcome = simulate(
        KINDS["fixed window 10 s"](RATE), requests=9000, latency_s=0.2, max_in_flight=128, sends_retry_after=True,
        seed=8, start=start,
    )  # fmt: skip
    assert outcome.accepted / outcome.seconds >= 0.95 * RATE
    assert outcome.refused <= 0.03 * (outcome.accepted + outcome.refused)


def test_stalled_machines_cost_only_their_stalls() -> None:
    stalled = World(tick_s=0.002, stall_s=0.08)
    outcome = simulate(
        FixedWindow(RATE), requests=6000, latency_s=0.02, max_in_flight=128, sends_retry_after=True, world=stalled
    )
    assert outcome.accepted / outcome.seconds >= 0.9 * RATE
    assert outcome.refused <= 0.05 * 6000


def test_an_unlimited_server_is_full_within_half_a_second() -> None:
    outcome = simulate(TokenBucket(1e9, burst=1e9), requests=3000, latency_s=0.2, max_in_flight=512)
    assert outcome.full_after_s <= 0.4


def test_a_pause_ends_when_the_server_opens_and_not_when_its_slow_answers_come() -> None:
    instant_news = World(before=0.001, refusal=0.0001)
    outcome = simulate(TokenBucket(20.0, burst=20), requests=300, latency_s=10.0, max_in_flight=512, world=instant_news)
    assert outcome.seconds <= 30.0  # 300 at 20/s after a burst of 20, and ten seconds for the last answer
    assert outcome.refused <= 40


@pytest.mark.parametrize(("latency_s", "most", "ideal"), [(0.2, 512, 2560.0), (0.05, 256, 5120.0), (0.01, 16, 1600.0)])
def test_costs_a_server_without_limits_little(latency_s: float, most: int, ideal: float) -> None:
    free = TokenBucket(1e9, burst=1e9)
    outcome = simulate(free, requests=int(8 * ideal), latency_s=latency_s, max_in_flight=most, world=World(jitter=0.0))
    assert outcome.refused == 0
    assert outcome.accepted / outcome.seconds >= 0.93 * ideal


def test_finds_a_limit_that_was_raised_or_lowered() -> None:
    controller, limiter = RateController(), FixedWindow(100.0)
    before = simulate(limiter, requests=1500, latency_s=0.05, max_in_flight=64, controller=controller)
    limiter.rate = 400.0
    raised = simulate(
        limiter, requests=8000, latency_s=0.05, max_in_flight=64, controller=controller, start=before.ended
    )
    assert raised.accepted / raised.seconds >= 0.6 * 400.0
    limiter.rate = 150.0
    lowered = simulate(
        limiter, requests=1500, latency_s=0.05, max_in_flight=64, controller=controller, start=raised.ended
    )
    assert lowered.accepted / lowered.seconds >= 0.8 * 150.0
    assert lowered.refused <= 400


def test_the_learnt_rate_is_kept() -> None:
    controller = RateController()
    once = simulate(FixedWindow(RATE), requests=3000, latency_s=0.05, max_in_flight=256, controller=controller)
    again = simulate(
        FixedWindow(RATE), requests=3000, latency_s=0.05, max_in_flight=256, controller=controller, start=once.ended
    )
    assert again.refused <= 0.015 * 3000


def test_refusals_independent_of_the_rate_do_not_stop_it() -> None:
    class Moody:
        rng = random.Random(1)

        def try_accept(self, now: float) -> float | None:
            return 0.0 if self.rng.random() < 0.04 else None

        def remaining(self, now: float) -> int:
            return 1000

    outcome = simulate(Moody(), requests=5000, latency_s=0.05, max_in_flight=64)
    assert outcome.accepted / outcome.seconds >= 150


def test_a_short_wait_is_over_when_the_next_request_arrives() -> None:
    controller = RateController()
    controller.record_refusal(
        controller.record_sent(0.0), 0.1, 0.5
    )  # decided when the request came, so one sent at 0.5 passes
    assert 0.4 <= controller.wait_s(0.1, 0) <= 0.42


def test_a_long_wait_is_for_all() -> None:
    controller = RateController()
    request = controller.record_sent(0.0)
    other = controller.record_sent(0.0)
    controller.record_refusal(request, 0.1, 20.0)
    controller.record_refusal(other, 0.2, 30.0)
    assert controller.wait_s(10.0, 0) == pytest.approx(20.2)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        (
            {"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "1s"},
            Quota(remaining=7.0, reset_s=1.0),
        ),
        (
            {
                "x-ratelimit-remaining-requests": "70",
                "x-ratelimit-remaining-tokens": "500",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            Quota(remaining=5.0, reset_s=360.0),
        ),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-21T08:00:30Z",
                "date": "Sat, 21 Nov 2026 08:00:00 GMT",
            },
            Quota(remaining=0.0, reset_s=30.0),
        ),
        ({"x-ratelimit-remaining": "lots"}, None),
    ],
)
def test_the_remaining_quota_is_parsed_from_headers(headers: dict[str, str], expected: Quota | None) -> None:
    assert parse_quota(headers, tokens=100) == expected


async def test_two_models_of_one_gate_take_turns() -> None:
    order: list[str] = []

    def named(name: str) -> ScriptedModel:
        def reply(_: object) -> str:
            order.append(name)
            return "fine"

        return ScriptedModel(reply)

    gate = SharedGate()
    gate.controller.record_refusal(
        gate.controller.record_sent(time.monotonic()), time.monotonic(), 0.05
    )  # shut for a moment
    many = Limited(named("target"), max_concurrency=50, gate=gate)
    few = Limited(named("optimizer"), max_concurrency=50, gate=gate)
    calls = [asyncio.ensure_future(many.complete(ask(f"q{number}"))) for number in range(12)]
    await asyncio.sleep(0.01)
    calls += [asyncio.ensure_future(few.complete(ask(f"q{number}"))) for number in range(3)]
    await asyncio.gather(*calls)
    assert max(index for index, name in enumerate(order) if name == "optimizer") <= 7


async def test_an_answer_ends_a_wait_before_its_time() -> None:
    gate = SharedGate()
    now = time.monotonic()
    first = [gate.controller.record_sent(now) for _ in range(4)]
    gate.controller.record_refusal(
        first[3], now + 0.5, None
    )  # refusals seem to take half a second: a probe is waited for as long
    begun = time.perf_counter()
    model = Limited(SlowModel(ScriptedModel(lambda _: "fine"), latency_s=0.01), max_concurrency=8, gate=gate)
    await asyncio.gather(*(model.complete(ask(f"q{number}")) for number in range(3)))
    assert time.perf_counter() - begun < 1.5


async def test_a_call_refused_by_a_paced_limit_is_not_given_up_before_its_time() -> None:
    closed_until = time.monotonic() + 0.8

    def reply(_: object) -> Completion | str:
        open_now = time.monotonic() >= closed_until
        return "fine" if open_now else Completion(outcome="failed", fault="rate_limit", error="429")

    script = ScriptedModel(reply)
    model = Retrying(Limited(script, max_concurrency=1), max_attempts=4, base_s=0.5)  # would wait 3.5 s at most
    assert (await model.complete(ask("q"))).text == "fine"
    assert len(script.requests) > 4


async def test_a_call_refused_for_good_is_given_up() -> None:
    refused = Completion(outcome="failed", fault="rate_limit", error="429")
    script = ScriptedModel(lambda _: refused)
    begun = time.perf_counter()
    outcome = await Retrying(Limited(script, max_concurrency=1), max_attempts=3, base_s=0.1).complete(ask("q"))
    assert outcome.fault == "rate_limit"
    assert "gave up after" in outcome.error
    assert 0.3 <= time.perf_counter() - begun < 2.0


async def test_a_call_cancelled_in_the_queue_leaves_no_trace() -> None:
    model = Limited(SlowModel(ScriptedModel(lambda _: "fine"), latency_s=0.01), max_concurrency=1)
    calls = [asyncio.ensure_future(model.complete(ask(f"q{number}"))) for number in range(5)]
    await asyncio.sleep(0)
    for call in calls[1:4]:
        call.cancel()
    outcome = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(result, Completion) for result in outcome] == [True, False, False, False, True]
    assert model.load() == 0


@pytest.mark.slow
async def test_a_real_server_with_a_limit_is_kept_busy_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limiter = FixedWindow(200.0)

    def limited(body: dict[str, object]) -> web.Response:
        wait = limiter.try_accept(time.monotonic())
        if wait is not None:
            return error(429, "Rate limit reached", "rate_limit_exceeded", {"Retry-After": f"{wait:.3f}"})
        return web.json_response(completion("fine", body))

    caplog.set_level(logging.WARNING)
    with chat_server(transform=limited, latency_s=0.02) as server:
        model = Retrying(Limited(OpenAIModel("tiny", base_url=server.base_url), max_concurrency=64), base_s=0.05)
        begun = time.perf_counter()
        outcome = await asyncio.gather(*(model.complete(ask(f"q{number}")) for number in range(800)))
        seconds = time.perf_counter() - begun
        await model.aclose()
    assert {result.outcome for result in outcome} == {"ok"}
    assert 800 / seconds >= 0.8 * 200
    assert server.total_requests - 800 <= 160  # most of them before the first news of the limit
    assert [record.getMessage() for record in caplog.records if "is rate-limited" in record.getMessage()]
    assert len(caplog.records) == 1

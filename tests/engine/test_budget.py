"""Caps: calls never exceed theirs, the others hold within what is in flight, and a capped run ends in order."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import askwell
from askwell.core.event_loop import Stopper
from askwell.core.protocols import ChatModel, PromptRunner
from askwell.core.types import Completion, Message, Prompt, Request, Usage
from askwell.engine.budget import BudgetLimited, BudgetTracker, Caps, is_raised
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import OptimizeJob, TargetSetup, encode_header
from askwell.engine.loop import LoopSettings
from askwell.report.run_report import build_report
from askwell.runlog.fold import Spend, fold, read_result, read_spend
from askwell.runlog.store import MemoryStore
from askwell.testing.fakes import ScriptedModel
from tests.support.loop_runs import TASK, WordSearch, answer, suggest

FIRST, TEST = 10, 24
"""Calls that scoring the initial prompt and testing the winner take on the task of `test_loop`."""


def ask(text: str = "q") -> Request:
    return Request(messages=(Message(role="user", content=text),))


class Priced:
    """Every call takes a moment, uses 10 tokens and costs a cent."""

    def __init__(self, inner: ChatModel) -> None:
        self.inner = inner
        self.name = inner.name

    async def complete(self, request: Request) -> Completion:
        await asyncio.sleep(0)
        text = (await self.inner.complete(request)).text
        return Completion(text=text, usage=Usage(prompt_tokens=8, completion_tokens=2, cost_usd=0.01))

    async def aclose(self) -> None:
        return


def capped_run(caps: Caps, *, concurrency: int, seed: int = 0, store: MemoryStore | None = None) -> MemoryStore:
    store = store or MemoryStore()

    def make(model: ChatModel, _: PromptRunner) -> WordSearch:
        return WordSearch(model)

    job = OptimizeJob(
        header=encode_header({}, seed=seed, settings=None),
        initial=[Prompt(instruction="think")],
        target_setup=TargetSetup(
            task=TASK,
            model=Priced(ScriptedModel(answer)),
            sampling=Sampling(),
            concurrency=concurrency,
            max_missing=0.0,
        ),
        optimizer_model=Priced(ScriptedModel(suggest)),
        make_optimizer=make,
        settings=LoopSettings(steps=6, seed=seed),
        caps=caps,
    )
    asyncio.run(job.execute(store, Stopper(), lambda _: None))
    return store


def spent(store: MemoryStore) -> tuple[int, int, float]:
    both = read_spend(store).values()
    return (
        sum(one.calls for one in both),
        sum(one.prompt_tokens + one.completion_tokens for one in both),
        sum(one.cost_usd or 0.0 for one in both),
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(FIRST + TEST, 250), st.integers(1, 20), st.integers(0, 5))
def test_calls_never_exceed_their_cap_and_the_winner_is_always_tested(cap: int, concurrency: int, seed: int) -> None:
    store = capped_run(Caps(max_calls=cap), concurrency=concurrency, seed=seed)
    assert spent(store)[0] <= cap
    found = build_report(store)
    assert found is not None
    assert found.finished
    assert found.best.test is not None
    assert found.best.test.n == 12


@settings(max_examples=30, deadline=None)
@given(st.integers(400, 2500), st.integers(1, 20), st.integers(0, 5))
def test_tokens_and_money_hold_within_what_is_in_flight(tokens: int, concurrency: int, seed: int) -> None:
    in_flight = 10 * max(concurrency, 3)
    assert spent(capped_run(Caps(max_tokens=tokens), concurrency=concurrency, seed=seed))[1] <= tokens + in_flight
    usd = tokens / 1000
    store = capped_run(Caps(max_usd=usd), concurrency=concurrency, seed=seed)
    assert spent(store)[2] <= usd + in_flight / 1000 + 1e-9


def test_the_report_says_which_cap_ended_the_run() -> None:
    found = build_report(capped_run(Caps(max_calls=80), concurrency=4))
    assert found is not None
    assert found.reason == "the cap of 80 calls is reached"
    whole = build_report(capped_run(Caps(), concurrency=4))
    assert whole is not None
    assert whole.reason == "all 6 steps done"


def test_a_cap_with_room_changes_nothing() -> None:
    events = [list(capped_run(caps, concurrency=4).events()) for caps in (Caps(), Caps(max_calls=10_000, max_usd=99.0))]
    assert events[0] == events[1]


def test_a_cap_that_cannot_do_is_refused_before_anything_is_asked() -> None:
    store = MemoryStore()
    with pytest.raises(
        askwell.ConfigError, match=r"max_calls = 33 is too few: .* takes 10 calls and the final test 24"
    ):
        capped_run(Caps(max_calls=FIRST + TEST - 1), concurrency=4, store=store)
    assert list(store.events()) == []


@pytest.mark.parametrize("cap", [FIRST + TEST + 3, FIRST + TEST + 9, FIRST + TEST + 20])
def test_a_run_that_its_cap_ended_goes_on_under_a_higher_cap(cap: int) -> None:
    whole, store = capped_run(Caps(), concurrency=2), capped_run(Caps(max_calls=cap), concurrency=2)
    capped_run(Caps(max_calls=cap + 1), concurrency=2, store=store)
    assert spent(store)[0] <= cap + 1
    capped_run(Caps(max_calls=2000), concurrency=2, store=store)
    assert fold(store).trajectory.next_step == fold(whole).trajectory.next_step
    result, report = read_result(store), build_report(store)
    assert result is not None
    assert report is not None
    assert result["reason"] == "all 6 steps done"
    assert report.best.test is not None
    assert report.best.test.n == 12
    assert fold(store).trajectory.best.score > 0
    assert count_answered(store) == spent(store)[0]  # no call was paid for twice


def count_answered(store: MemoryStore) -> int:
    """Count distinct answered requests."""
    return len({event.key for event in store.events(kinds=["rollout", "call"])})


@pytest.mark.parametrize("caps", [Caps(max_calls=FIRST + TEST), Caps(max_calls=FIRST + TEST - 1, max_tokens=10**6)])
def test_under_the_same_or_a_lower_cap_it_stays_ended(caps: Caps) -> None:
    store = capped_run(Caps(max_calls=FIRST + TEST), concurrency=1)
    before = list(store.events())
    if caps.max_calls == FIRST + TEST:
        capped_run(caps, concurrency=1, store=store)
        assert list(store.events()) == before


def test_a_run_that_went_on_and_was_cut_off_goes_on_under_any_cap() -> None:
    store = capped_run(Caps(max_calls=FIRST + TEST), concurrency=1)
    whole = capped_run(Caps(max_calls=2000), concurrency=1, store=copy_of(store))
    [*_, last] = [event.position for event in whole.events(kinds=["step"])]
    cut = MemoryStore()
    cut.append(event for event in whole.events() if event.position <= last)
    capped_run(Caps(max_calls=2000), concurrency=1, store=cut)
    assert read_result(cut) == read_result(whole)


def copy_of(store: MemoryStore) -> MemoryStore:
    copy = MemoryStore()
    copy.append(store.events())
    return copy


@pytest.mark.parametrize(
    ("reason", "caps", "raised"),
    [
        ("the cap of 30 calls is reached", Caps(max_calls=31), True),
        ("the cap of 30 calls is reached", Caps(max_calls=30), False),
        ("the cap of 30 calls is reached", Caps(max_calls=29), False),
        ("the cap of 30 calls is reached", Caps(), True),
        ("the cap of 30 calls is reached", Caps(max_calls=30, max_usd=5), False),
        ("the cap of 1.23457e+06 tokens is reached", Caps(max_tokens=1234567), False),
        ("the cap of 0.5 dollars is reached, and the final test was cut short", Caps(max_usd=0.6), True),
        ("the cap of 1 minutes is reached", Caps(max_minutes=1), False),
        ("all 6 steps done", Caps(max_calls=99), False),
        ("perfect dev score", Caps(), False),
    ],
)
def test_only_a_higher_cap_is_a_raised_one(reason: str, caps: Caps, raised: bool) -> None:
    assert is_raised(reason, caps) == raised


def test_minutes_are_counted_by_the_clock() -> None:
    now = 0.0
    budget = BudgetTracker(Caps(max_minutes=2), clock=lambda: now)
    assert budget.acquire()
    now = 119.0
    assert budget.acquire()
    now = 121.0
    assert not budget.acquire()
    assert budget.reason == "the cap of 2 minutes is reached"


def test_what_the_log_shows_as_spent_counts() -> None:
    budget = BudgetTracker(Caps(max_calls=10), spent=[Spend(calls=9, failed=1), Spend(calls=1)])
    assert budget.acquire()
    assert not budget.acquire()


async def test_a_failed_or_cancelled_call_gives_its_place_back() -> None:
    rng = random.Random(0)
    failed = Completion(outcome="failed", fault="server", error="500")
    model = BudgetLimited(
        ScriptedModel(lambda _: failed if rng.random() < 0.5 else Completion(text="x")),
        BudgetTracker(Caps(max_calls=5)),
    )
    answered = 0
    for _ in range(100):
        answered += (await model.complete(ask())).outcome == "ok"
    assert answered == 5
    refused = await model.complete(ask())
    assert (refused.fault, refused.error) == ("budget", "the cap of 5 calls is reached")


def is_odd(text: str) -> str:
    return "yes" if int(text.split(maxsplit=1)[0]) % 2 else "no"


def try_anything(request: Request) -> str:
    return f"<START>Try {request.seed}.<END>"


def test_from_python_a_capped_run_ends_with_its_best_so_far(tmp_path: Path) -> None:
    result = askwell.optimize(
        data=[{"input": f"{i}", "target": "yes"} for i in range(50)],
        target=is_odd,
        optimizer_model=try_anything,
        settings={"embedder": "lexical"},
        caps=askwell.Caps(max_calls=90),
        run=tmp_path / "run",
    )
    assert result.report.reason == "the cap of 90 calls is reached"

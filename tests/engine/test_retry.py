"""Filling missing cells: only those are paid for, what was logged stays, and the result is brought up to date."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from askwell.core.errors import RunFailed, StoreError
from askwell.core.event_loop import Stopper
from askwell.core.types import Completion, Event, Message, Prompt, Request
from askwell.engine.budget import Caps
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import OptimizeJob, TargetSide, encode_header
from askwell.engine.loop import LoopSettings
from askwell.engine.retry import RetryResult, retry_missing
from askwell.report.run_report import report
from askwell.runlog.fold import fold, missing_slots, read_result, read_spend
from askwell.runlog.store import MemoryStore, RunStore, SqliteStore
from askwell.testing.fakes import ScriptedModel
from tests.engine.test_loop import TASK, WordSearch, answer, suggest

DOWN = Completion(outcome="failed", fault="server", error="500")


def job(target: ScriptedModel, *, steps: int = 3, draws: int = 1, caps: Caps | None = None) -> OptimizeJob:
    return OptimizeJob(
        header=encode_header({}, seed=0, settings=None),
        initial=[Prompt(instruction="think")],
        side=TargetSide(
            task=TASK, model=target, sampling=Sampling(repeats=draws, temperature=0.5), concurrency=4, max_missing=0.9
        ),
        optimizer_model=ScriptedModel(suggest),
        make_optimizer=lambda model, _: WordSearch(model),
        settings=LoopSettings(steps=steps),
        caps=caps or Caps(),
    )


def failing(rate: float, seed: int = 0) -> ScriptedModel:
    """A target that is down for good for some of the requests."""

    def reply(request: Request) -> str | Completion:
        dice = random.Random(f"{seed}/{request.sample_index}/{request.messages[0].content}")
        return DOWN if dice.random() < rate else answer(request)

    return ScriptedModel(reply, name="target")


def healthy() -> ScriptedModel:
    return ScriptedModel(answer, name="target")


def run(planned: OptimizeJob, store: RunStore) -> None:
    asyncio.run(planned.execute(store, Stopper(), lambda _: None))


def repair(planned: OptimizeJob, store: RunStore) -> RetryResult:
    return asyncio.run(retry_missing(planned, store, Stopper(), lambda _: None))


def missing(store: RunStore) -> Counter[str]:
    return Counter(split for split, *_ in missing_slots(store, fold(store)))


@pytest.mark.parametrize("draws", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_missing_is_asked_once_and_nothing_else(seed: int, draws: int) -> None:
    store, mended = MemoryStore(), healthy()
    run(job(failing(0.2, seed), draws=draws), store)
    before, gaps = list(store.events()), missing(store)
    assert sum(gaps.values()) > 5
    found = report(store)
    assert found is not None
    assert found.missing == sum(gaps.values())
    repaired = repair(job(mended, draws=draws), store)
    assert len(mended.requests) == repaired.missing == repaired.filled >= sum(gaps.values())
    assert [event for event in store.events() if event in before] == before
    assert missing(store) == {}
    paid = [row[1:5] for row in store.rollout_rows() if row.score is not None and not row.is_cached]
    assert len(paid) == len(set(paid))  # nothing was paid for twice
    again = healthy()
    assert repair(job(again, draws=draws), store) == RetryResult(missing=0, filled=0)
    assert again.requests == []


@pytest.mark.parametrize("seed", range(6))
def test_the_result_is_that_of_the_completed_scores(seed: int) -> None:
    store = MemoryStore()
    run(job(failing(0.3, seed)), store)
    repair(job(healthy()), store)
    found = fold(store)
    result = read_result(store)
    assert result is not None
    exact: dict[Prompt, float] = {}
    for candidate in found.trajectory.candidates:
        right = [answer(request(candidate.prompt, one.input)) == "yes" for one in TASK.splits["dev"]]
        exact.setdefault(candidate.prompt, sum(right) / len(right))
        assert len(found.scores_of(candidate.prompt, "dev")) == 10
    shown = report(store)
    assert shown is not None
    assert shown.best.dev is not None
    assert shown.best.test is not None
    assert shown.best.dev.estimate == pytest.approx(max(exact.values())) == pytest.approx(result["dev"]["best"])  # type: ignore[index]
    assert (shown.best.dev.n, shown.best.test.n, shown.missing) == (10, 12, 0)


def request(prompt: Prompt, question: str) -> Request:
    return Request(messages=(Message(role="user", content=f"{question}|{prompt.instruction}"),))


def test_an_unfinished_run_goes_on_as_if_nothing_had_been_filled(tmp_path: Path) -> None:
    def first_steps(name: str) -> SqliteStore:
        store = SqliteStore(tmp_path / name / "log.db")
        run(replace(job(failing(0.2)), settings=LoopSettings(steps=4)), MemoryStore())
        whole = MemoryStore()
        run(job(failing(0.2), steps=4), whole)
        steps = [event.position for event in whole.events(kinds=["step"])]
        aside = 1 << 40
        store.append(event for event in whole.events() if event.position <= steps[2] or event.position >= aside)
        return store

    def fixed(store: RunStore) -> list[Event]:
        return [event for event in store.events() if event.position < 1 << 40]

    with first_steps("plain") as plain, first_steps("filled") as filled:
        assert repair(job(healthy(), steps=4), filled).filled > 0
        assert read_result(filled) is None
        run(job(failing(0.2), steps=4), plain)
        run(job(failing(0.2), steps=4), filled)
        steps = [[event.body for event in store.events(kinds=["step", "proposals"])] for store in (plain, filled)]
        assert steps[0] == steps[1]
        assert [event.position for event in fixed(plain)] == [event.position for event in fixed(filled)]


def test_a_test_that_a_cap_cut_short_is_completed() -> None:
    store = MemoryStore()
    run(job(healthy(), caps=Caps(max_calls=10 + 24)), store)
    whole = [event for event in store.events() if event.kind != "result"]
    cut = MemoryStore()
    on_test = [event for event in whole if event.kind == "rollout" and event.body["split"] == "test"]
    cut.append([event for event in store.events() if event not in on_test[5:]])
    mended = healthy()
    assert repair(job(mended, caps=Caps(max_calls=34)), cut).filled == len(mended.requests) == len(on_test) - 5
    found = report(cut)
    assert found is not None
    assert found.best.test is not None
    assert found.best.test.n == 12


def test_caps_hold_while_filling() -> None:
    store = MemoryStore()
    run(job(failing(0.2)), store)
    spent = sum(one.calls - one.failed for one in read_spend(store).values())
    mended = healthy()
    with pytest.raises(Exception, match="cap"):
        repair(job(mended, caps=Caps(max_calls=spent + 3)), store)
    assert len(mended.requests) == 3


def test_a_server_that_is_still_down_is_told_and_nothing_is_made_up() -> None:
    store = MemoryStore()
    run(job(failing(0.2)), store)
    before = missing(store)
    with pytest.raises(RunFailed, match="500"):
        repair(job(failing(1.0)), store)
    assert missing(store) == before


def test_a_run_without_a_scored_prompt_has_nothing_to_fill() -> None:
    with pytest.raises(StoreError, match="resume it instead"):
        repair(job(healthy()), MemoryStore())

"""The driver: steps, reuse, resuming at any event, and the one look at the test split."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from askwell.core.errors import StoreError
from askwell.core.trajectory import Trajectory
from askwell.core.types import Event, Proposal, Request
from askwell.engine.evaluator import Interrupted
from askwell.engine.loop import LoopSettings, derive_seed
from askwell.report.run_report import build_report
from askwell.runlog.fold import find_resume_point, fold, read_header, read_rollouts, read_spend
from askwell.runlog.store import MemoryStore
from tests.support.logs import stored
from tests.support.loop_runs import WordSearch, answer, play


class NoBananas(WordSearch):
    """Turns proposals with one word down, and marks the rest as made from a lesson, with a penalty."""

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        return [
            replace(one, rejected="a banana" if "banana" in one.prompt.instruction else "", lesson="add", penalty=0.05)
            for one in await super().propose(trajectory, seed=seed)
        ]


def second_proposals(store: MemoryStore) -> int:
    """Place of the second step's proposals."""
    return [event.position for event in store.events(kinds=["proposals"])][1]


async def test_it_goes_from_the_initial_prompt_to_a_better_one() -> None:
    history = await play(MemoryStore())
    assert history.candidates[0].prompt.instruction == "think"
    assert history.best.score > history.candidates[0].score
    assert history.next_step == 5


async def test_the_history_is_what_the_log_says() -> None:
    store = MemoryStore()
    history = await play(store)
    assert fold(store).trajectory == history
    assert [dict(one.example_scores) for one in fold(store).trajectory.candidates] == [
        dict(one.example_scores) for one in history.candidates
    ]


async def test_a_prompt_scored_before_costs_nothing() -> None:
    store = MemoryStore()
    history = await play(store, optimizer=lambda _: "think")
    assert [one.score for one in history.candidates] == [history.candidates[0].score] * 5
    assert read_spend(store)["target"].calls == 10 + 12


async def test_the_test_split_is_touched_once_at_the_end_by_two_prompts() -> None:
    store = MemoryStore()
    history = await play(store)
    events = list(store.events())
    on_test = [event for event in events if event.kind == "rollout" and event.body["split"] == "test"]
    last_step = max(event.position for event in events if event.kind == "step")
    assert len(on_test) == 2 * 12
    assert min(event.position for event in on_test) > last_step
    prompts = {rollout.prompt for rollout in read_rollouts(stored(events), split="test")}
    assert prompts == {history.candidates[0].prompt, history.best.prompt}


async def test_equal_seeds_write_equal_logs_and_other_seeds_others() -> None:
    logs = [MemoryStore() for _ in range(3)]
    for store, seed in zip(logs, [1, 1, 2], strict=True):
        await play(store, settings=LoopSettings(steps=3, seed=seed))
    first, second, other = (list(store.events()) for store in logs)
    assert first == second
    assert first != other


async def test_a_step_without_a_usable_prompt_is_still_a_step() -> None:
    store = MemoryStore()
    history = await play(store, optimizer=lambda _: "")
    assert history.next_step == 5
    assert {one.prompt.instruction for one in history.candidates} == {"think"}


async def test_a_rejected_proposal_is_written_down_with_its_reason_and_costs_no_call() -> None:
    store = MemoryStore()
    history = await play(store, search=NoBananas)
    bodies = [cast("dict[str, Any]", event.body) for event in store.events(kinds=["proposals"])]
    rejected = [one for body in bodies for one in body.get("rejected", [])]
    assert rejected
    assert {one["reason"] for one in rejected} == {"a banana"}
    assert all("banana" in one["instruction"] for one in rejected)
    assert not [one for one in history.candidates if "banana" in one.prompt.instruction]
    resumed = MemoryStore()
    resumed.append([event for event in store.events() if event.position <= second_proposals(store)])
    assert await play(resumed, search=NoBananas) == history


async def test_lessons_and_penalties_are_history_and_a_penalty_decides_who_is_best_but_not_the_score() -> None:
    store = MemoryStore()
    history = await play(store, search=NoBananas)
    read = fold(store).trajectory
    assert read == history
    made = [one for one in read.candidates if one.origin == "words"]
    assert made
    assert {(one.lesson, one.penalty) for one in made} == {("add", 0.05)}
    dear = replace(history.best, penalty=1.0)
    assert Trajectory(candidates=(history.candidates[0], dear)).best == history.candidates[0]
    assert dear.score == history.best.score


async def test_a_finished_run_is_not_run_again() -> None:
    store = MemoryStore()
    history = await play(store)
    before = list(store.events())

    def never(_: Request) -> str:
        raise AssertionError("a finished run asked a model")

    assert await play(store, target=never, optimizer=never) == history
    assert list(store.events()) == before


async def test_stopped_at_any_call_and_resumed_the_log_is_that_of_an_unbroken_run() -> None:
    whole = MemoryStore()
    await play(whole)
    calls = read_spend(whole)["target"].calls
    for stop_after in range(1, calls, 7):
        store = MemoryStore()
        with pytest.raises(Interrupted):
            await play(store, stop_after=stop_after)
        done = read_spend(store)["target"].calls
        paid = 0

        def counting(request: Request) -> str:
            nonlocal paid
            paid += 1
            return answer(request)

        await play(store, target=counting)
        assert list(store.events()) == list(whole.events())
        assert done + paid == calls


async def test_cut_off_after_any_event_and_resumed_the_log_is_that_of_an_unbroken_run() -> None:
    whole = MemoryStore()
    await play(whole)
    events = list(whole.events())
    # What a kill leaves is a prefix, with holes among the rollouts at its end: those were still in flight.
    for length in range(0, len(events), 5):
        in_flight = all(event.kind == "rollout" for event in events[max(0, length - 2) : length])
        for hole in [None, length - 2] if in_flight else [None]:
            kept = [event for index, event in enumerate(events[:length]) if index != hole]
            store = MemoryStore()
            store.append(kept)
            await play(store)
            assert list(store.events()) == events


async def test_a_resumed_run_with_other_settings_is_refused() -> None:
    store = MemoryStore()
    await play(store, seed_config=0)
    with pytest.raises(StoreError, match="seed: 0 then, 1 now"):
        await play(store, seed_config=1)


async def test_patience_ends_a_run_that_stands_still() -> None:
    history = await play(MemoryStore(), settings=LoopSettings(steps=50, patience=3), optimizer=lambda _: "think")
    assert history.next_step == 4


async def test_a_perfect_prompt_ends_the_run_at_once() -> None:
    store = MemoryStore()
    history = await play(store, target=lambda _: "yes")
    assert history.next_step == 1
    found = build_report(store)
    assert found is not None
    assert (found.finished, found.reason, found.gain) == (True, "perfect dev score", None)


async def test_the_report_compares_both_prompts_on_the_same_test_examples() -> None:
    store = MemoryStore()
    history = await play(store)
    found = build_report(store)
    assert found is not None
    assert found.gain is not None
    assert found.best.test is not None
    assert found.initial.test is not None
    assert found.gain.n == 12
    assert found.gain.estimate == pytest.approx(found.best.test.estimate - found.initial.test.estimate)
    assert found.best.prompt == history.best.prompt
    assert found.curve[-1].best == history.best.score
    assert found.curve[-1].target_calls == found.spend["target"].calls - 24


async def test_proposals_logged_before_a_crash_are_used_although_the_optimizer_would_now_say_otherwise() -> None:
    whole = MemoryStore()
    await play(whole)
    events = list(whole.events())
    cut = next(event.position for event in events if event.kind == "proposals" and event.body["step"] == 2)
    store = MemoryStore()
    store.append([event for event in events if event.position <= cut])
    first = find_resume_point(store).proposals
    await play(store, optimizer=lambda _: "something else")
    step = next(event for event in store.events() if event.kind == "step" and event.body["step"] == 2)
    assert len(step.body["candidates"]) == len(first)  # type: ignore[arg-type]
    assert list(store.events())[: cut + 1] == [event for event in events if event.position <= cut]


def test_derived_seeds_differ_by_use_and_not_by_process() -> None:
    assert derive_seed(0, "step", 1) == derive_seed(0, "step", 1)
    assert len({derive_seed(seed, "step", step) for seed in range(5) for step in range(5)}) == 25
    assert 0 <= derive_seed(1, "x") < 2**63


def test_a_log_without_a_first_event_is_told_apart_from_a_run() -> None:
    with pytest.raises(StoreError, match="empty"):
        read_header(stored([Event(position=1, kind="note", body={})]))

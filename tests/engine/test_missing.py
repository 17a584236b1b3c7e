"""The rule for failed calls: tried once more, then missing, and the run stops if too many are."""

from __future__ import annotations

import pytest

from askwell.core.errors import ModelError, RunFailed
from askwell.core.types import Completion, Example, Fault, Prompt, Rollout
from askwell.engine.missing import MissingCalls
from askwell.engine.rollout_queue import RolloutSlot
from askwell.runlog.store import MemoryStore
from askwell.runlog.writer import Journal

PROMPT = Prompt(instruction="Say it.")
OTHER = Prompt(instruction="Say it well.")


def slot(number: int, prompt: Prompt = PROMPT) -> RolloutSlot:
    example = Example(id=f"e{number}", input=f"q{number}", target="yes")
    return RolloutSlot(position=number, step=0, split="dev", prompt=prompt, example=example)


def failed(of: RolloutSlot, fault: Fault = "server") -> Rollout:
    completion = Completion(outcome="failed", fault=fault, error=f"{fault} trouble")
    return Rollout(
        step=0, split="dev", prompt=of.prompt, example_id=of.example.id, query=of.example.input,
        completion=completion, score=None,
    )  # fmt: skip


def missing_calls(journal: Journal, *, max_missing: float = 0.5, dead_after: int = 3) -> MissingCalls:
    return MissingCalls(target="m", journal=journal, max_missing=max_missing, dead_after=dead_after)


def fail_twice(missing: MissingCalls, first: RolloutSlot, *, requested: int) -> None:
    retry = missing.record_failure(first, failed(first), requested=requested)
    assert retry is not None
    assert (retry.is_retry, retry.position) == (True, first.position)
    assert missing.record_failure(retry, failed(retry), requested=requested) is None


async def test_a_slot_that_fails_twice_is_logged_as_unordered_and_yielded_without_a_score() -> None:
    store = MemoryStore()
    async with Journal(store) as journal:
        missing = missing_calls(journal)
        missing.record_answer(PROMPT)
        fail_twice(missing, slot(1), requested=2)
        rollouts = [rollout async for rollout in missing.finish(requested=2)]
    assert [rollout.score for rollout in rollouts] == [None]
    assert [(event.kind, event.body["example"]) for event in store.events()] == [("rollout", "e1")]


async def test_more_than_the_share_of_the_slots_asked_for_stops_the_run() -> None:
    async with Journal(MemoryStore()) as journal:
        missing = missing_calls(journal)
        missing.record_answer(PROMPT)
        for number in range(3):
            fail_twice(missing, slot(number), requested=5)
        missing.check_share(of=6, requested=5)
        with pytest.raises(RunFailed, match=r"3 of 5 .*3 × server.*'server trouble'"):
            missing.check_share(of=5, requested=5)


async def test_a_prompt_without_an_answer_stops_the_run_whatever_the_share() -> None:
    async with Journal(MemoryStore()) as journal:
        missing = missing_calls(journal, max_missing=1.0)
        missing.record_answer(PROMPT)
        fail_twice(missing, slot(1, OTHER), requested=100)
        with pytest.raises(RunFailed, match="1 of 100"):
            _ = [rollout async for rollout in missing.finish(requested=100)]


@pytest.mark.parametrize(("fault", "error"), [("server", RunFailed), ("connection", ModelError)])
async def test_failures_before_any_answer_mean_a_dead_endpoint(fault: Fault, error: type[Exception]) -> None:
    async with Journal(MemoryStore()) as journal:
        missing = missing_calls(journal, max_missing=1.0)
        for number in range(2):
            missing.record_failure(slot(number), failed(slot(number), fault), requested=9)
        with pytest.raises(error, match="trouble"):
            missing.record_failure(slot(2), failed(slot(2), fault), requested=9)


async def test_slots_that_were_never_retried_count_when_nothing_was_answered() -> None:
    async with Journal(MemoryStore()) as journal:
        missing = missing_calls(journal, max_missing=1.0)
        missing.record_failure(slot(0), failed(slot(0)), requested=1)
        with pytest.raises(RunFailed, match="1 of 1"):
            _ = [rollout async for rollout in missing.finish(requested=1)]

"""Cells to rollouts: durable, deterministic, and honest about what failed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable

import pytest

from askwell.core.errors import ModelError, RunFailed, StoreError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Event, Example, Message, Prompt, Request, Rollout, Score
from askwell.engine.evaluator import Evaluator, Interrupted, Sampling
from askwell.engine.loop import begin
from askwell.engine.scores import scores_by_prompt
from askwell.runlog.codec import encode_prompt
from askwell.runlog.fold import read_rollouts, read_spend
from askwell.runlog.store import MemoryStore
from askwell.runlog.writer import Journal
from askwell.tasks.task import Task
from askwell.testing.fakes import FlakyModel, ScriptedModel

PROMPT = Prompt(instruction="Say it.")
OTHER = Prompt(instruction="Say it well.")


def render(prompt: Prompt, example: Example) -> tuple[Message, ...]:
    return (Message(role="user", content=f"{example.input}\n{prompt.instruction}"),)


def metric(reply: str, example: Example) -> Score:
    return Score(value=float(reply == example.target), answer=reply)


def task(n: int = 6) -> Task:
    examples = tuple(Example(id=f"e{i}", input=f"q{i}", target="yes" if i % 2 else "no") for i in range(n))
    return Task(name="t", splits={"dev": examples}, render=render, metric=metric)


def always(text: str) -> ScriptedModel:
    return ScriptedModel(lambda _: text)


async def collect(
    model: ChatModel,
    store: MemoryStore,
    *,
    n: int = 6,
    prompts: tuple[Prompt, ...] = (PROMPT,),
    concurrency: int = 4,
    max_missing: float = 0.0,
    draws: int = 1,
    each: Callable[[Evaluator, Rollout], None] | None = None,
) -> list[Rollout]:
    async with Journal(store) as journal:
        evaluator = Evaluator(
            task=task(n),
            target=model,
            journal=journal,
            sampling=Sampling(repeats=draws),
            concurrency=concurrency,
            max_missing=max_missing,
        )
        await begin(journal, header={"config": {}}, task=task(n))
        first = journal.reserve(len(prompts))
        await journal.write(
            *(Event(position=first + i, kind="prompt", body=encode_prompt(one)) for i, one in enumerate(prompts))
        )
        found: list[Rollout] = []
        async for rollout in evaluator.rollouts(evaluator.slots(prompts, split="dev", step=0)):
            found.append(rollout)
            if each is not None:
                each(evaluator, rollout)
        return found


def logged(store: MemoryStore) -> list[Rollout]:
    return list(read_rollouts(store))


async def test_every_cell_becomes_a_rollout_in_the_log_in_order() -> None:
    store = MemoryStore()
    found = await collect(always("yes"), store, prompts=(PROMPT, OTHER))
    assert len(found) == 12
    assert [(one.prompt, one.example_id) for one in logged(store)] == [
        (prompt, f"e{i}") for prompt in (PROMPT, OTHER) for i in range(6)
    ]
    assert [one.score.value for one in logged(store) if one.score] == [0.0, 1.0] * 6


async def test_a_rollout_is_in_the_log_before_it_is_seen() -> None:
    store = MemoryStore()
    seen: list[int] = []
    await collect(always("yes"), store, each=lambda _evaluator, _rollout: seen.append(len(logged(store))))
    assert all(in_log >= shown for shown, in_log in enumerate(seen, start=1))


class SlowDisk(MemoryStore):
    """Commits rollouts only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may_write = threading.Event()

    def append(self, events: Iterable[Event]) -> None:
        batch = list(events)
        if any(event.kind == "rollout" for event in batch):
            assert self.may_write.wait(10.0)
        super().append(batch)


async def test_requests_go_out_while_the_disk_is_busy_but_nothing_counts_before_it_is_written() -> None:
    store, model, seen = SlowDisk(), always("yes"), list[Rollout]()
    running = asyncio.create_task(
        collect(model, store, n=40, concurrency=3, each=lambda _, rollout: seen.append(rollout))
    )
    while len(model.requests) < 6:
        await asyncio.sleep(0.001)
    for _ in range(20):
        await asyncio.sleep(0)
    assert (len(model.requests), seen) == (6, [])  # twice the concurrency, and no more: memory stays bounded
    store.may_write.set()
    assert len(await running) == len(seen) == 40


async def test_equal_requests_wait_for_the_answer_to_be_written() -> None:
    store, model = SlowDisk(), always("yes")
    running = asyncio.create_task(collect(model, store, prompts=(PROMPT, PROMPT), concurrency=12))
    while len(model.requests) < 6:
        await asyncio.sleep(0.001)
    store.may_write.set()
    assert len(await running) == 12
    assert len(model.requests) == 6


class FullDisk(MemoryStore):
    """Takes ten rollouts."""

    def append(self, events: Iterable[Event]) -> None:
        batch = list(events)
        if sum(event.kind == "rollout" for event in (*self.events(), *batch)) > 10:
            raise StoreError("the disk is full")
        super().append(batch)


async def test_a_rollout_that_cannot_be_written_stops_the_run_and_is_never_seen() -> None:
    store, seen = FullDisk(), list[Rollout]()
    with pytest.raises(StoreError, match="full"):
        await collect(always("yes"), store, n=40, concurrency=3, each=lambda _, rollout: seen.append(rollout))
    assert len(seen) <= len(logged(store)) <= 10


@pytest.mark.parametrize("concurrency", [1, 3, 50])
async def test_no_more_calls_in_flight_than_allowed_and_no_fewer_than_possible(concurrency: int) -> None:
    flying = most = 0

    class Slow:
        name = "slow"

        async def complete(self, request: Request) -> Completion:
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            await asyncio.sleep(0.002)
            flying -= 1
            return Completion(text="yes")

        async def aclose(self) -> None:
            pass

    await collect(Slow(), MemoryStore(), n=40, concurrency=concurrency)
    assert most == min(concurrency, 40)


async def test_a_second_evaluation_over_the_same_log_asks_nothing() -> None:
    store = MemoryStore()
    first = always("yes")
    await collect(first, store)
    before = list(store.events())
    second = always("no")
    await collect(second, store)
    assert second.requests == []
    assert list(store.events()) == before


async def test_equal_requests_are_paid_for_once_even_at_the_same_time() -> None:
    store = MemoryStore()
    model = always("yes")
    await collect(model, store, prompts=(PROMPT, PROMPT), concurrency=12)
    assert len(model.requests) == 6
    assert read_spend(store)["target"].calls == 6
    assert len(logged(store)) == 12


async def test_the_draws_of_a_cell_are_asked_for_together() -> None:
    turns: list[set[str]] = []

    class Gathering(ScriptedModel):
        async def complete(self, request: Request) -> Completion:
            if request.sample_index == 0:
                turns.append(set())
            turns[-1].add(f"{request.messages[-1].content} {request.sample_index}")
            await asyncio.sleep(0)
            return await super().complete(request)

    found = await collect(Gathering(lambda _: "yes"), MemoryStore(), draws=3, concurrency=7)  # two cells at once
    assert len(found) == 18
    assert [len(turn) for turn in turns] == [3] * 6
    many = await collect(always("yes"), MemoryStore(), draws=9, concurrency=2)
    assert len(many) == 54


async def test_draws_are_separate_samples() -> None:
    model = always("yes")
    found = await collect(model, MemoryStore(), draws=3)
    assert sorted(request.sample_index for request in model.requests) == [0] * 6 + [1] * 6 + [2] * 6
    assert len(found) == 18


async def test_a_failed_cell_is_tried_again_and_then_scored() -> None:
    asked: dict[str, int] = {}

    def reply(request: Request) -> Completion:
        text = request.messages[0].content
        asked[text] = asked.get(text, 0) + 1
        if asked[text] == 1 and "q3" in text:
            return Completion(outcome="failed", fault="server", error="500 oops")
        return Completion(text="yes")

    store = MemoryStore()
    found = await collect(ScriptedModel(reply), store)
    assert all(one.score is not None for one in found)
    assert read_spend(store)["target"].failed == 0


def fails_for(query: str) -> ScriptedModel:
    def reply(request: Request) -> Completion:
        if query in request.messages[0].content:
            return Completion(outcome="failed", fault="server", error="500 oops")
        return Completion(text="yes")

    return ScriptedModel(reply)


async def test_a_cell_that_fails_for_good_is_missing_not_zero() -> None:
    store = MemoryStore()
    found = await collect(fails_for("q3"), store, max_missing=0.2)
    [missing] = [one for one in found if one.score is None]
    assert (missing.example_id, missing.completion.fault) == ("e3", "server")
    assert [one.example_id for one in logged(store) if one.score is None] == ["e3"]

    async def stream():
        for one in found:
            yield one

    scores = await scores_by_prompt(stream())
    assert "e3" not in scores[PROMPT]
    assert len(scores[PROMPT]) == 5


async def test_a_gap_left_by_one_evaluation_is_filled_by_the_next() -> None:
    store = MemoryStore()
    await collect(fails_for("q3"), store, max_missing=0.2)
    model = always("yes")
    again = await collect(model, store)
    assert len(model.requests) == 1
    assert all(one.score is not None for one in again)


async def test_a_prompt_without_a_single_answer_stops_the_run_whatever_may_be_missing() -> None:
    def reply(request: Request) -> Completion:
        if OTHER.instruction in request.messages[0].content:
            return Completion(outcome="failed", fault="server", error="500 oops")
        return Completion(text="yes")

    with pytest.raises(RunFailed, match="6 of 12"):
        await collect(ScriptedModel(reply), MemoryStore(), prompts=(PROMPT, OTHER), max_missing=1.0)


async def test_a_run_goes_on_where_only_the_second_of_two_equal_requests_was_answered() -> None:
    asked = 0

    def reply(_: Request) -> Completion:
        nonlocal asked
        asked += 1
        return Completion(outcome="failed", fault="server", error="oops") if asked == 1 else Completion(text="yes")

    def stop(evaluator: Evaluator, _: Rollout) -> None:
        evaluator.stopping = True

    store = MemoryStore()
    with pytest.raises(Interrupted):
        await collect(ScriptedModel(reply), store, n=1, prompts=(PROMPT, PROMPT), concurrency=2, each=stop)
    assert len(logged(store)) == 1
    model = always("no")
    await collect(model, store, n=1, prompts=(PROMPT, PROMPT), concurrency=1)
    assert model.requests == []
    assert [one.completion.text for one in logged(store)] == ["yes", "yes"]


async def test_too_many_missing_cells_stop_the_run_loudly_and_keep_what_was_paid_for() -> None:
    store = MemoryStore()
    with pytest.raises(RunFailed, match=r"1 of 6 target calls failed for good \(1 × server\).*500 oops"):
        await collect(fails_for("q3"), store, max_missing=0.1)
    assert len(logged(store)) == 5
    assert all(one.score is not None for one in logged(store))


async def test_a_dead_endpoint_stops_the_run_before_every_cell_was_tried() -> None:
    model = ScriptedModel(lambda _: Completion(outcome="failed", fault="connection", error="refused"))
    store = MemoryStore()
    with pytest.raises(ModelError, match="refused"):
        await collect(model, store, n=500, max_missing=1.0)
    assert len(model.requests) < 40
    assert logged(store) == []


async def test_an_authentication_fault_stops_at_once_with_the_providers_words() -> None:
    model = ScriptedModel(lambda _: Completion(outcome="failed", fault="auth", error="401: no such key"))
    with pytest.raises(ModelError, match="401: no such key"):
        await collect(model, MemoryStore(), n=100, max_missing=1.0, concurrency=3)
    assert len(model.requests) <= 3


async def test_bad_requests_before_any_answer_stop_with_the_providers_words() -> None:
    model = ScriptedModel(lambda _: Completion(outcome="failed", fault="bad_request", error="400: no such model"))
    with pytest.raises(ModelError, match="400: no such model"):
        await collect(model, MemoryStore(), n=100, max_missing=1.0, concurrency=3)
    assert len(model.requests) <= 13
    with pytest.raises(ModelError, match="400: no such model"):
        await collect(model, MemoryStore(), n=2, max_missing=1.0)


def rejects(*questions: str) -> ScriptedModel:
    failed = Completion(outcome="failed", fault="bad_request", error="400: too long")
    return ScriptedModel(
        lambda request: failed if request.messages[0].content.split()[0] in questions else Completion(text="yes")
    )


@pytest.mark.parametrize("question", ["q0", "q3", "q5"])
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_rejected_row_is_missing_under_every_prompt(question: str, concurrency: int) -> None:
    store = MemoryStore()
    found = await collect(rejects(question), store, prompts=(PROMPT, OTHER), concurrency=concurrency)
    assert [one.query for one in found if one.score is None] == [question] * 2
    assert len(found) == 12
    again = await collect(rejects(question), store, prompts=(PROMPT, OTHER), concurrency=concurrency)
    assert len(again) == 12


async def test_rejected_rows_above_the_share_stop_the_run_and_say_what_to_do() -> None:
    with pytest.raises(RunFailed, match=r"2 of 6 .*400: too long.*run\.max_missing"):
        await collect(rejects("q1", "q2"), MemoryStore(), max_missing=0.1)
    found = await collect(rejects("q1", "q2"), MemoryStore(), max_missing=0.2)
    assert sum(one.score is None for one in found) == 2


@pytest.mark.parametrize("outcome", ["truncated", "refused", "ok"])
async def test_what_the_model_did_is_scored_by_the_metric(outcome: str) -> None:
    model = ScriptedModel(lambda _: Completion(text="yes", outcome=outcome))  # type: ignore[arg-type]
    found = await collect(model, MemoryStore())
    assert [one.score.value for one in sorted(found, key=lambda one: one.example_id) if one.score] == [0.0, 1.0] * 3


async def test_stopping_finishes_what_is_in_flight_and_starts_nothing_more() -> None:
    store = MemoryStore()
    model = always("yes")

    def stop(evaluator: Evaluator, _: Rollout) -> None:
        evaluator.stopping = True

    with pytest.raises(Interrupted):
        await collect(model, store, n=100, concurrency=4, each=stop)
    assert len(logged(store)) == len(model.requests) < 100


async def test_the_log_does_not_depend_on_which_calls_fail_on_the_way() -> None:
    clean, faulty = MemoryStore(), MemoryStore()
    await collect(always("yes"), clean, n=60)
    flaky = FlakyModel(always("yes"), seed=3, rate=0.3)

    class Patient:
        name = "scripted"

        async def complete(self, request: Request) -> Completion:
            completion = await flaky.complete(request)
            while completion.outcome == "failed":
                completion = await flaky.complete(request)
            return completion

        async def aclose(self) -> None:
            pass

    await collect(Patient(), faulty, n=60)
    assert list(clean.events()) == list(faulty.events())

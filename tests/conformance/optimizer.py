"""The contract of `Optimizer`, as a class that the tests of every implementation inherit.

class TestMyOptimizer(OptimizerContract):
    @pytest.fixture
    def make(self) -> Make: ...
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from askwell.core.errors import ModelError, RunFailed
from askwell.core.event_loop import Stopper
from askwell.core.protocols import ChatModel, Optimizer, PromptRunner
from askwell.core.types import Completion, Event, Example, Fault, Prompt, Request, Rollout, Score, Split
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import OptimizeJob, TargetSide, encode_header
from askwell.engine.loop import LoopSettings
from askwell.models.bundled.editor import EditorModel
from askwell.models.request_key import request_key
from askwell.runlog.codec import decode_prompt
from askwell.runlog.fold import fold, read_result
from askwell.runlog.store import MemoryStore
from askwell.tasks.render import Placed
from askwell.tasks.task import Task
from askwell.testing.fakes import ScriptedModel

Make = Callable[[ChatModel, PromptRunner], Optimizer]
"""(optimizer model, prompt runner) -> an optimizer for `TASK`."""
STEPS = 3


def examples(split: Split, count: int, first: int) -> tuple[Example, ...]:
    return tuple(
        Example(id=f"{split}{i}", input=f"{first + i}, {7 * i % 20}, {3 * i + 1}, 12", target="yes")
        for i in range(count)
    )


TASK = Task(
    name="contract",
    splits={"train": examples("train", 10, 1000), "dev": examples("dev", 8, 2000), "test": examples("test", 6, 3000)},
    render=Placed(),
    metric=lambda reply, example: Score(value=float(reply == example.target)),
)


def answer(request: Request) -> str:
    """Answer more questions right, the more an instruction speaks of even numbers, or shows."""
    *shown, asked = [message.content for message in request.messages]
    question, _, instruction = asked.partition("\n")
    helped = sum(word in instruction for word in ("even", "Count", "numbers")) + len(shown) / 4
    return "yes" if random.Random(question).random() < 0.15 + 0.2 * helped else "no"


class Killed(Exception):
    """What a run dies of in these tests."""


class OptimizerContract:
    """Give `make` a fixture; set `asks_model` to False where the optimizer model is never asked."""

    asks_model = True

    @pytest.fixture
    def make(self) -> Make:
        raise NotImplementedError

    def test_a_step_proposes_no_prompt_twice_and_keeps_to_its_demand(self, make: Make) -> None:
        store = played(make)
        optimizer = make(ScriptedModel(()), no_target)
        for step, events in enumerate(by_step(store), 1):
            demand = optimizer.demand(step)
            proposed = proposals(events)
            assert len(set(proposed)) == len(proposed)
            assert len(proposed) <= max(1, demand.proposals)  # a step without any keeps the current prompt
            calls = [one for one in events if one.kind == "call" and not one.body.get("cached")]
            assert len(calls) <= demand.optimizer_calls
            train = [one for one in events if one.kind == "rollout" and one.body["split"] == "train"]
            assert len(train) <= demand.train_calls
            assert all(longest_reply(one) <= demand.reply_tokens for one in calls)
            assert all(len(prompt.demos) <= demand.demos for prompt in prompts(events))

    def test_the_same_seed_writes_the_same_log_and_another_seed_another(self, make: Make) -> None:
        first, second, other = (list(played(make, seed=seed).events()) for seed in (1, 1, 2))
        assert first == second
        assert (prompts(first) != prompts(other)) == self.asks_model

    def test_the_same_trajectory_and_seed_give_the_same_proposals(self, make: Make) -> None:
        history = fold(played(make)).trajectory

        async def propose() -> list[Prompt]:
            found = await make(EditorModel(), no_target).propose(history, seed=5)
            return [one.prompt for one in found]

        assert asyncio.run(propose()) == asyncio.run(propose())

    def test_dev_and_test_examples_are_never_shown(self, make: Make) -> None:
        optimizer = Tapped(EditorModel(), Tap())
        store = played(make, optimizer=optimizer)
        shown = "\n".join(message.content for request in optimizer.requests for message in request.messages)
        hidden = [example.input for split in ("dev", "test") for example in TASK.splits[split]]
        assert not [text for text in hidden if text in shown]
        assert bool(optimizer.requests) == self.asks_model
        train = {example.id for example in TASK.splits["train"]}
        demos = [demo.id for prompt in prompts(list(store.events())) for demo in prompt.demos]
        assert set(demos) <= train

    @pytest.mark.parametrize("share", [0.05, 0.3, 0.55, 0.8, 0.97])
    def test_a_killed_run_goes_on_from_its_log_and_pays_for_nothing_twice(self, make: Make, share: float) -> None:
        whole = played(make)
        paid = Counter(one.key for one in whole.events(kinds=["call", "rollout"]) if not one.body.get("cached"))
        tap = Tap(alive_for=max(1, int(share * sum(paid.values()))))
        store = MemoryStore()
        with pytest.raises(Killed):
            played(make, store=store, tap=tap)
        durable = {one.key for one in store.events(kinds=["call", "rollout"])}
        tap.revive()
        played(make, store=store, tap=tap)
        assert list(store.events()) == list(whole.events())
        assert not durable & set(tap.asked)

    def test_a_model_that_writes_no_prompt_leaves_the_initial_one(self, make: Make) -> None:
        store = played(make, optimizer=ScriptedModel(lambda _: "<START> <END>"))
        written = {one.prompt.instruction for one in fold(store).trajectory.candidates}
        assert written == {"Answer."} or not self.asks_model

    @pytest.mark.parametrize(
        ("fault", "error"), [("auth", ModelError), ("bad_request", ModelError), ("server", RunFailed)]
    )
    def test_a_model_that_fails_for_good_ends_the_run_with_its_words(
        self, make: Make, fault: Fault, error: type[Exception]
    ) -> None:
        if not self.asks_model:
            return
        failed = Completion(outcome="failed", fault=fault, error="no such key")
        with pytest.raises(error, match="no such key"):
            played(make, optimizer=ScriptedModel(lambda _: failed))

    def test_training_examples_that_got_no_answer_are_left_out(self, make: Make) -> None:
        def sometimes(request: Request) -> str | Completion:
            lost = any(f"{1000 + i}, " in request.messages[-1].content for i in (1, 4, 7))
            return Completion(outcome="failed", fault="server", error="500") if lost else answer(request)

        store = played(make, target=ScriptedModel(sometimes), max_missing=1.0)
        assert read_result(store) is not None


class Tap:
    """Counts calls of both models, notes their keys, and kills the run when its time has come."""

    def __init__(self, alive_for: float = float("inf")) -> None:
        self.alive_for = alive_for
        self.asked: list[str] = []

    def revive(self) -> None:
        self.alive_for = float("inf")
        self.asked.clear()


class Tapped:
    """A model on a tap; `requests` holds what it was asked."""

    def __init__(self, inner: ChatModel, tap: Tap) -> None:
        self.inner, self.tap = inner, tap
        self.name = inner.name
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        if len(self.tap.asked) >= self.tap.alive_for:
            raise Killed
        self.tap.asked.append(request_key(self.name, request))
        self.requests.append(request)
        return await self.inner.complete(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def played(
    make: Make,
    *,
    seed: int = 1,
    store: MemoryStore | None = None,
    target: ChatModel | None = None,
    optimizer: ChatModel | None = None,
    tap: Tap | None = None,
    max_missing: float = 0.0,
) -> MemoryStore:
    """Run the whole loop with the optimizer under test, on `TASK`."""
    store = store or MemoryStore()
    models = (target or ScriptedModel(answer, name="target"), optimizer or EditorModel())
    target, optimizer = (Tapped(model, tap) for model in models) if tap else models
    job = OptimizeJob(
        header=encode_header({}, seed=seed, settings=None),
        initial=[Prompt(instruction="Answer.")],
        side=TargetSide(
            task=TASK, model=target, sampling=Sampling(max_tokens=16), concurrency=4, max_missing=max_missing
        ),
        optimizer_model=optimizer,
        make_optimizer=make,
        settings=LoopSettings(steps=STEPS, seed=seed),
    )
    asyncio.run(job.execute(store, Stopper(), lambda _: None))
    return store


def by_step(store: MemoryStore) -> list[list[Event]]:
    """Cut a log into the steps after the first scoring: from one commit to the next."""
    steps: list[list[Event]] = [[]]
    for event in store.events():
        steps[-1].append(event)
        if event.kind == "step":
            steps.append([])
    return steps[1:-1]


def proposals(events: Sequence[Event]) -> list[str]:
    """Return the ids of the prompts that a step proposed."""
    found = next(one for one in events if one.kind == "proposals")
    return [str(one["prompt"]) for one in cast("list[dict[str, Any]]", found.body["proposals"])]


def prompts(events: Sequence[Event]) -> list[Prompt]:
    return [decode_prompt(event.body) for event in events if event.kind == "prompt"]


def longest_reply(call: Event) -> int:
    return cast("dict[str, int]", call.body["request"])["max_tokens"]


async def no_target(prompt: Prompt, examples: Sequence[Example], *, step: int, **_: object) -> list[Rollout]:
    """A runner whose every answer is wrong."""
    return [
        Rollout(
            step=step, split="train", prompt=prompt, example_id=example.id, query=example.input,
            completion=Completion(text="no"), score=Score(value=0.0),
        )
        for example in examples
    ]  # fmt: skip

"""The contract of `Optimizer`, checked on whole runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from askwell.core.errors import ModelError, RunFailed
from askwell.core.types import Completion, Event, Example, Fault, Prompt, Request, Rollout, Score
from askwell.models.bundled.editor import EditorModel
from askwell.runlog.codec import decode_prompt
from askwell.runlog.fold import fold, read_result
from askwell.runlog.store import MemoryStore
from askwell.testing.expect import raises
from askwell.testing.fakes import ScriptedModel
from askwell.testing.optimizer_run import (
    TASK,
    CallCounter,
    CountedModel,
    Killed,
    MakeOptimizer,
    answer_request,
    run_optimizer,
)


class OptimizerContract:
    """Inherit this class and give it a fixture `make_optimizer`, a function that makes an optimizer for `TASK`.

    Set `calls_model` to False if the optimizer never calls the optimizer model.
    """

    calls_model = True

    def test_a_step_proposes_no_prompt_twice_and_stays_within_its_demand(self, make_optimizer: MakeOptimizer) -> None:
        store = run_optimizer(make_optimizer)
        optimizer = make_optimizer(ScriptedModel(()), answer_wrong)
        for step, events in enumerate(by_step(store), 1):
            demand = optimizer.demand(step)
            proposed = proposed_ids(events)
            assert len(set(proposed)) == len(proposed)
            assert len(proposed) <= max(1, demand.proposals)  # a step without proposals keeps the current prompt
            calls = [event for event in events if event.kind == "call" and not event.body.get("cached")]
            assert len(calls) <= demand.optimizer_calls
            train = [event for event in events if event.kind == "rollout" and event.body["split"] == "train"]
            assert len(train) <= demand.train_calls
            assert all(max_reply_tokens(event) <= demand.reply_tokens for event in calls)
            assert all(len(prompt.demos) <= demand.demos for prompt in logged_prompts(events))

    def test_the_same_seed_writes_the_same_log_and_another_seed_another(self, make_optimizer: MakeOptimizer) -> None:
        first, second, other = (list(run_optimizer(make_optimizer, seed=seed).events()) for seed in (1, 1, 2))
        assert first == second
        assert (logged_prompts(first) != logged_prompts(other)) == self.calls_model

    def test_the_same_trajectory_and_seed_give_the_same_proposals(self, make_optimizer: MakeOptimizer) -> None:
        trajectory = fold(run_optimizer(make_optimizer)).trajectory

        def propose() -> list[Prompt]:
            optimizer = make_optimizer(EditorModel(), answer_wrong)
            return [proposal.prompt for proposal in asyncio.run(optimizer.propose(trajectory, seed=5))]

        assert propose() == propose()

    def test_dev_and_test_examples_are_never_shown(self, make_optimizer: MakeOptimizer) -> None:
        model = CountedModel(EditorModel(), CallCounter())
        store = run_optimizer(make_optimizer, optimizer=model)
        shown = "\n".join(message.content for request in model.requests for message in request.messages)
        hidden = [example.input for split in ("dev", "test") for example in TASK.splits[split]]
        assert not [text for text in hidden if text in shown]
        assert bool(model.requests) == self.calls_model
        train = {example.id for example in TASK.splits["train"]}
        demos = [demo.id for prompt in logged_prompts(list(store.events())) for demo in prompt.demos]
        assert set(demos) <= train

    def test_a_killed_run_resumes_from_its_log_and_repeats_no_paid_call(self, make_optimizer: MakeOptimizer) -> None:
        whole = run_optimizer(make_optimizer)
        paid = Counter(event.key for event in whole.events(kinds=["call", "rollout"]) if not event.body.get("cached"))
        for share in (0.05, 0.3, 0.55, 0.8, 0.97):
            counter = CallCounter(alive_for=max(1, int(share * sum(paid.values()))))
            store = MemoryStore()
            with raises(Killed):
                run_optimizer(make_optimizer, store=store, counter=counter)
            logged = {event.key for event in store.events(kinds=["call", "rollout"])}
            counter.revive()
            run_optimizer(make_optimizer, store=store, counter=counter)
            assert list(store.events()) == list(whole.events()), f"killed after {share:.0%} of the calls"
            assert not logged & set(counter.keys)

    def test_a_model_that_writes_no_prompt_leaves_the_initial_one(self, make_optimizer: MakeOptimizer) -> None:
        store = run_optimizer(make_optimizer, optimizer=ScriptedModel(lambda _: "<START> <END>"))
        written = {candidate.prompt.instruction for candidate in fold(store).trajectory.candidates}
        assert written == {"Answer."} or not self.calls_model

    def test_a_model_that_fails_for_good_ends_the_run_with_its_message(self, make_optimizer: MakeOptimizer) -> None:
        errors: dict[Fault, type[Exception]] = {"auth": ModelError, "bad_request": ModelError, "server": RunFailed}
        for fault, error in errors.items() if self.calls_model else ():
            failed = Completion(outcome="failed", fault=fault, error="no such key")
            model = ScriptedModel(lambda _, failed=failed: failed)
            with raises(error, "no such key"):
                run_optimizer(make_optimizer, optimizer=model)

    def test_training_examples_without_an_answer_are_left_out(self, make_optimizer: MakeOptimizer) -> None:
        def answer_most(request: Request) -> str | Completion:
            is_lost = any(f"{1000 + index}, " in request.messages[-1].content for index in (1, 4, 7))
            failed = Completion(outcome="failed", fault="server", error="500")
            return failed if is_lost else answer_request(request)

        store = run_optimizer(make_optimizer, target=ScriptedModel(answer_most), max_missing=1.0)
        assert read_result(store) is not None


def by_step(store: MemoryStore) -> list[list[Event]]:
    """Split a log into its steps, without the first scoring and what follows the last step."""
    steps: list[list[Event]] = [[]]
    for event in store.events():
        steps[-1].append(event)
        if event.kind == "step":
            steps.append([])
    return steps[1:-1]


def proposed_ids(events: Sequence[Event]) -> list[str]:
    """Return the ids of the prompts that a step proposed."""
    event = next(event for event in events if event.kind == "proposals")
    return [str(proposal["prompt"]) for proposal in cast("list[dict[str, Any]]", event.body["proposals"])]


def logged_prompts(events: Sequence[Event]) -> list[Prompt]:
    """Return the prompts in a part of a log."""
    return [decode_prompt(event.body) for event in events if event.kind == "prompt"]


def max_reply_tokens(call: Event) -> int:
    """Return the longest reply that a logged call requested."""
    return cast("dict[str, int]", call.body["request"])["max_tokens"]


async def answer_wrong(prompt: Prompt, examples: Sequence[Example], *, step: int, **_: object) -> list[Rollout]:
    """Run a prompt with a wrong answer to every example, as a `PromptRunner`."""
    return [
        Rollout(
            step=step, split="train", prompt=prompt, example_id=example.id, query=example.input,
            completion=Completion(text="no"), score=Score(value=0.0),
        )
        for example in examples
    ]  # fmt: skip

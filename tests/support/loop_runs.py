"""A small optimization: a task, models that answer from a script, and an optimizer that tries words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from askwell.core.protocols import ChatModel, Demand, Optimizer
from askwell.core.trajectory import Trajectory
from askwell.core.types import Completion, Example, Message, Prompt, Proposal, Request, Score, Split
from askwell.engine.evaluator import Evaluator, Sampling
from askwell.engine.loop import LoopSettings, begin, run
from askwell.runlog.store import MemoryStore
from askwell.runlog.writer import Journal, LoggedModel
from askwell.tasks.task import Task
from askwell.testing.fakes import ScriptedModel

WORDS = ["add", "count", "banana", "careful", "even", "please"]


def examples(split: Split, n: int) -> tuple[Example, ...]:
    return tuple(Example(id=f"{split}{i}", input=f"{split} {i}", target="yes") for i in range(n))


TASK = Task(
    name="t",
    splits={"train": examples("train", 4), "dev": examples("dev", 10), "test": examples("test", 12)},
    render=lambda prompt, example: (Message(role="user", content=f"{example.input}|{prompt.instruction}"),),
    metric=lambda reply, example: Score(value=float(reply == example.target)),
)


def answer(request: Request) -> str:
    """The more of three words an instruction holds, the more questions are answered right."""
    text = request.messages[0].content
    question, _, instruction = text.partition("|")
    luck = random.Random(question).random()
    return "yes" if luck < 0.1 + 0.25 * sum(word in instruction.split() for word in WORDS[:3]) else "no"


class WordSearch:
    """An optimizer that asks its model for words; enough to exercise the loop."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        requests = [
            Request(
                messages=(Message(role="user", content=trajectory.current.prompt.instruction),),
                seed=seed,
                sample_index=sample_index,
            )
            for sample_index in range(3)
        ]
        replies = await asyncio.gather(*[self.model.complete(request) for request in requests])
        found = dict.fromkeys(Prompt(instruction=reply.text) for reply in replies if reply.text)
        return [Proposal(prompt=prompt, parent=trajectory.current.prompt, origin="words") for prompt in found]

    def demand(self, step: int) -> Demand:
        return Demand(proposals=3, optimizer_calls=3)


def suggest(request: Request) -> str:
    rng = random.Random(f"{request.seed}/{request.sample_index}/{request.messages[0].content}")
    return " ".join(rng.sample(WORDS, 3))


class Spent(Exception):
    pass


async def play(
    store: MemoryStore,
    *,
    settings: LoopSettings | None = None,
    optimizer: Callable[[Request], str | Completion] = suggest,
    target: Callable[[Request], str | Completion] = answer,
    stop_after: int | None = None,
    seed_config: int = 0,
    search: Callable[[ChatModel], Optimizer] = WordSearch,
) -> Trajectory:
    """Run the loop; `stop_after` target calls it is asked to stop."""
    target_model, optimizer_model = ScriptedModel(target), ScriptedModel(optimizer)
    async with Journal(store) as journal:
        evaluator = Evaluator(
            task=TASK, target=target_model, journal=journal, sampling=Sampling(), concurrency=4, max_missing=0.0
        )
        await begin(journal, header={"config": {"seed": seed_config}}, task=TASK)

        def watch(_: object) -> None:
            if stop_after is not None and len(target_model.requests) >= stop_after:
                evaluator.stopping = True

        return await run(
            initial=[Prompt(instruction="think")],
            optimizer=search(LoggedModel(optimizer_model, journal, role="optimizer")),
            evaluator=evaluator,
            settings=settings or LoopSettings(steps=4),
            watch=watch,
        )

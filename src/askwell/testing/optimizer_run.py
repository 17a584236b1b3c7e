"""A whole optimization run on a small task, with models that count their calls and can stop the run."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from askwell.core.event_loop import Stopper
from askwell.core.protocols import ChatModel, Optimizer, PromptRunner
from askwell.core.types import Completion, Example, Prompt, Request, Score, Split
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import OptimizeJob, TargetSetup, encode_header
from askwell.engine.loop import LoopSettings
from askwell.models.bundled.editor import EditorModel
from askwell.models.request_key import request_key
from askwell.runlog.store import MemoryStore
from askwell.tasks.render import ChatRender
from askwell.tasks.task import Task
from askwell.testing.fakes import ScriptedModel

MakeOptimizer = Callable[[ChatModel, PromptRunner], Optimizer]
"""(optimizer model, prompt runner) -> an optimizer for `TASK`."""
STEPS = 3


def _examples(split: Split, count: int, first: int) -> tuple[Example, ...]:
    return tuple(
        Example(id=f"{split}{i}", input=f"{first + i}, {7 * i % 20}, {3 * i + 1}, 12", target="yes")
        for i in range(count)
    )


TASK = Task(
    name="contract",
    splits={
        "train": _examples("train", 10, 1000),
        "dev": _examples("dev", 8, 2000),
        "test": _examples("test", 6, 3000),
    },
    render=ChatRender(),
    metric=lambda reply, example: Score(value=float(reply == example.target)),
)


def answer_request(request: Request) -> str:
    """Answer right more often the more the instruction says about even numbers, and with demonstrations."""
    *shown, asked = [message.content for message in request.messages]
    question, _, instruction = asked.partition("\n")
    helped = sum(word in instruction for word in ("even", "Count", "numbers")) + len(shown) / 4
    return "yes" if random.Random(question).random() < 0.15 + 0.2 * helped else "no"


class Killed(Exception):
    """Ends a run as a kill of its process would."""


class CallCounter:
    """Record the keys of the calls of both models, and end the run with `Killed` after `alive_for` of them."""

    def __init__(self, alive_for: float = float("inf")) -> None:
        self.alive_for = alive_for
        self.keys: list[str] = []

    def revive(self) -> None:
        """Forget the recorded calls and end no run any more."""
        self.alive_for = float("inf")
        self.keys.clear()


class CountedModel:
    """A model whose calls are counted; `requests` holds them."""

    def __init__(self, inner: ChatModel, counter: CallCounter) -> None:
        self.inner, self.counter = inner, counter
        self.name = inner.name
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        if len(self.counter.keys) >= self.counter.alive_for:
            raise Killed
        self.counter.keys.append(request_key(self.name, request))
        self.requests.append(request)
        return await self.inner.complete(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def run_optimizer(
    make_optimizer: MakeOptimizer,
    *,
    seed: int = 1,
    store: MemoryStore | None = None,
    target: ChatModel | None = None,
    optimizer: ChatModel | None = None,
    counter: CallCounter | None = None,
    max_missing: float = 0.0,
) -> MemoryStore:
    """Run the whole loop with the optimizer under test on `TASK`, and return its log."""
    store = store or MemoryStore()
    models = (target or ScriptedModel(answer_request, name="target"), optimizer or EditorModel())
    target, optimizer = (CountedModel(model, counter) for model in models) if counter else models
    job = OptimizeJob(
        header=encode_header({}, seed=seed, settings=None),
        initial=[Prompt(instruction="Answer.")],
        target_setup=TargetSetup(
            task=TASK, model=target, sampling=Sampling(max_tokens=16), concurrency=4, max_missing=max_missing
        ),
        optimizer_model=optimizer,
        make_optimizer=make_optimizer,
        settings=LoopSettings(steps=STEPS, seed=seed),
    )
    asyncio.run(job.execute(store, Stopper(), lambda _: None))
    return store

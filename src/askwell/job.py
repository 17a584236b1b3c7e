"""A job is a run with every name turned into an object: what the library and the command line both end in."""

from __future__ import annotations

import platform
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import askwell
from askwell import batch_notes, views
from askwell.baselines.peers import SplitJudge
from askwell.blocking import Stopper
from askwell.budget import Capped, Caps, Purse
from askwell.errors import ConfigError
from askwell.evaluation import Evaluator, Sampling, scores_by_prompt, watched
from askwell.feed import Cell
from askwell.journal import Journal, Journaled
from askwell.learnt import remember
from askwell.loop import LoopSettings, Optimizer, Progress, Watch, begin, run
from askwell.models.base import ChatModel
from askwell.models.parts import parts_of
from askwell.race import RaceSettings
from askwell.store import RunStore
from askwell.tasks.base import Task
from askwell.trajectory import Trajectory
from askwell.types import Example, Prompt, Rollout, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSide:
    """The task, the model that answers it, and how it is asked."""

    task: Task
    model: ChatModel
    sampling: Sampling = field(default_factory=Sampling)
    concurrency: int = 16
    max_missing: float = 0.02

    def evaluator(self, journal: Journal, purse: Purse | None = None) -> Evaluator:
        return Evaluator(
            task=self.task,
            target=self.model if purse is None else Capped(self.model, purse),
            journal=journal,
            sampling=self.sampling,
            concurrency=self.concurrency,
            max_missing=self.max_missing,
            purse=purse,
        )

    @property
    def test_calls(self) -> int:
        """Calls that the final test of the initial prompt and the winner takes."""
        return 2 * len(self.task.splits.get("test", ())) * self.sampling.repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run whose log is open, whose settings and data are those it was begun with, and whose models may be called."""

    journal: Journal
    purse: Purse
    evaluator: Evaluator


@asynccontextmanager
async def open_run(
    store: RunStore,
    stopper: Stopper,
    *,
    header: Mapping[str, object],
    side: TargetSide,
    optimizer_model: ChatModel | None = None,
    caps: Caps | None = None,
    keep_back: int = 0,
) -> AsyncGenerator[OpenRun]:
    """Open a new or begun run over this store: the preamble of every job. Closes the log, then the models.

    Without `caps` no target call asks the budget. `keep_back` calls of it are kept for the final test. What the log
    knows of the models' servers (parameters they refuse, batches under way) is handed to the models. Ctrl-C stops the
    evaluator in order. Raises `StoreError` where the run was begun with other settings or data, `ConfigError` where its
    batches would be paid for again.
    """
    models = [side.model] if optimizer_model is None else [side.model, optimizer_model]
    async with AsyncExitStack() as stack:
        for model in models:
            stack.push_async_callback(model.aclose)
        journal = await stack.enter_async_context(Journal(store))
        purse = Purse(
            caps or Caps(),
            spent=views.summed(store.usage()).values(),
            keep_back=keep_back,
            reckon_ahead=parts_of(side.model).batches is not None,
        )
        evaluator = _stoppable(side.evaluator(journal, None if caps is None else purse), stopper)
        await begin(journal, header=header, task=side.task)
        for model in models:
            remember(journal, model)
        await _remember_batches(side.model, journal, stopper, stack)
        yield OpenRun(journal=journal, purse=purse, evaluator=evaluator)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizeJob:
    """One optimization: where it starts, who proposes, who answers, when to stop."""

    header: Mapping[str, object]
    """Body of the run's first event; see `header_body`."""
    initial: Sequence[Prompt]
    side: TargetSide
    optimizer_model: ChatModel
    make_optimizer: Callable[[ChatModel, SplitJudge], Optimizer]
    """Given the optimizer model (logged) and a judge for reflections, returns who proposes."""
    settings: LoopSettings = field(default_factory=LoopSettings)
    racing: RaceSettings | None = None
    """How a step's candidates are scored on dev; None scores all of them on all of it."""
    caps: Caps = field(default_factory=Caps)

    async def execute(self, store: RunStore, stopper: Stopper, watch: Watch) -> Trajectory:
        """Run to the end over this store, whatever it already holds. Raises `ConfigError` for a cap that can't do."""
        self._check_caps()
        async with open_run(
            store, stopper, header=self.header, side=self.side, optimizer_model=self.optimizer_model, caps=self.caps,
            keep_back=self.side.test_calls,
        ) as opened:  # fmt: skip
            model = Journaled(Capped(self.optimizer_model, opened.purse), opened.journal, role="optimizer")
            return await run(
                initial=self.initial,
                optimizer=self.make_optimizer(model, _judge(opened.evaluator)),
                evaluator=opened.evaluator,
                settings=self.settings,
                racing=self.racing,
                watch=watch,
            )

    def _check_caps(self) -> None:
        side = self.side
        first = len(self.initial) * len(side.task.splits["dev"]) * side.sampling.repeats
        if self.caps.max_calls is not None and self.caps.max_calls < first + side.test_calls:
            raise ConfigError(
                f"max_calls = {self.caps.max_calls} is too few: scoring the initial prompt takes {first} calls and the "
                f"final test {side.test_calls}; allow more, or use fewer examples"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateJob:
    """Score some prompts on one set of examples (the task's test split)."""

    header: Mapping[str, object]
    prompts: Sequence[Prompt]
    side: TargetSide

    async def execute(self, store: RunStore, stopper: Stopper, watch: Watch) -> dict[Prompt, dict[str, float]]:
        """Return prompt -> example id -> score; what the store already holds costs nothing."""
        async with open_run(store, stopper, header=self.header, side=self.side) as opened:
            journal, evaluator = opened.journal, opened.evaluator
            await journal.write(*journal.prompt_events(self.prompts))
            cells = evaluator.cells(list(self.prompts), split="test", step=0)
            rollouts = watched(evaluator.rollouts(cells), lambda: watch(_evaluating(evaluator, cells)))
            return await scores_by_prompt(rollouts)


def header_body(config: Mapping[str, object], *, seed: int, settings: Mapping[str, object] | None) -> dict[str, object]:
    """Spell a run's first event. `config` decides what the run finds; `settings` (if any) can rebuild it by name."""
    return {
        "format": 1,
        "config": dict(config),
        "seed": seed,
        "settings": None if settings is None else dict(settings),
        "versions": {"askwell": askwell.__version__, "python": platform.python_version()},
    }


def _stoppable(evaluator: Evaluator, stopper: Stopper) -> Evaluator:
    """Let Ctrl-C stop this evaluator in order."""

    def stop() -> None:
        evaluator.stopping = True

    stopper.on_stop = stop
    return evaluator


async def _remember_batches(model: ChatModel, journal: Journal, stopper: Stopper, stack: AsyncExitStack) -> None:
    """Keep a model's batches, if it is asked in any, in the run's log; Ctrl-C waits for none of them."""
    batches = batch_notes.attach(model, journal)
    if batches is None:
        return
    stack.push_async_callback(batches.settle)
    finish = stopper.on_stop

    def stop() -> None:
        finish()
        batches.stop()

    stopper.on_stop = stop


def _judge(evaluator: Evaluator) -> SplitJudge:
    """Try a prompt on training examples, through the same log, cache and failure rules as everything else."""

    async def judge(
        prompt: Prompt,
        examples: Sequence[Example],
        *,
        step: int,
        split: Split = "train",
        temperature: float | None = None,
        draw: int = 0,
    ) -> list[Rollout]:
        journal = evaluator.journal
        texts = journal.prompt_events(journal.untold([prompt]))
        first = journal.reserve(len(examples))  # before the first await: places follow the order of the calls
        await journal.write(*texts)
        cells = [
            Cell(
                position=first + index,
                step=step,
                split=split,
                prompt=prompt,
                example=example,
                draw=draw,
                temperature=temperature,
            )
            for index, example in enumerate(examples)
        ]
        found = {rollout.example_id: rollout async for rollout in evaluator.rollouts(cells)}
        return [found[example.id] for example in examples]

    return judge


def _evaluating(evaluator: Evaluator, cells: Sequence[Cell]) -> Progress:
    return Progress(
        step=0,
        steps=0,
        stage="evaluating",
        cells_done=evaluator.done,
        cells_total=len(cells),
        trajectory=Trajectory(),
    )

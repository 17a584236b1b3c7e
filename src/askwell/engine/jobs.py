"""Jobs: runs in which every name is resolved to an object. The Python API and the command line both build them."""

from __future__ import annotations

import platform
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace

from askwell.core.errors import ConfigError, StoreError
from askwell.core.event_loop import Stopper
from askwell.core.protocols import ChatModel, Optimizer, PromptRunner
from askwell.core.trajectory import Trajectory
from askwell.core.types import Example, Prompt, Rollout, Split
from askwell.core.version import __version__
from askwell.engine.budget import BudgetLimited, BudgetTracker, Caps
from askwell.engine.evaluator import Evaluator, Sampling
from askwell.engine.grading import check_grades
from askwell.engine.loop import LoopSettings, begin, run
from askwell.engine.preflight import ModelCheck, check_model
from askwell.engine.progress import Progress, Watch, with_progress
from askwell.engine.race import RaceSettings
from askwell.engine.replies.repeats import choose_again
from askwell.engine.rollout_queue import RolloutSlot
from askwell.engine.scores import scores_by_prompt
from askwell.models.parts import parts_of
from askwell.runlog import batches
from askwell.runlog.codec import FORMAT
from askwell.runlog.fold import read_header, read_result, read_spend
from askwell.runlog.server_quirks import remember
from askwell.runlog.store import RunStore
from askwell.runlog.writer import Journal, LoggedModel
from askwell.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSetup:
    """The task, the target model that answers it, and how that model is called."""

    task: Task
    model: ChatModel
    sampling: Sampling = field(default_factory=Sampling)
    concurrency: int = 16
    max_missing: float = 0.02

    def evaluator(self, journal: Journal, budget: BudgetTracker | None = None) -> Evaluator:
        return Evaluator(
            task=self.task,
            target=self.model if budget is None else BudgetLimited(self.model, budget),
            journal=journal,
            sampling=self.sampling,
            concurrency=self.concurrency,
            max_missing=self.max_missing,
            budget=budget,
        )

    @property
    def test_calls(self) -> int:
        """Calls of the final test, which runs the initial prompt and the winner."""
        return 2 * len(self.task.splits.get("test", ())) * self.sampling.repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run with an open log, with the settings and data that it began with, and with models ready for calls."""

    journal: Journal
    budget: BudgetTracker
    evaluator: Evaluator


@asynccontextmanager
async def open_run(
    store: RunStore,
    stopper: Stopper,
    *,
    header: Mapping[str, object],
    target_setup: TargetSetup,
    optimizer_model: ChatModel | None = None,
    caps: Caps | None = None,
    reserve: int = 0,
) -> AsyncGenerator[OpenRun]:
    """Open a new or begun run over this store, as every job does first. Closes the log, then the models.

    Without `caps` the target's calls are not limited. `reserve` calls are kept for the final test. The models receive
    what the log holds about their servers (refused parameters, open batches). Ctrl-C stops the evaluator after the
    calls in flight. Raises `StoreError` if the run began with other settings or data, `ConfigError` if its batches
    would be paid for again.
    """
    models = [target_setup.model] if optimizer_model is None else [target_setup.model, optimizer_model]
    async with AsyncExitStack() as stack:
        for model in models:
            stack.push_async_callback(model.aclose)
        journal = await stack.enter_async_context(Journal(store))
        budget = BudgetTracker(
            caps or Caps(),
            spent=read_spend(store).values(),
            reserve=reserve,
            count_in_flight=parts_of(target_setup.model).batches is not None,
        )
        evaluator = _stoppable(target_setup.evaluator(journal, None if caps is None else budget), stopper)
        await begin(journal, header=header, task=target_setup.task)
        for model in models:
            remember(journal, model)
        await _remember_batches(target_setup.model, journal, stopper, stack)
        yield OpenRun(journal=journal, budget=budget, evaluator=evaluator)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizeJob:
    """One optimization: initial prompts, optimizer, target, and when to stop."""

    header: Mapping[str, object]
    """Body of the run's first event; see `header_body`."""
    initial: Sequence[Prompt]
    target_setup: TargetSetup
    optimizer_model: ChatModel
    make_optimizer: Callable[[ChatModel, PromptRunner], Optimizer]
    """Builds the optimizer from the optimizer model (its calls are logged) and a runner for training examples."""
    settings: LoopSettings = field(default_factory=LoopSettings)
    racing: RaceSettings | None = None
    """How a step's candidates are scored on dev; None scores all of them on all of it."""
    caps: Caps = field(default_factory=Caps)
    checks: Sequence[ModelCheck] = ()
    """The models that get one cheap call before anything else is paid for."""
    force: bool = False
    """Go on although most replies to the initial prompt cannot be scored."""
    has_own_metric: bool = False
    """Whether the metric is a function, which may have changed under the same name since the run was logged."""

    async def execute(self, store: RunStore, stopper: Stopper, watch: Watch) -> Trajectory:
        """Run to the end over this store, new or partly filled. Raises `ConfigError` if a cap is too low."""
        self._check_caps()
        async with open_run(
            store,
            stopper,
            header=self.header,
            target_setup=self.target_setup,
            optimizer_model=self.optimizer_model,
            caps=self.caps,
            reserve=self.target_setup.test_calls,
        ) as opened:
            if self.has_own_metric:
                check_grades(store, self.target_setup.task)
            if read_result(store) is not None:
                check_function(store, self.header)
            await self._check_models(opened)
            model = LoggedModel(BudgetLimited(self.optimizer_model, opened.budget), opened.journal, role="optimizer")
            return await run(
                initial=self.initial,
                optimizer=self.make_optimizer(model, _prompt_runner(opened.evaluator)),
                evaluator=opened.evaluator,
                settings=self.settings,
                racing=self.racing,
                watch=watch,
                force=self.force,
            )

    async def _check_models(self, opened: OpenRun) -> None:
        for check in self.checks:
            model = self.optimizer_model if check.role == "optimizer" else self.target_setup.model
            await check_model(BudgetLimited(model, opened.budget), check, opened.journal)

    def _check_caps(self) -> None:
        target_setup = self.target_setup
        first = len(self.initial) * len(target_setup.task.splits["dev"]) * target_setup.sampling.repeats
        needed = len(self.checks) + first + target_setup.test_calls
        if self.caps.max_calls is not None and self.caps.max_calls < needed:
            checks = f", and the check of the models {len(self.checks)}" if self.checks else ""
            raise ConfigError(
                f"max_calls = {self.caps.max_calls} is too few: scoring the initial prompt takes {first} calls and the "
                f"final test {target_setup.test_calls}{checks}; allow {needed} or more, or use fewer examples"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateJob:
    """Score some prompts on one set of examples (the task's test split)."""

    header: Mapping[str, object]
    prompts: Sequence[Prompt]
    target_setup: TargetSetup
    ask_twice: int = 0
    """Questions that are asked a second time, as one more sample of each: whether the server repeats its replies."""
    has_own_metric: bool = False
    """As for `OptimizeJob`."""

    async def execute(self, store: RunStore, stopper: Stopper, watch: Watch) -> dict[Prompt, dict[str, float]]:
        """Return prompt -> example id -> score; calls that the store already holds cost nothing."""
        async with open_run(store, stopper, header=self.header, target_setup=self.target_setup) as opened:
            journal, evaluator = opened.journal, opened.evaluator
            if self.has_own_metric:
                check_grades(store, self.target_setup.task)
            if self._is_complete(store):
                check_function(store, self.header)
            await journal.write(*journal.prompt_events(self.prompts))
            slots = evaluator.slots(list(self.prompts), split="test", step=0)
            again = self._slots_again(journal, slots)
            total = len(slots) + len(again)
            rollouts = _rollouts_in_turn(evaluator, [slots, again])
            return await scores_by_prompt(with_progress(rollouts, lambda: watch(_progress(evaluator, total))))

    def _slots_again(self, journal: Journal, slots: Sequence[RolloutSlot]) -> list[RolloutSlot]:
        chosen = choose_again(slots, self.ask_twice) if self.ask_twice else []
        first = journal.reserve(len(chosen))
        sample_index = self.target_setup.sampling.repeats
        return [replace(slot, position=first + index, sample_index=sample_index) for index, slot in enumerate(chosen)]

    def _is_complete(self, store: RunStore) -> bool:
        setup = self.target_setup
        calls = len(self.prompts) * len(setup.task.splits["test"]) * setup.sampling.repeats
        return sum(row.score is not None for row in store.rollout_rows()) >= calls


def encode_header(
    config: Mapping[str, object], *, seed: int, settings: Mapping[str, object] | None, target_code: str = ""
) -> dict[str, object]:
    """Encode a run's first event. `config` determines the results; `settings` (if any) can rebuild the job by name.

    `target_code` is the digest of a target function's code.
    """
    return {
        **({"target_code": target_code} if target_code else {}),
        "format": FORMAT,
        "config": dict(config),
        "seed": seed,
        "settings": None if settings is None else dict(settings),
        "versions": {"askwell": __version__, "python": platform.python_version()},
    }


def check_function(store: RunStore, header: Mapping[str, object]) -> None:
    """Raise `StoreError` if a finished run's target is a function that has changed under the same name.

    An unfinished run may go on with a repaired function.
    """
    before, now = (str(body.get("target_code", "")) for body in (read_header(store), header))
    # The digests of two Python versions differ for the same function.
    is_comparable = before.partition(":")[0] == now.partition(":")[0]
    if is_comparable and before != now:
        raise StoreError(
            "the run is finished, and its target was another function of the same name: the stored replies are not "
            "those of this function; name a new run, or give the function as it was"
        )


def _stoppable(evaluator: Evaluator, stopper: Stopper) -> Evaluator:
    """Make Ctrl-C stop this evaluator after the calls in flight."""

    def stop() -> None:
        evaluator.stopping = True

    stopper.on_stop = stop
    return evaluator


async def _remember_batches(model: ChatModel, journal: Journal, stopper: Stopper, stack: AsyncExitStack) -> None:
    """Record a model's provider batches (if it uses any) in the run's log; Ctrl-C doesn't wait for them."""
    batched = batches.attach(model, journal)
    if batched is None:
        return
    stack.push_async_callback(batched.drain)
    finish = stopper.on_stop

    def stop() -> None:
        finish()
        batched.stop()

    stopper.on_stop = stop


def _prompt_runner(evaluator: Evaluator) -> PromptRunner:
    """Return a runner that shares the evaluator's log, budget and failure rules."""

    async def run_prompt(
        prompt: Prompt,
        examples: Sequence[Example],
        *,
        step: int,
        split: Split = "train",
        temperature: float | None = None,
        sample_index: int = 0,
    ) -> list[Rollout]:
        journal = evaluator.journal
        texts = journal.prompt_events(journal.unlogged_prompts([prompt]))
        # Before the first await: positions then follow the order of the calls, even if several runners wait at once.
        first = journal.reserve(len(examples))
        await journal.write(*texts)
        slots = [
            RolloutSlot(
                position=first + index,
                step=step,
                split=split,
                prompt=prompt,
                example=example,
                sample_index=sample_index,
                temperature=temperature,
            )
            for index, example in enumerate(examples)
        ]
        by_example = {rollout.example_id: rollout async for rollout in evaluator.rollouts(slots)}
        return [by_example[example.id] for example in examples]

    return run_prompt


async def _rollouts_in_turn(
    evaluator: Evaluator, parts: Sequence[Sequence[RolloutSlot]]
) -> AsyncGenerator[Rollout, None]:
    """Run one list of slots after the other: a repeat shows noise only among other requests than the first time."""
    for part in filter(None, parts):
        async with aclosing(evaluator.rollouts(part)) as rollouts:
            async for rollout in rollouts:
                yield rollout


def _progress(evaluator: Evaluator, total: int) -> Progress:
    return Progress(
        step=0,
        steps=0,
        stage="evaluating",
        rollouts_done=evaluator.done,
        rollouts_total=total,
        trajectory=Trajectory(),
    )

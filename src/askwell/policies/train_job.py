"""A training job: measure headroom, run the loops if they are worth it, test once, save the policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from askwell.core.errors import ConfigError, DataError
from askwell.core.event_loop import Stopper
from askwell.core.protocols import Policy
from askwell.core.stats import format_interval
from askwell.core.text import quote_start
from askwell.core.types import Event, Example, Prompt
from askwell.engine.budget import Caps
from askwell.engine.jobs import OpenRun, TargetSetup, open_run
from askwell.policies.checkpoints import WriterCheckpoints
from askwell.policies.data.outcomes import PairOutcomes
from askwell.policies.data.table import build_table, find_baseline
from askwell.policies.data.training_queries import write_training_queries
from askwell.policies.fixed import FixedPolicy
from askwell.policies.labelling import Show
from askwell.policies.loop_records import (
    read_chosen,
)
from askwell.policies.multi_loop import LoopsResult, MultiLoop
from askwell.policies.offline_eval.train_or_not import advise_training
from askwell.policies.protocols import PromptWriter, Trainer
from askwell.policies.query_splits import QuerySplits, SplitShares, split_queries
from askwell.policies.saved_policy import load_policy, save_policy
from askwell.policies.settings import LoopsSettings
from askwell.policies.training_figures import Figures, encode_figures, read_figures
from askwell.runlog.codec import encode_prompt
from askwell.runlog.fold import read_result
from askwell.runlog.folders import LOOPS, POLICY
from askwell.runlog.store import RunStore
from askwell.runlog.writer import Journal

FIT = "fit"
"""Folder beside the loops' writers: the state of a fit on several processes, while it runs."""

TrainerFactory = Callable[[Path, Callable[[], bool], Show], Trainer]
"""Makes a run's trainer from the folder of its state, a function that says whether the run must stop, and a display."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A trained policy with its measurements."""

    policy: Policy
    figures: Figures

    def __repr__(self) -> str:
        if self.figures.keeps_baseline:
            return f"<Trained: keeps the baseline prompt {quote_start(self.figures.baseline.instruction)}>"
        tested = self.figures.tested
        gain = "not tested" if tested is None else f"gain {format_interval(tested.gain, signed=True)}"
        return f"<Trained: the policy of loop {self.figures.best_loop}, {gain}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """One training: logged outcomes, target, trainer and settings."""

    header: Mapping[str, object]
    """Body of the run's first event. Its config has a digest of the outcomes, so that a resumed run has the same."""
    outcomes: PairOutcomes
    target_setup: TargetSetup
    make_trainer: TrainerFactory
    read_writer: Callable[[Path], PromptWriter]
    settings: LoopsSettings = field(default_factory=LoopsSettings)
    shares: SplitShares = field(default_factory=SplitShares)
    shots: int = 0
    """Demonstrations in every prompt, from the task's train split."""
    force: bool = False
    """Train even if headroom shows no gain."""
    caps: Caps = field(default_factory=Caps)

    async def execute(self, store: RunStore, folder: Path, stopper: Stopper, show: Show) -> Trained:
        """Run or resume the training in this store and folder."""
        demos = self._demos()
        splits = split_queries(
            self.outcomes,
            {
                name: [example for example in examples if example not in demos]
                for name, examples in self.target_setup.task.splits.items()
            },
            shares=self.shares,
            seed=self.settings.seed,
        )
        self._check_caps(splits)
        async with open_run(
            store, stopper, header=self.header, target_setup=self.target_setup, caps=self.caps,
            reserve=2 * len(splits.test) * self.target_setup.sampling.repeats,
        ) as opened:  # fmt: skip
            journal = opened.journal
            if read_result(store) is not None:
                return read_trained(store, folder, read_writer=self.read_writer)
            figures = await self._measure_headroom(journal, splits, show)
            policy: Policy = FixedPolicy(prompt=figures.baseline)
            if figures.is_worthwhile or self.force:
                loops = await self._multi_loop(splits, figures.baseline, opened, folder, show).run()
                policy, figures = loops.policy, _add_loops(figures, loops)
            save_policy(policy, folder / POLICY)
            write_training_queries(folder / POLICY, self._training_queries(store, splits))
            await journal.write(Event(position=journal.reserve(), kind="result", body=encode_figures(figures)))
        return Trained(policy=policy, figures=figures)

    async def _measure_headroom(self, journal: Journal, splits: QuerySplits, show: Show) -> Figures:
        """Measure and log headroom, which decides whether the loops run."""
        show("measuring headroom", 0, 0)
        logged = PairOutcomes(pairs=(*splits.train.pairs, *splits.dev.pairs))
        table = build_table(logged)  # all but the test split: a weaker baseline prompt would flatter the policy
        try:
            advice = advise_training(table, seed=self.settings.seed)
            is_worthwhile, verdict = advice.is_worthwhile, advice.verdict
        except DataError as error:
            is_worthwhile, verdict = False, f"Not shown: headroom can't be measured: {error}."
        baseline = Prompt(instruction=table.prompts[find_baseline(table)], demos=self._demos())
        body = {"verdict": verdict, "worth_it": is_worthwhile, "static": encode_prompt(baseline)}
        await journal.write(Event(position=journal.reserve(), kind="note", body=body))
        return Figures(
            verdict=verdict,
            is_worthwhile=is_worthwhile,
            baseline=baseline,
            finished=True,
            reason="one prompt is enough: nothing was trained",
        )

    def _multi_loop(
        self,
        splits: QuerySplits,
        baseline: Prompt,
        opened: OpenRun,
        folder: Path,
        show: Show,
    ) -> MultiLoop:
        max_calls = self.caps.max_calls

        def calls_left() -> float:
            return float("inf") if max_calls is None else max_calls - opened.budget.calls - opened.budget.reserve

        return MultiLoop(
            splits=splits,
            baseline=baseline,
            trainer=self.make_trainer(folder / LOOPS / FIT, lambda: opened.evaluator.stopping, show),
            evaluator=opened.evaluator,
            settings=self.settings,
            checkpoints=WriterCheckpoints(folder=folder / LOOPS, read_writer=self.read_writer),
            calls_left=calls_left,
            show=show,
        )

    def _training_queries(self, store: RunStore, splits: QuerySplits) -> list[str]:
        """Return all logged queries and all queries of the loops, without those of the test."""
        queries = {example.id: example.input for example in (*splits.dev_examples, *splits.collection)}
        chosen = read_chosen(store).values()
        labelled = [queries[example_id] for pairs in chosen if pairs.purpose != "test" for example_id, _ in pairs.pairs]
        return [*self.outcomes.queries, *labelled]

    def _demos(self) -> tuple[Example, ...]:
        train = self.target_setup.task.splits.get("train", ())
        if self.shots > len(train):
            raise ConfigError(f"shots={self.shots!r}, but the train split has {len(train)} examples; ask for fewer")
        return tuple(train[: self.shots])

    def _check_caps(self, splits: QuerySplits) -> None:
        """Raise `ConfigError` if the cap allows less than the first dev comparisons and the test."""
        repeats = self.target_setup.sampling.repeats
        test = 2 * len(splits.test) * repeats
        # The baseline prompt, the first writer, and the selector if there is one, each on all dev examples.
        dev = (2 + self.settings.selector_first) * len(splits.dev_examples) * repeats
        if self.caps.max_calls is not None and self.caps.max_calls < test + dev:
            raise ConfigError(
                f"max_calls = {self.caps.max_calls} is too few: the first dev comparisons take {dev} calls and "
                f"the final test {test}; allow {test + dev} or more, or use fewer examples"
            )


def read_trained(store: RunStore, folder: Path, *, read_writer: Callable[[Path], PromptWriter]) -> Trained:
    """Read a finished training from its log and folder. Raises `DataError` if it is not finished."""
    figures = read_figures(store)
    if figures is None or not figures.finished:
        raise DataError(f"{str(folder)!r} holds no finished training; run askwell train again to continue it")
    return Trained(policy=load_policy(folder / POLICY, read_writer=read_writer), figures=figures)


def _add_loops(figures: Figures, result: LoopsResult) -> Figures:
    return replace(
        figures,
        loops=result.loops,
        best_loop=result.best_loop,
        tested=result.tested,
        keeps_baseline=isinstance(result.policy, FixedPolicy),
        reason=result.reason,
    )

"""A training job: logged outcomes in, headroom first, loops where it is worth it, one test, a policy folder out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from askwell.core.errors import ConfigError, DataError
from askwell.core.event_loop import Stopper
from askwell.core.protocols import Policy
from askwell.core.types import Event, Example, Prompt, Split
from askwell.engine.budget import Caps
from askwell.engine.jobs import OpenRun, TargetSetup, open_run
from askwell.policies.checkpoints import WriterCheckpoints
from askwell.policies.data.outcomes import PairOutcomes
from askwell.policies.data.table import build_table, find_baseline
from askwell.policies.data.training_queries import write_training_queries
from askwell.policies.fixed import FixedPolicy
from askwell.policies.guarded import load_policy, save_policy
from askwell.policies.labelling import Show
from askwell.policies.loop_records import LoopResult, decode_chosen, decode_interval, decode_loops, encode_interval
from askwell.policies.multi_loop import LoopsResult, MultiLoop, Tested
from askwell.policies.offline_eval.train_or_not import advise_training
from askwell.policies.protocols import Trainer, Writer
from askwell.policies.query_splits import QuerySplits, SplitShares, split_queries
from askwell.policies.settings import LoopsSettings
from askwell.runlog.codec import Body, decode_prompt, encode_prompt
from askwell.runlog.fold import read_result
from askwell.runlog.folders import LOOPS, POLICY
from askwell.runlog.store import RunStore
from askwell.runlog.writer import Journal

FIT = "fit"
"""Beside the loops' writers: the state of a fit on several processes, while it runs."""

TrainerFactory = Callable[[Path, Callable[[], bool], Show], Trainer]
"""Makes the trainer of a run, from a folder for its state, whether the run is to stop, and a display."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a training measured; of one that is still on, what it has measured so far."""

    verdict: str
    """Headroom's closing sentence."""
    is_worthwhile: bool
    baseline: Prompt
    """The best single prompt of all logged queries (dev ones among them, test ones not)."""
    loops: tuple[LoopResult, ...] = ()
    best_loop: int = 0
    """Whose policy is deployed; 0 chooses among the logged prompts (or nothing was tried)."""
    tested: Tested | None = None
    """None where the static prompt was kept, or there is no test split."""
    keeps_baseline: bool = True
    """Whether every query gets the static prompt."""
    finished: bool = False
    reason: str = ""
    """Why it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A policy, and what was measured of it."""

    policy: Policy
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """One training: what was logged, who answers, who learns."""

    header: Mapping[str, object]
    """Body of the run's first event; its config holds a digest of the outcomes, so that they can't change under it."""
    cells: PairOutcomes
    target_setup: TargetSetup
    trainer_in: TrainerFactory
    read_writer: Callable[[Path], Writer]
    settings: LoopsSettings = field(default_factory=LoopsSettings)
    shares: SplitShares = field(default_factory=SplitShares)
    shots: int = 0
    """Demonstrations (of the task's train split) that go with every prompt."""
    force: bool = False
    """Train although headroom shows nothing to gain."""
    caps: Caps = field(default_factory=Caps)

    async def execute(self, store: RunStore, folder: Path, stopper: Stopper, show: Show) -> Trained:
        """Train to the end over this store and folder, whatever they already hold."""
        demos = self._demos()
        tasks = self.target_setup.task.splits.items()
        splits: dict[Split, list[Example]] = {
            name: [one for one in members if one not in demos] for name, members in tasks
        }
        parts = split_queries(self.cells, splits, shares=self.shares, seed=self.settings.seed)
        self._check_caps(parts)
        async with open_run(
            store, stopper, header=self.header, target_setup=self.target_setup, caps=self.caps,
            reserve=2 * len(parts.test) * self.target_setup.sampling.repeats,
        ) as opened:  # fmt: skip
            journal = opened.journal
            if read_result(store) is not None:
                return trained(store, folder, read_writer=self.read_writer)
            found = await self._judged(journal, parts, show)
            policy: Policy = FixedPolicy(prompt=found.baseline)
            if found.is_worthwhile or self.force:
                learnt = await self._multi(parts, found.baseline, opened, folder, show).run()
                policy, found = learnt.policy, _with(found, learnt)
            save_policy(policy, folder / POLICY)
            write_training_queries(folder / POLICY, self._learnt(store, parts))
            await journal.write(Event(position=journal.reserve(), kind="result", body=_result_body(found)))
        return Trained(policy=policy, figures=found)

    async def _judged(self, journal: Journal, parts: QuerySplits, show: Show) -> Figures:
        """Measure headroom first, and write it down: without it nothing is trained."""
        show("measuring headroom", 0, 0)
        logged = PairOutcomes(pairs=(*parts.train.pairs, *parts.dev.pairs))
        table = build_table(logged)  # all that may be looked at: a weaker baseline would flatter the policy
        try:
            worth = advise_training(table, seed=self.settings.seed)
            is_worthwhile, verdict = worth.is_worthwhile, worth.verdict
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

    def _multi(
        self,
        parts: QuerySplits,
        baseline: Prompt,
        opened: OpenRun,
        folder: Path,
        show: Show,
    ) -> MultiLoop:
        most = self.caps.max_calls

        def calls_left() -> float:
            return float("inf") if most is None else most - opened.budget.calls - opened.budget.reserve

        return MultiLoop(
            parts=parts,
            baseline=baseline,
            trainer=self.trainer_in(folder / LOOPS / FIT, lambda: opened.evaluator.stopping, show),
            evaluator=opened.evaluator,
            settings=self.settings,
            keep=WriterCheckpoints(folder=folder / LOOPS, read_writer=self.read_writer),
            calls_left=calls_left,
            show=show,
        )

    def _learnt(self, store: RunStore, parts: QuerySplits) -> list[str]:
        """All queries that were logged, and those that were asked in the loops; never the test's."""
        text = {one.id: one.input for one in (*parts.dev_examples, *parts.collection)}
        chosen = decode_chosen(store.events(kinds=["prompt", "pairs"])).values()
        asked = [text[one] for what in chosen if what.purpose != "test" for one, _ in what.pairs]
        return [*self.cells.queries, *asked]

    def _demos(self) -> tuple[Example, ...]:
        train = self.target_setup.task.splits.get("train", ())
        if self.shots > len(train):
            raise ConfigError(f"shots={self.shots!r}, but the train split has {len(train)} examples; ask for fewer")
        return tuple(train[: self.shots])

    def _check_caps(self, parts: QuerySplits) -> None:
        draws = self.target_setup.sampling.repeats
        test = 2 * len(parts.test) * draws
        dev = (2 + self.settings.selector_first) * len(parts.dev_examples) * draws
        if self.caps.max_calls is not None and self.caps.max_calls < test + dev:
            raise ConfigError(
                f"max_calls = {self.caps.max_calls} is too few: the first dev figures take {dev} calls and the "
                f"final test {test}; allow more, or use fewer examples"
            )


def trained(store: RunStore, folder: Path, *, read_writer: Callable[[Path], Writer]) -> Trained:
    """Read a finished training from its log and folder. Raises `DataError` where it isn't finished."""
    found = figures(store)
    if found is None or not found.finished:
        raise DataError(f"{str(folder)!r} holds no finished training; run askwell train again to go on with it")
    return Trained(policy=load_policy(folder / POLICY, read_writer=read_writer), figures=found)


def figures(store: RunStore) -> Figures | None:
    """Read what a training has measured so far; None before its headroom is known."""
    note = next(store.events(kinds=["note"]), None)
    if note is None:
        return None
    body = read_result(store)
    found = Figures(
        verdict=cast("str", note.body["verdict"]),
        is_worthwhile=cast("bool", note.body["worth_it"]),
        baseline=decode_prompt(cast("Body", note.body["static"])),
        loops=tuple(decode_loops(store.events(kinds=["loop"]))),
    )
    if body is None:
        return found
    tested = cast("Body | None", body["tested"])
    return replace(
        found,
        best_loop=cast("int", body["best_loop"]),
        tested=None if tested is None else _tested_of(tested),
        keeps_baseline=cast("bool", body["keeps_static"]),
        finished=True,
        reason=cast("str", body["reason"]),
    )


def _with(found: Figures, learnt: LoopsResult) -> Figures:
    return replace(
        found,
        loops=learnt.loops,
        best_loop=learnt.best_loop,
        tested=learnt.tested,
        keeps_baseline=isinstance(learnt.policy, FixedPolicy),
        reason=learnt.reason,
    )


def _result_body(found: Figures) -> dict[str, object]:
    tested = found.tested
    return {
        "reason": found.reason,
        "keeps_static": found.keeps_baseline,
        "best_loop": found.best_loop,
        "tested": None
        if tested is None
        else {
            "static": encode_interval(tested.baseline),
            "policy": encode_interval(tested.policy),
            "gain": encode_interval(tested.gain),
            "switched": tested.switch_rate,
        },
    }


def _tested_of(body: Body) -> Tested:
    baseline, policy, gain = (decode_interval(cast("Body", body[name])) for name in ("static", "policy", "gain"))
    return Tested(baseline=baseline, policy=policy, gain=gain, switch_rate=cast("float", body["switched"]))

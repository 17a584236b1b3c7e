"""The list of a folder's runs: one summary per run, read from its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from askwell.core.errors import AskwellError
from askwell.core.stats import Interval, mean_interval
from askwell.policies.loop_records import decode_interval
from askwell.report import run_report
from askwell.runlog.bodies import TRAINING_RESULT
from askwell.runlog.codec import Body
from askwell.runlog.fold import Spend, fold, read_header, read_result, read_spend
from askwell.runlog.folders import is_evaluation, is_training, log_path, run_names, selection_policies
from askwell.runlog.reading import read_events
from askwell.runlog.store import RunStore, SqliteStore

RunKind = Literal["optimization", "training", "evaluation", "policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of `askwell runs`. `problem` says why a log could not be read, and is empty otherwise."""

    name: str
    kind: RunKind = "optimization"
    task: str = ""
    finished: bool = False
    step: int = 0
    """Committed steps; loops of a training, prompts of an evaluation."""
    dev: float | None = None
    test: Interval | None = None
    """Of the best prompt or of the policy; of an evaluation, the best prompt's score."""
    gain: Interval | None = None
    """Over the initial or the baseline prompt, paired."""
    target_calls: int = 0
    calls: int = 0
    """Of both models."""
    cost_usd: float | None = None
    optimizer: str = ""
    """The algorithm of an optimization, the method of a training."""
    seed: int = 0
    began: float = 0.0
    """Unix time of the first event."""
    problem: str = ""

    @property
    def state(self) -> str:
        """Return how far the run is."""
        if self.problem:
            return self.problem
        if self.kind == "evaluation":
            return f"{self.step} prompt{'s' if self.step != 1 else ''}"
        if self.finished:
            return "finished"
        return f"at {'loop' if self.kind == 'training' else 'step'} {self.step}"


def summarize_runs(folder: Path) -> list[RunSummary]:
    """Summarize every run in a folder, by name; a log that cannot be read is listed with its problem.

    A policy that only selects among logged prompts called no model and has no log: it is listed as finished.
    """
    rows = [_summarize(folder, name) for name in run_names(folder)]
    rows += [
        RunSummary(name=name, kind="policy", task="policy that selects among logged prompts", finished=True)
        for name in selection_policies(folder)
    ]
    return sorted(rows, key=lambda row: row.name)


def _summarize(folder: Path, name: str) -> RunSummary:
    try:
        with SqliteStore(log_path(folder, name), read_only=True) as store:
            header = read_header(store)
            if is_training(header):
                return _summarize_training(name, store)
            if is_evaluation(header):
                return _summarize_evaluation(name, store)
            return _summarize_optimization(name, store)
    except AskwellError as error:
        return RunSummary(name=name, problem=str(error))


@dataclass(frozen=True, slots=True)
class _Opening:
    """What every kind of run tells in its first event."""

    task: str
    optimizer: str
    seed: int
    began: float


def _read_opening(store: RunStore) -> _Opening:
    first = next(read_events(store, kinds=["run"]))
    config = cast("Body", first.body["config"])
    part = config.get("policy" if is_training(first.body) else "optimizer")
    key = "method" if is_training(first.body) else "name"
    optimizer = str(cast("Body", part).get(key, "")) if isinstance(part, Mapping) else ""
    return _Opening(str(config.get("name", "")), optimizer, cast("int", first.body["seed"]), first.at)


def _summarize_optimization(name: str, store: RunStore) -> RunSummary:
    scored, opening = run_report.build_report(store, with_replies=False), _read_opening(store)
    spend = scored.spend if scored is not None else read_spend(store)
    return RunSummary(
        name=name,
        task=opening.task,
        finished=scored is not None and scored.finished,
        step=scored.curve[-1].step if scored is not None and scored.curve else 0,
        dev=scored.best.dev.estimate if scored is not None and scored.best.dev else None,
        test=scored.best.test if scored is not None else None,
        gain=scored.gain if scored is not None else None,
        target_calls=spend["target"].calls,
        calls=sum(spent.calls for spent in spend.values()),
        cost_usd=_total_cost(spend.values()),
        optimizer=opening.optimizer,
        seed=opening.seed,
        began=opening.began,
    )


def _summarize_training(name: str, store: RunStore) -> RunSummary:
    """Summarize a training: dev and test scores are those of its policy, None if it has none."""
    loops = [event.body for event in read_events(store, kinds=["loop"])]
    result = read_result(store, TRAINING_RESULT)
    tested = cast("Body | None", result["tested"]) if result else None
    dev = [cast("float", cast("Body", loops[-1][part])["estimate"]) for part in ("static", "guarded") if loops]
    spent, opening = read_spend(store)["target"], _read_opening(store)
    return RunSummary(
        name=name,
        kind="training",
        task=f"policy for {opening.task}",
        finished=result is not None,
        step=len(loops),
        dev=sum(dev) if dev else None,
        test=decode_interval(cast("Body", tested["policy"])) if tested else None,
        gain=decode_interval(cast("Body", tested["gain"])) if tested else None,
        target_calls=spent.calls,
        calls=spent.calls,
        cost_usd=spent.cost_usd,
        optimizer=opening.optimizer,
        seed=opening.seed,
        began=opening.began,
    )


def _summarize_evaluation(name: str, store: RunStore) -> RunSummary:
    """Summarize an evaluation, which has no steps and no winner: its score is that of its best prompt."""
    scores = [list(by_example.values()) for by_example in fold(store).scores.get("test", {}).values()]
    spent, opening = read_spend(store)["target"], _read_opening(store)
    return RunSummary(
        name=name,
        kind="evaluation",
        task=opening.task,
        finished=bool(scores),
        step=len(scores),
        test=max((mean_interval(values) for values in scores if values), key=lambda one: one.estimate, default=None),
        target_calls=spent.calls,
        calls=spent.calls,
        cost_usd=spent.cost_usd,
        seed=opening.seed,
        began=opening.began,
    )


def _total_cost(spend: Iterable[Spend]) -> float | None:
    costs = [spent.cost_usd for spent in spend if spent.cost_usd is not None]
    return sum(costs) if costs else None

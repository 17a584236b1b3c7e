"""Compare the winners of two runs on the test examples that both ran, paired example by example.

Examples count as the same if their input and their target are the same: ids are row numbers, and two files may use the
same ones. An example that either run trained or selected on is left out, as a score on it is too high.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from askwell.core.errors import ConfigError
from askwell.core.settings_tree import flatten_settings
from askwell.core.stats import Interval, paired_difference
from askwell.core.types import Example
from askwell.report.run_report import (
    Report,
    build_report_and_fold,
    describe_significance,
    interval_json,
    report_json,
)
from askwell.runlog.fold import read_examples, read_header
from askwell.runlog.folders import find_run, is_evaluation, is_training
from askwell.runlog.store import SqliteStore

ExampleKey = tuple[str, str | tuple[str, ...]]
"""(input, target)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """What a comparison needs of one run."""

    name: str
    report: Report
    settings: Mapping[str, object]
    """Every setting that determines the results, by its dotted name."""
    tested: Mapping[ExampleKey, float]
    """The winner's score on each test example."""
    seen: frozenset[ExampleKey]
    """Train and dev examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Two runs side by side."""

    first: ComparedRun
    second: ComparedRun
    difference: Interval | None
    """Second winner minus first winner, paired; None without a shared test example."""
    seen: int
    """Shared examples left out because one of the runs trained or selected on them."""

    @property
    def changed_settings(self) -> dict[str, tuple[object, object]]:
        """Return the settings that differ: name -> (value in the first run, value in the second)."""
        before, after = self.first.settings, self.second.settings
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        return {name: (before.get(name), after.get(name)) for name in names}

    @property
    def verdict(self) -> str:
        """Return the difference and whether it is proven, in a sentence."""
        if self.difference is None:
            return "No test example is shared by the runs and unseen by both: their scores do not compare."
        meaning = {
            "a real gain": f"{self.second.name} is better",
            "a real loss": f"{self.first.name} is better",
        }.get(describe_significance(self.difference), "no proven difference")
        return f"On the {self.difference.n} test examples of both: {meaning}."


def compare_runs(folder: Path, first: str, second: str) -> RunComparison:
    """Compare two finished optimizations. Raises `ConfigError` for a run of another kind, or one that is not tested."""
    runs = read_run(folder, first), read_run(folder, second)
    shared = [key for key in runs[0].tested if key in runs[1].tested]
    unseen = [key for key in shared if not any(key in run.seen for run in runs)]
    before, after = ([run.tested[key] for key in unseen] for run in runs)
    leaked = {key for run, other in (runs, runs[::-1]) for key in run.tested if key in other.seen}
    return RunComparison(
        first=runs[0],
        second=runs[1],
        difference=paired_difference(after, before) if unseen else None,
        seen=len(leaked),
    )


def read_run(folder: Path, name: str) -> ComparedRun:
    """Read one run. Raises `ConfigError` as `compare_runs` does."""
    with SqliteStore(find_run(folder, name), read_only=True) as store:
        header = read_header(store)
        if is_training(header) or is_evaluation(header):
            kind = "a training" if is_training(header) else "an evaluation"
            raise ConfigError(f"the run {name!r} is {kind}; expected two runs of askwell optimize")
        report, folded = build_report_and_fold(store)
        examples = read_examples(store)
    if report is None or not report.finished:
        raise ConfigError(f"the run {name!r} is not finished, so its winner is not tested; resume it first")
    keys = {example.id: _key(example) for members in examples.values() for example in members}
    scores = folded.scores_of(report.best.prompt, "test")
    return ComparedRun(
        name=name,
        report=report,
        settings=dict(flatten_settings(cast("Mapping[str, object]", header["config"]))),
        tested={keys[example_id]: score for example_id, score in scores.items()},
        seen=frozenset(_key(example) for split in ("train", "dev") for example in examples.get(split, ())),
    )


def comparison_json(comparison: RunComparison) -> dict[str, object]:
    """Return a comparison for `--json`."""
    return {
        "difference": interval_json(comparison.difference),
        "verdict": comparison.verdict,
        "left_out": comparison.seen,
        "settings": {name: list(values) for name, values in comparison.changed_settings.items()},
        "runs": [{"run": run.name, **report_json(run.report)} for run in (comparison.first, comparison.second)],
    }


def _key(example: Example) -> ExampleKey:
    return example.input, example.target

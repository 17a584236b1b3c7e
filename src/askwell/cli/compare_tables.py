"""A comparison as a table with notes and a closing sentence, and the same for `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from askwell.cli.console import Text
from askwell.cli.headroom_tables import headroom_json
from askwell.cli.tables import format_points
from askwell.cli.training_tables import tested_json
from askwell.core.stats import Interval, format_interval
from askwell.policies.offline_eval.compare import ORACLE, PolicyComparison, PolicyRow
from askwell.policies.training_figures import Figures
from askwell.report.run_report import describe_significance, interval_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedTraining:
    """A training named among the sources: its own sources, and what it measured."""

    name: str
    sources: tuple[str, ...]
    figures: Figures | None
    """None before its headroom was known."""


def comparison_table(comparison: PolicyComparison, trainings: Sequence[ComparedTraining]) -> Table:
    """Return one row per policy; switch rate: share of the queries that get another prompt than the baseline prompt."""
    title = f"On {comparison.queries:,} queries × {comparison.prompts:,} prompts: points of 100, 95 % intervals"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("policy", overflow="fold", min_width=21)
    for heading in ("score", "paired gain", "switch\nrate", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in comparison.rows:
        cells = (format_interval(row.score), _gain(row.gain), _share(row.switch_rate))
        table.add_row(*map(Text, (_named(row), *cells, f"{row.score.n:,}")), style="bold" if row.is_deployed else "")
        if row.name == ORACLE:
            table.add_row(*map(Text, _corrected(comparison)))
    for training in trainings:
        for cells in _tested(training):
            table.add_row(*map(Text, cells))
    return table


def comparison_notes(comparison: PolicyComparison, trainings: Sequence[ComparedTraining]) -> Iterator[str]:
    """Yield how the table was made, and a closing sentence for the default and for each training."""
    yield (
        f"{comparison.folds}-fold cross-validation: baseline prompt, scorer and margin are chosen without the queries "
        "they are scored on. The best of several rows is optimistic because it was selected: read the default's."
    )
    if comparison.left_out:
        yield f"{comparison.left_out:,} queries were never tried with their baseline prompt and are left out."
    unlogged = max(row.unlogged for row in comparison.rows)
    if unlogged:
        yield f"Up to {unlogged:,} picks per row have no logged outcome and count as the baseline prompt."
    yield f"Headroom: {comparison.headroom.verdict}"
    gain = comparison.deployed.gain
    assert gain is not None
    yield f"The default on unseen queries: {_gain(gain)}: {describe_significance(gain)}."
    for training in trainings:
        yield _closing(training)


def comparison_json(comparison: PolicyComparison, trainings: Sequence[ComparedTraining]) -> dict[str, object]:
    """Return a comparison for `--json`."""
    return {
        "queries": comparison.queries,
        "prompts": comparison.prompts,
        "left_out": comparison.left_out,
        "folds": comparison.folds,
        "headroom": headroom_json(comparison.headroom),
        "rows": [
            {
                "policy": row.name,
                "score": interval_json(row.score),
                "gain": interval_json(row.gain),
                "switched": row.switch_rate,
                "unlogged": row.unlogged,
                "deployed": row.is_deployed,
            }
            for row in comparison.rows
        ],
        "trainings": [
            {
                "run": training.name,
                "finished": training.figures is not None and training.figures.finished,
                "keeps_static": training.figures is not None and training.figures.keeps_baseline,
                "test": tested_json(None if training.figures is None else training.figures.tested),
            }
            for training in trainings
        ],
    }


def _tested(training: ComparedTraining) -> Iterator[tuple[str, ...]]:
    tested = None if training.figures is None else training.figures.tested
    if tested is not None:
        n = f"{tested.gain.n:,}"
        yield (f"{training.name} test: baseline", format_interval(tested.baseline), "", "0 %", n)
        policy, gain = format_interval(tested.policy), _gain(tested.gain)
        yield (f"{training.name} test: policy", policy, gain, _share(tested.switch_rate), n)


def _corrected(comparison: PolicyComparison) -> tuple[str, ...]:
    room = comparison.headroom.gain
    if room.kind == "interval":
        return "oracle less luck", f"{100 * comparison.headroom.corrected_oracle:.1f}", str(room), "", f"{room.n:,}"
    bounds = f"{100 * room.low:.1f} to {100 * room.high:+.1f}"
    return "oracle less luck", "?", bounds, "", f"{room.n:,}"


def _closing(training: ComparedTraining) -> str:
    figures = training.figures
    if figures is None or not figures.finished:
        return f"{training.name} is not finished: its figures are not shown."
    if figures.tested is None:
        why = "keeps the baseline prompt for every query" if figures.keeps_baseline else "has no test split"
        return f"{training.name} {why}: there is no test to show."
    gain = figures.tested.gain
    result = f"{_gain(gain)}: {describe_significance(gain)}"
    return f"{training.name} on its own test queries, none of which it was trained on: {result}."


def _named(row: PolicyRow) -> str:
    if row.is_deployed:
        return f"{row.name} (the default)"
    return f"{row.name} (mostly luck)" if row.name == ORACLE else row.name


def _gain(interval: Interval | None) -> str:
    return "" if interval is None else format_points(interval)


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"

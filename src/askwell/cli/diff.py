"""`askwell diff`: compare two runs on the test examples that both ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import RenderableType
from rich.table import Table

from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.flags import FOLDER_FLAG, JSON_FLAG, reports_errors
from askwell.core.stats import Interval, format_interval
from askwell.report.run_comparison import ComparedRun, RunComparison, compare_runs, comparison_json
from askwell.report.run_report import format_diff


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@FOLDER_FLAG
@JSON_FLAG
@reports_errors
def diff(first: str, second: str, *, folder: Path, as_json: bool) -> None:
    """Compare two runs: their winners on the same test examples, paired; what they cost; what differs.

    Test examples that one of the runs trained or selected on are left out.
    """
    comparison = compare_runs(folder, first, second)
    if as_json:
        tables.print_json(comparison_json(comparison))
        return
    out = Console()
    for part in _parts(comparison, width=out.width):
        out.print(part)


def _parts(comparison: RunComparison, *, width: int) -> Iterator[RenderableType]:
    both = (comparison.first, comparison.second)
    yield _table(both, width=width)
    if comparison.difference is not None:
        points = format_interval(comparison.difference, signed=True)
        yield Text(f"{comparison.second.name} minus {comparison.first.name}: {points}.")
    yield Text(comparison.verdict)
    if comparison.seen:
        yield Text(f"Left out: {comparison.seen} test examples that the other run trained or selected on.")
    winners = [run.report.best.prompt.instruction for run in both]
    if winners[0] != winners[1]:
        yield Text(f"Prompts: {format_diff(*winners)}")
    for name, (before, after) in comparison.changed_settings.items():
        yield Text(f"{name}: {before!r} → {after!r}")


def _table(runs: Sequence[ComparedRun], *, width: int) -> Table:
    best = [run.report.best for run in runs]
    spent = [run.report.spend.values() for run in runs]
    columns = [
        tables.Column(heading="winner of", cells=[run.name for run in runs], rank=0, is_text=True),
        tables.Column(heading="dev", cells=[_points(scores.dev) for scores in best], rank=2),
        tables.Column(heading="held-out test", cells=[_points(scores.test) for scores in best], rank=1),
        tables.Column(heading="calls", cells=[f"{sum(spend.calls for spend in each):,}" for each in spent], rank=3),
    ]
    return tables.fitted_table(columns, width=width)


def _points(interval: Interval | None) -> str:
    return "" if interval is None else format_interval(interval)

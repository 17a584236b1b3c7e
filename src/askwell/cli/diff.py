"""`askwell diff`: compare two runs on the test examples that both ran."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from rich import box
from rich.console import RenderableType
from rich.table import Table

from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.flags import FOLDER_FLAG, JSON_FLAG, reports_errors
from askwell.core.stats import format_interval
from askwell.report.run_comparison import ComparedRun, RunComparison, compare_runs, comparison_json
from askwell.report.run_report import format_diff, format_prompt


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
    for part in _parts(comparison):
        out.print(part)


def _parts(comparison: RunComparison) -> Iterator[RenderableType]:
    table = Table(title="Winners, in points of 100 with 95 % intervals", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("run", no_wrap=True)
    for heading in ("dev", "held-out test", "calls"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("prompt", overflow="fold", ratio=1)
    for run in (comparison.first, comparison.second):
        table.add_row(*_row(run))
    yield table
    if comparison.difference is not None:
        points = format_interval(comparison.difference, signed=True)
        yield Text(f"{comparison.second.name} minus {comparison.first.name}: {points}.")
    yield Text(comparison.verdict)
    if comparison.seen:
        yield Text(f"Left out: {comparison.seen} test examples that the other run trained or selected on.")
    winners = [run.report.best.prompt.instruction for run in (comparison.first, comparison.second)]
    if winners[0] != winners[1]:
        yield Text(f"Prompts: {format_diff(*winners)}")
    for name, (before, after) in comparison.changed_settings.items():
        yield Text(f"{name}: {before!r} → {after!r}")


def _row(run: ComparedRun) -> list[Text]:
    best = run.report.best
    intervals = ["" if scores is None else format_interval(scores) for scores in (best.dev, best.test)]
    calls = f"{sum(spent.calls for spent in run.report.spend.values()):,}"
    return [Text(run.name), *map(Text, intervals), Text(calls), Text(format_prompt(best.prompt))]

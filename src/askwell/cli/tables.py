"""Reports as rich tables for a terminal, and as plain values for `--json`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table

from askwell.cli.console import Console, Text
from askwell.cli.streams import write_exact
from askwell.core.stats import Interval, format_interval
from askwell.core.visible import visible
from askwell.models.totals import MemberTotals, Totals
from askwell.report.evaluation import Evaluation, EvaluationReport, describe_evaluations, describe_progress
from askwell.report.live.progress_line import format_seconds, spent_line
from askwell.report.reply_report import describe_findings, describe_replies
from askwell.report.run_report import Report, describe_gain, format_diff, format_prompt
from askwell.runlog.fold import Spend

_BLOCKS = "▁▂▃▄▅▆▇█"


def report_parts(scored: Report, *, with_findings: bool = True) -> Iterator[RenderableType]:
    """Yield the parts of a run's report, top down; without the findings if they were printed during the run."""
    table = Table(title="Scores in points of 100, with 95 % intervals", title_justify="left")
    table.add_column("")
    table.add_column("prompt", overflow="fold")
    table.add_column("dev", justify="right", no_wrap=True)
    table.add_column("held-out test", justify="right", no_wrap=True)
    for name, standing in (("initial", scored.initial), ("optimized", scored.best)):
        table.add_row(name, Text(format_prompt(standing.prompt)), _cell(standing.dev), _cell(standing.test))
    yield table
    if scored.replies is not None:
        yield from map(Text, describe_replies(scored.replies))
        yield from map(Text, describe_findings(scored.replies) if with_findings else ())
    yield from _verdict(scored)
    if scored.initial.prompt != scored.best.prompt:
        yield Text(f"Changed: {format_diff(scored.initial.prompt.instruction, scored.best.prompt.instruction)}")
    if count := len(scored.best.prompt.demos):
        yield Text(f"The optimized prompt is sent with {count} demonstration{'s' * (count > 1)}, as shown.")
    best = [point.best for point in scored.curve]
    yield Text(f"Best dev score by step: {sparkline(best)}  ({', '.join(f'{100 * value:.0f}' for value in best)})")
    if scored.raced is not None:
        raced = scored.raced
        yield Text(f"Racing: {raced.calls:,} of {raced.full:,} dev calls were enough ({raced.saved:.0%} saved).")
    yield from (_spend_line(role, spent) for role, spent in scored.spend.items())
    for quirk in scored.quirks:
        yield Text(f"Server quirk: {quirk}.")
    if scored.missing:
        yield Text(f"Missing: {scored.missing} calls, which no score includes. `askwell retry` makes them again.")
    if scored.reason:
        yield Text(f"Ended: {scored.reason}.")


def _spend_line(role: str, spent: Spend) -> Text:
    money = f", ${spent.cost_usd:.4f}" if spent.cost_usd else ""
    failed = f", {spent.failed} failed permanently" if spent.failed else ""
    tokens = f"{spent.prompt_tokens:,} + {spent.completion_tokens:,} tokens"
    return Text(f"{role.capitalize()}: {spent.calls:,} calls, {tokens}{money}{failed}")


def _verdict(scored: Report) -> Iterator[Text]:
    if scored.gain is not None:
        yield Text(f"Optimized minus initial on the same {scored.gain.n} test examples: {describe_gain(scored)}.")
    elif scored.finished and scored.initial.prompt == scored.best.prompt:
        yield Text("No prompt scored better than the initial one on dev: it is kept.")
    if scored.optimism is not None:
        yield Text(
            f"Dev minus test score of the winner (the optimism of selecting on dev): {format_points(scored.optimism)}."
        )


def evaluations_table(scored: Sequence[Evaluation]) -> Table:
    """Return one row per prompt."""
    table = Table(title=f"Scores on {scored[0].score.n} examples, in points of 100, with 95 % intervals")
    table.add_column("prompt", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("minus the first", justify="right", no_wrap=True)
    for evaluation in scored:
        table.add_row(
            Text(evaluation.prompt),
            _cell(evaluation.score),
            format_points(evaluation.difference) if evaluation.difference else "",
        )
    return table


def evaluation_parts(evaluated: EvaluationReport) -> Iterator[RenderableType]:
    """Yield the parts of an evaluation that is read from its log."""
    yield evaluations_table(evaluated.evaluations)
    notes = describe_evaluations(evaluated.evaluations, metric=evaluated.metric, temperature=evaluated.temperature)
    yield from map(Text, notes)
    yield _spend_line("target", evaluated.spend)
    yield from map(Text, describe_progress(evaluated))


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of `fitted_table`."""

    heading: str
    cells: Sequence[str]
    rank: int
    """Columns that do not fit are dropped, the highest rank first."""
    is_text: bool = False
    """Whether the cells are texts, at the left; numbers stand at the right."""

    @property
    def width(self) -> int:
        return max(map(cell_len, (self.heading, *self.cells)))


def fitted_table(columns: Sequence[Column], *, width: int) -> Table:
    """Return a table of the columns that fit into a width; no cell is cut, and the first column always stays."""
    kept = list(columns)
    while len(kept) > 1 and 1 + sum(column.width + 3 for column in kept) > width:
        kept.remove(max(kept[1:], key=lambda column: column.rank))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    for column in kept:
        table.add_column(
            column.heading,
            justify="left" if column.is_text else "right",
            no_wrap=column is not kept[0],
            overflow="fold",
        )
    for cells in zip(*(column.cells for column in kept), strict=True):
        table.add_row(*map(Text, cells))
    return table


def print_columns(out: Console, columns: Sequence[Column], *, table: RenderableType | None = None) -> None:
    """Print a table at a terminal, by default the columns that fit; elsewhere full lines, of which nothing is cut.

    A file or another program gets every column, without borders: `askwell runs | grep sums`.
    """
    if out.is_terminal or os.environ.get("COLUMNS"):  # a width that was asked for
        out.print(table or fitted_table(columns, width=out.width))
        return
    for line in zip(*(_padded(column) for column in columns), strict=True):
        out.print(Text("  ".join(line).rstrip()), soft_wrap=True)


def _padded(column: Column) -> list[str]:
    cells = [visible(" ".join(cell.splitlines())) for cell in (column.heading, *column.cells)]
    width = max(map(cell_len, cells))
    fill = [" " * (width - cell_len(cell)) for cell in cells]
    return [cell + more if column.is_text else more + cell for cell, more in zip(cells, fill, strict=True)]


def format_session_spend(totals: list[Totals], seconds: float) -> Text:
    """Format what this process spent; earlier sessions of a resumed run are not included."""
    return Text(f"This session: {spent_line(totals)} · {format_seconds(seconds)}")


def format_pool_members(pool: Sequence[MemberTotals]) -> Text:
    """Format how many calls each member of a pool answered: `http://a:8000/v1 812 calls (3 failed), …`."""
    parts = [
        f"{member.label} {member.totals.calls:,} calls"
        + (f" ({member.totals.failed:,} failed)" if member.totals.failed else "")
        for member in pool
    ]
    return Text(f"Pool: {', '.join(parts)}")


def print_json(value: object) -> None:
    """Write a value for machines to standard output."""
    write_exact(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def sparkline(values: Sequence[float]) -> str:
    """Draw values in 0..1 as one line of blocks, on their own range."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = (high - low) or 1.0
    return "".join(_BLOCKS[min(7, int(8 * (value - low) / span))] for value in values)


def _cell(interval: Interval | None) -> str:
    return "" if interval is None else format_interval(interval)


def format_points(interval: Interval) -> str:
    """Write a difference in points of 100, signed, with its interval."""
    return format_interval(interval, signed=True)

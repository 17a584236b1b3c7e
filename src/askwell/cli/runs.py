"""`askwell runs`: list the runs in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from askwell.cli import tables
from askwell.cli.console import Console
from askwell.cli.flags import FOLDER_FLAG, JSON_FLAG, reports_errors
from askwell.core.stats import Interval, format_interval
from askwell.report.run_list import RunSummary, summarize_runs
from askwell.report.run_report import interval_json


@click.command()
@FOLDER_FLAG
@JSON_FLAG
@reports_errors
def runs(*, folder: Path, as_json: bool) -> None:
    """List the runs in a folder.

    Runs that made no call, such as a start with a wrong key, are counted and not listed. A narrow terminal shows fewer
    columns; --json has all of them.
    """
    rows = summarize_runs(folder)
    if as_json:
        tables.print_json([summary_json(row) for row in rows])
        return
    out = Console()
    shown = [row for row in rows if row.calls or row.problem or row.kind == "policy"]
    if shown:
        tables.print_columns(out, runs_columns(shown))
        for row in shown:
            if row.problem:
                out.print(f"{row.name}: {row.problem}", soft_wrap=True)
    elif not rows:
        out.print(f"no runs in {str(folder)!r} yet; askwell optimize makes one")
    if len(shown) < len(rows):
        out.print(f"Not listed: {len(rows) - len(shown)} without a call.")


def summary_json(row: RunSummary) -> dict[str, object]:
    """Return one run's line for `--json`."""
    return {
        "run": row.name,
        "kind": row.kind,
        "task": row.task,
        "optimizer": row.optimizer,
        "seed": row.seed,
        "began": _iso_date(row.began),
        "finished": row.finished,
        "step": row.step,
        "dev": row.dev,
        "test": None if row.test is None else row.test.estimate,
        "test_interval": interval_json(row.test),
        "gain": interval_json(row.gain),
        "target_calls": row.target_calls,
        "calls": row.calls,
        "cost_usd": row.cost_usd,
        "problem": row.problem,
    }


def runs_columns(rows: Sequence[RunSummary]) -> list[tables.Column]:
    """Return the columns of the list, with a cell per run."""

    def column(heading: str, rank: int, text: Callable[[RunSummary], str], *, is_text: bool = False) -> tables.Column:
        return tables.Column(heading=heading, cells=[text(row) for row in rows], rank=rank, is_text=is_text)

    return [
        column("run", 0, lambda row: row.name, is_text=True),
        column("state", 1, lambda row: "damaged" if row.problem else row.state, is_text=True),
        column("dev", 4, lambda row: "" if row.dev is None else f"{100 * row.dev:.1f}"),
        column("test", 2, lambda row: _points(row.test)),
        column("gain", 3, lambda row: _points(row.gain, signed=True)),
        column("calls", 5, lambda row: f"{row.calls:,}"),
        column("cost", 6, lambda row: f"${row.cost_usd:.2f}" if row.cost_usd else ""),
        column("optimizer", 8, lambda row: row.optimizer, is_text=True),
        column("seed", 9, lambda row: "" if row.kind in ("evaluation", "policy") else str(row.seed)),
        column("began", 7, lambda row: _iso_date(row.began).replace("T", " ")[:16], is_text=True),
        column("task", 10, lambda row: row.task, is_text=True),
    ]


def _points(interval: Interval | None, *, signed: bool = False) -> str:
    return "" if interval is None else format_interval(interval, signed=signed)


def _iso_date(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).astimezone().isoformat(timespec="seconds") if at else ""

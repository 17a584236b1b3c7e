"""`askwell runs`: list the runs in a folder."""

from __future__ import annotations

from pathlib import Path

import click

from askwell.cli import tables
from askwell.cli.console import Console
from askwell.cli.flags import FOLDER_FLAG, JSON_FLAG, reports_errors
from askwell.report.run_list import summarize_runs


@click.command()
@FOLDER_FLAG
@JSON_FLAG
@reports_errors
def runs(*, folder: Path, as_json: bool) -> None:
    """List the runs in a folder."""
    rows = summarize_runs(folder)
    if as_json:
        tables.print_json([tables.summary_json(row) for row in rows])
    elif rows:
        Console().print(tables.runs_table(rows))
    else:
        Console().print(f"no runs in {str(folder)!r} yet; askwell optimize makes one", highlight=False)

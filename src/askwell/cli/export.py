"""`askwell export`: a run's best prompt in the format of another tool."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from askwell.api import call_view as cells
from askwell.cli.files import write_file
from askwell.cli.flags import FOLDER_FLAG, reports_errors
from askwell.cli.show import read_report
from askwell.report.prompt_export import ExportedPrompt, export_prompt
from askwell.runlog.folders import find_run
from askwell.runlog.store import SqliteStore


@click.command()
@click.argument("run")
@click.option(
    "--format",
    "format_name",
    default="text",
    metavar="FORMAT",
    help="text (default), json, dspy, promptfoo or langchain.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write (default: standard output).")
@FOLDER_FLAG
@reports_errors
def export(run: str, *, format_name: str, output: Path | None, folder: Path) -> None:
    """Export a run's best prompt in the format of another tool."""
    scored = read_report(folder, run)
    with SqliteStore(find_run(folder, run), read_only=True) as store:
        render = cells.read_render(store)
    data = export_prompt(ExportedPrompt(report=scored, render=render), format_name).encode("utf-8", "surrogatepass")
    if output is None:
        sys.stdout.buffer.write(data)
    else:
        write_file(output, data)

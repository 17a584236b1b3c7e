"""`askwell export`: a run's best prompt in the format of another tool."""

from __future__ import annotations

from pathlib import Path

import click

from askwell.cli.files import write_file
from askwell.cli.flags import FOLDER_FLAG, reports_errors
from askwell.cli.show import read_report
from askwell.cli.streams import write_exact
from askwell.report import call_view as cells
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
    text = export_prompt(ExportedPrompt(report=scored, render=render), format_name)
    if output is None:
        write_exact(text)
    else:
        write_file(output, text.encode("utf-8", "surrogatepass"))

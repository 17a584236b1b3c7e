"""`askwell report`: an optimization, a training or an evaluation as a page."""

from __future__ import annotations

from pathlib import Path

import click

from askwell.cli.console import Console, Text
from askwell.cli.files import write_file
from askwell.cli.flags import FOLDER_FLAG, reports_errors
from askwell.report.pages import render_page
from askwell.runlog.folders import find_run
from askwell.runlog.store import SqliteStore


@click.command()
@click.argument("run")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write (default: report.html in the run's folder)."
)
@click.option("--format", "format_name", default="html", metavar="FORMAT", help="html (default) or md.")
@FOLDER_FLAG
@reports_errors
def report(run: str, *, output: Path | None, format_name: str, folder: Path) -> None:
    """Write a report of a run (optimization, training or evaluation) as HTML or Markdown.

    The HTML page shows scores, curve, what changed, examples fixed, broken and still wrong, the prompts tried, and
    spend. It is one file that loads nothing and runs no script. Markdown has the verdict, scores, prompt, examples
    still wrong and spend. Works while the run is in progress.
    """
    log = find_run(folder, run)
    with SqliteStore(log, read_only=True) as store:
        text = render_page(store, run, format_name)
    path = output or log.with_name(f"report.{format_name}")
    write_file(path, text.encode("utf-8"))
    Console().print(Text(f"Written: {path}"))

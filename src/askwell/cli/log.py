"""`askwell log`: export a run's log to a file or to MLflow, and import an exported log as a run."""

from __future__ import annotations

from pathlib import Path

import click

from askwell.cli.console import Console
from askwell.cli.flags import FOLDER_FLAG, reports_errors, runs_flag
from askwell.core.errors import ConfigError
from askwell.report.mlflow import record_run
from askwell.runlog import transfer
from askwell.runlog.folders import LOG, find_run, log_path
from askwell.runlog.store import SqliteStore


@click.group()
def log() -> None:
    """Export a run's log to other tools, and import it again."""


@log.command("export")
@click.argument("run")
@click.option("--format", "format_name", default="jsonl", metavar="FORMAT", help="jsonl (default) or parquet.")
@click.option(
    "--table", default="events", metavar="TABLE", help="events (default), or rollouts: a flat table of calls."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write (default: named after the run).")
@FOLDER_FLAG
@reports_errors
def export_log(run: str, *, format_name: str, table: str, output: Path | None, folder: Path) -> None:
    """Write a run's log to a file: all events (for log import), or its rollouts as a table for analysis."""
    path = output or Path(f"{run}.{format_name}" if table == "events" else f"{run}-{table}.{format_name}")
    with SqliteStore(find_run(folder, run), read_only=True) as store:
        count = transfer.export_log(store, path, form=format_name, table=table)
    _print_note(f"{count:,} {table} written to {path}")


@log.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--run", "name", required=True, metavar="NAME", help="Name of the new run.")
@FOLDER_FLAG
@reports_errors
def import_log(file: Path, *, name: str, folder: Path) -> None:
    """Make a run from an exported log, or from a run with an older log format, which is converted.

    FILE is a file of askwell log export, a run's folder or its log.db. The new run equals it event by event.
    """
    path = log_path(folder, name)
    if path.exists():
        raise ConfigError(f"the run {name!r} exists; choose another --run")
    count = transfer.import_log(file if file.exists() else _named_run(folder, file), path)
    _print_note(f"{count:,} events read; see askwell show {name}{runs_flag(folder)}")


@log.command("mlflow")
@click.argument("run")
@click.option("--experiment", default="askwell", metavar="NAME", help="MLflow experiment (default askwell).")
@click.option("--tracking-uri", metavar="URI", help="MLflow server (default: MLFLOW_TRACKING_URI).")
@FOLDER_FLAG
@reports_errors
def log_to_mlflow(run: str, *, experiment: str, tracking_uri: str | None, folder: Path) -> None:
    """Write a run to MLflow: settings, scores by step, spend, and the prompt as an artifact."""
    with SqliteStore(find_run(folder, run), read_only=True) as store:
        run_id = record_run(store, run, experiment=experiment, tracking_uri=tracking_uri)
    _print_note(f"written to MLflow's experiment {experiment!r} as run {run_id}")


def _named_run(folder: Path, source: Path) -> Path:
    """Return the folder of the run of this name, if there is one; else the source as it is."""
    is_run = source.name == str(source) and (folder / source / LOG).is_file()
    return folder / source if is_run else source


def _print_note(text: str) -> None:
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)

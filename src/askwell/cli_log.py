"""Commands for run logs as files."""

from __future__ import annotations

from pathlib import Path

import click

from askwell.cli_flags import RUNS_FLAG, told


@click.group()
def log() -> None:
    """Take a run's log to other tools, and back."""


@log.command("export")
@click.argument("run")
@click.option("--format", "form", default="jsonl", metavar="FORMAT", help="jsonl (default) or parquet.")
@click.option("--table", default="events", metavar="TABLE", help="events (default) or rollouts, a flat table of calls.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write (default: named after the run).")
@RUNS_FLAG
@told
def log_export(run: str, form: str, table: str, output: Path | None, folder: str | None) -> None:
    """Write a run's log to a file: all events, to be imported again, or its rollouts as a table for analysis."""
    from askwell import log_commands

    log_commands.export(Path(folder or "runs"), run, form=form, table=table, output=output)


@log.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--run", "name", required=True, metavar="NAME", help="Name of the run to make.")
@RUNS_FLAG
@told
def log_import(file: Path, name: str, folder: str | None) -> None:
    """Make a run of an exported log, or of a run with an older log format, which is converted.

    FILE is a file of askwell log export, a run's folder or its log.db. The new run equals it event by event.
    """
    from askwell import log_commands

    log_commands.load(Path(folder or "runs"), file, name)


@log.command("mlflow")
@click.argument("run")
@click.option("--experiment", default="askwell", metavar="NAME", help="MLflow experiment (default askwell).")
@click.option("--tracking-uri", metavar="URI", help="MLflow server (default: MLFLOW_TRACKING_URI).")
@RUNS_FLAG
@told
def log_mlflow(run: str, experiment: str, tracking_uri: str | None, folder: str | None) -> None:
    """Write a run to MLflow: settings, scores step by step, spend, and the prompt as an artefact."""
    from askwell import log_commands

    log_commands.mlflow(Path(folder or "runs"), run, experiment=experiment, tracking_uri=tracking_uri)


COMMANDS = (log,)

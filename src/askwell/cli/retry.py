"""`askwell retry`: call the target again where a run's calls failed permanently."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click

from askwell.api.build_jobs import build_optimize_job
from askwell.api.logged import read_resumed_config
from askwell.cli import tables
from askwell.cli.console import Console
from askwell.cli.flags import (
    BUDGET_FLAGS,
    CONNECTION_FLAGS,
    FOLDER_FLAG,
    JSON_FLAG,
    flags,
    overrides,
    reports_errors,
)
from askwell.cli.session import exits_on_interrupt, live_progress
from askwell.core.event_loop import run_blocking
from askwell.engine.retry import RetryResult, retry_missing
from askwell.models.wrappers.meter import Metered
from askwell.report import run_report
from askwell.runlog.folders import find_run
from askwell.runlog.store import SqliteStore


@click.command()
@click.argument("run")
@flags(CONNECTION_FLAGS, [FOLDER_FLAG], BUDGET_FLAGS)
@JSON_FLAG
@reports_errors
def retry(run: str, *, as_json: bool, folder: Path, **values: Any) -> None:
    """Retry the calls of a run that failed permanently, and update its result.

    No answered call is made again. Works on finished and unfinished runs.
    """
    config = read_resumed_config(run, overrides({**values, "folder": str(folder)}), called=("target",))
    job = build_optimize_job(config)
    log = find_run(folder, run)
    models = [cast("Metered", job.target_setup.model)]
    with SqliteStore(log) as store:
        with exits_on_interrupt(f"askwell retry {run} goes on from here", log), live_progress(models) as live:
            repaired = run_blocking(lambda stopper: retry_missing(job, store, stopper, live))
        updated = run_report.build_report(store)
    assert updated is not None  # retry_missing refuses a run without a scored prompt
    if as_json:
        counts = {"missing": repaired.missing, "filled": repaired.filled}
        identity = {"run": run, "prompt": updated.best.prompt.instruction}
        tables.print_json({**identity, **counts, **run_report.report_json(updated)})
        return
    out = Console()
    out.print(_summary(repaired), highlight=False)
    if repaired.filled:
        for part in tables.report_parts(updated):
            out.print(part, highlight=False)


def _summary(repaired: RetryResult) -> str:
    if not repaired.missing:
        return "Nothing is missing: every call has been answered."
    return f"{repaired.filled} of {repaired.missing} missing calls answered; no answered call was made again."

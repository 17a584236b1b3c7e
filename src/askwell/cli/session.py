"""What optimize, evaluate and retry share: progress, Ctrl-C and tracing."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import click

from askwell.api.config import Config
from askwell.cli import tables
from askwell.cli.console import Console
from askwell.cli.exit_codes import INTERRUPTED
from askwell.models.parts import parts_of
from askwell.models.wrappers.meter import Metered
from askwell.models.wrappers.traced import TraceExport
from askwell.report.live import progress
from askwell.report.live.progress import LiveProgress
from askwell.runlog import batches
from askwell.runlog.store import SqliteStore
from askwell.tasks.task import Task


@contextmanager
def exits_on_interrupt(advice: str, log: Path | None = None) -> Generator[None]:
    """Exit with advice instead of a traceback when Ctrl-C has stopped the engine; `log` is read for open batches."""
    try:
        yield
    except KeyboardInterrupt:
        still_open = "" if log is None else _open_batches(log)
        advice = f"{still_open}{advice[:1].upper()}{advice[1:]}"
        print(f"\naskwell: stopped in order. {advice}", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _open_batches(log: Path) -> str:
    with SqliteStore(log, read_only=True) as store:
        unfetched = batches.unfetched(store)
    if not unfetched:
        return ""
    return f"Batch {', '.join(unfetched)} goes on at the provider and is fetched when the run is resumed. "


def print_warnings(task: Task) -> None:
    """Print what the user should know about the data, on standard error."""
    for warning in task.warnings:
        click.echo(f"askwell: warning: {warning}", err=True)


def live_progress(models: list[Metered]) -> LiveProgress:
    """Return a watcher that draws progress on standard error."""
    return progress.live_progress(Console(stderr=True), models)


def exported_spans(config: Config) -> AbstractContextManager[None]:
    """Send spans to a collector while a traced run is running."""
    return nullcontext() if config.run.trace == "off" else TraceExport(config.run.name)


def print_spending(out: Console, models: list[Metered], seconds: float) -> None:
    """Print what this session spent, and how many calls each member of a pool answered."""
    out.print(tables.format_session_spend([model.totals for model in models], seconds), highlight=False)
    for model in models:
        members = parts_of(model).members
        if members is not None:
            out.print(tables.format_pool_members(members()), highlight=False)

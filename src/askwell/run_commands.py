"""What is done with a run that is there: fill its gaps, look at one cell, take its prompt elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, cast

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from askwell import commands, report, runs, tables
from askwell.api import call_view as cells
from askwell.api.build_jobs import optimize_job
from askwell.api.call_view import CellView
from askwell.api.logged import resumed
from askwell.blocking import run_blocking
from askwell.errors import ConfigError
from askwell.export import Found
from askwell.export import export as exported
from askwell.models.meter import Metered
from askwell.pages import page
from askwell.records import outcome_columns, request_body
from askwell.repair import Repaired, fill
from askwell.store import SqliteStore

_SHOWN = 20


def retry(folder: Path, name: str, *, as_json: bool, overrides: dict[str, Any]) -> None:
    """Ask again for the cells of a run that failed for good."""
    config = resumed(name, overrides)
    job = optimize_job(config)
    models = [cast("Metered", job.side.model)]
    with SqliteStore(runs.find_run(folder, name)) as store:
        again = f"askwell retry {name} goes on from here"
        with commands.ctrl_c(again, runs.find_run(folder, name)), commands.live_progress(models) as live:
            done = run_blocking(lambda stopper: fill(job, store, stopper, live))
        found = report.report(store)
    assert found is not None  # fill refuses a run without a scored prompt
    if as_json:
        tables.print_json({"run": name, "missing": done.missing, "filled": done.filled, **report.as_json(found)})
        return
    out = Console()
    out.print(_told(done), highlight=False)
    if done.filled:
        for part in tables.run_report(found):
            out.print(part, highlight=False)


def _told(done: Repaired) -> str:
    if not done.missing:
        return "Nothing is missing: every cell that was asked for has been answered."
    return f"{done.filled} of {done.missing} missing cells filled; nothing answered before was asked again."


def show_cell(folder: Path, name: str, place: str, *, as_json: bool) -> None:
    """Print everything about one cell."""
    with SqliteStore(runs.find_run(folder, name), read_only=True) as store:
        found = cells.find(store, place)
    if as_json:
        tables.print_json([cell_json(view) for view in found])
        return
    out = Console()
    for view in found:
        for part in _cell_page(view):
            out.print(part, highlight=False)


def list_cells(folder: Path, name: str, *, as_json: bool) -> None:
    """List the best prompt's cells, missing and worst ones first."""
    with SqliteStore(runs.find_run(folder, name), read_only=True) as store:
        found = cells.worst(store)
        if as_json:
            tables.print_json([cell_json(view) for view in found])
        else:
            Console().print(_cell_table(islice(found, _SHOWN)))


def show_diff(folder: Path, name: str) -> None:
    """Print what changed between the initial prompt and the best one, word by word."""
    found = _report(folder, name)
    print(report.prompt_diff(found.initial.prompt.instruction, found.best.prompt.instruction))  # noqa: T201


def export(folder: Path, name: str, form: str, output: Path | None) -> None:
    """Write a run's best prompt in another tool's form, to a file or standard output."""
    found = _report(folder, name)
    with SqliteStore(runs.find_run(folder, name), read_only=True) as store:
        render = cells.render_of(store)
    data = exported(Found(report=found, render=render), form).encode("utf-8", "surrogatepass")
    if output is None:
        sys.stdout.buffer.write(data)
        return
    _write(output, data)


def write_page(folder: Path, name: str, form: str, output: Path | None) -> None:
    """Write a run's page, into its folder unless a file is given, and say where it is."""
    log = runs.find_run(folder, name)
    with SqliteStore(log, read_only=True) as store:
        text = page(store, name, form)
    place = output or log.with_name(f"report.{form}")
    _write(place, text.encode("utf-8"))
    Console().print(Text(f"Written: {place}"))


def _write(output: Path, data: bytes) -> None:
    try:
        output.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"cannot write {str(output)!r}: {error.strerror or error}; give another -o") from error


def cell_json(view: CellView) -> dict[str, object]:
    """Return a cell as JSON-able values."""
    return {
        "cell": view.place,
        "step": view.step,
        "split": view.split,
        "draw": view.draw,
        "example": view.example.id,
        "target": view.example.target,
        "request": request_body(view.request),
        "request_is_exact": view.is_exact,
        **outcome_columns(view.completion, view.score),
        "seconds": view.seconds,
        "cached": view.cached,
    }


def _report(folder: Path, name: str) -> report.Report:
    with SqliteStore(runs.find_run(folder, name), read_only=True) as store:
        found = report.report(store)
    if found is None:
        raise ConfigError(f"the run {name!r} has not scored its first prompt yet; look again later, or resume it")
    return found


def _cell_page(view: CellView) -> Iterator[RenderableType]:
    request, completion, score = view.request, view.completion, view.score
    yield Text(f"Cell {view.place} · {view.split}, step {view.step}, draw {view.draw}", style="bold")
    sent = {True: "as sent", False: "NOT as sent: other parameters, or other code", None: "made again from the log"}
    yield Text(
        f"Request ({sent[view.is_exact]}): temperature {request.temperature:g}, max_tokens {request.max_tokens}, "
        f"seed {request.seed}"
    )
    for message in request.messages:
        yield Text(f"[{message.role}]", style="dim")
        yield Text(message.content)
    usage = completion.usage
    money = "" if usage.cost_usd is None else f", ${usage.cost_usd:.6f}"
    source = ", answered from the log" if view.cached else f", {view.seconds:.2f} s"
    yield Text(
        f"Response ({completion.outcome}): {usage.prompt_tokens} + {usage.completion_tokens} tokens{money}{source}"
    )
    yield Text(completion.text)
    if completion.error:
        yield Text(f"Error ({completion.fault or completion.outcome}): {completion.error}")
    if score is None:
        yield Text("Score: missing; the call failed, so there is none")
    else:
        note = f" ({score.note})" if score.note else ""
        yield Text(f"Score: {score.value:g}; read {score.answer!r}, expected {view.example.target!r}{note}")


def _cell_table(found: Iterable[CellView]) -> Table:
    table = Table(title="Cells of the best prompt, missing and worst first", title_justify="left")
    for heading in ("cell", "split", "outcome", "score", "read", "expected"):
        table.add_column(heading, overflow="fold")
    for view in found:
        score = view.score
        read, value = ("", "missing") if score is None else (score.answer, f"{score.value:g}")
        table.add_row(
            Text(view.place), view.split, view.completion.outcome, value, Text(read), Text(str(view.example.target))
        )
    return table

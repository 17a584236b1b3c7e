"""`askwell show`: a run's report, its best prompt, what changed, and single calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import click
from rich.console import RenderableType
from rich.table import Table

from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.flags import FOLDER_FLAG, JSON_FLAG, reports_errors, runs_flag
from askwell.cli.streams import write_exact
from askwell.core.errors import ConfigError
from askwell.report import call_view as cells
from askwell.report import run_report
from askwell.report.call_view import RolloutView
from askwell.runlog.codec import encode_request, flatten_outcome
from askwell.runlog.folders import find_run, is_training
from askwell.runlog.reading import read_events
from askwell.runlog.store import SqliteStore

_SHOWN = 20


@click.command()
@click.argument("run")
@FOLDER_FLAG
@JSON_FLAG
@click.option("--prompt", "prompt_only", is_flag=True, help="Print only the best prompt, exactly as it is sent.")
@click.option("--diff", is_flag=True, help="Print what changed against the initial prompt, word by word.")
@click.option("--calls", "list_calls", is_flag=True, help="List the best prompt's calls, missing and worst ones first.")
@click.option(
    "--call", metavar="PROMPT:EXAMPLE[:SAMPLE]", help="Print one call in full (PROMPT: an id, initial or best)."
)
@reports_errors
def show(
    run: str, *, folder: Path, as_json: bool, prompt_only: bool, diff: bool, list_calls: bool, call: str | None
) -> None:
    """Show a run: best prompt, what changed, curve, spend, single calls.

    Works while the run is in progress.
    """
    if call is not None:
        _show_call(folder, run, call, as_json=as_json)
    elif list_calls:
        _list_calls(folder, run, as_json=as_json)
    elif diff:
        scored = read_report(folder, run)
        print(run_report.format_diff(scored.initial.prompt.instruction, scored.best.prompt.instruction))
    else:
        _show_run(folder, run, as_json=as_json, prompt_only=prompt_only)


def read_report(folder: Path, name: str) -> run_report.Report:
    """Return a run's report. Raises `ConfigError` for a training, and for a run without a scored prompt."""
    with SqliteStore(find_run(folder, name), read_only=True) as store:
        header = next(read_events(store, kinds=["run"]), None)
        scored = run_report.build_report(store)
    if header is not None and is_training(header.body):
        raise ConfigError(f"the run {name!r} is a training; askwell policy show {name} shows it")
    if scored is None:
        raise ConfigError(f"the run {name!r} has not scored its first prompt yet; look again later, or resume it")
    return scored


def _show_run(folder: Path, name: str, *, as_json: bool, prompt_only: bool) -> None:
    scored = read_report(folder, name)
    if prompt_only:
        write_exact(run_report.format_prompt(scored.best.prompt))
    elif as_json:
        tables.print_json({"run": name, "prompt": scored.best.prompt.instruction, **run_report.report_json(scored)})
    else:
        out = Console()
        for part in tables.report_parts(scored):
            out.print(part, highlight=False)
        if not scored.finished:
            force = " --force" if scored.needs_force else ""
            command = f"askwell optimize --resume {name}{runs_flag(folder)}{force}"
            out.print(f"Not finished. Go on with: {command}", highlight=False, markup=False)


def _show_call(folder: Path, name: str, which: str, *, as_json: bool) -> None:
    with SqliteStore(find_run(folder, name), read_only=True) as store:
        matching = cells.find_calls(store, which)
    if as_json:
        tables.print_json([_call_json(view) for view in matching])
        return
    out = Console()
    for view in matching:
        for part in _call_page(view):
            out.print(part, highlight=False)


def _list_calls(folder: Path, name: str, *, as_json: bool) -> None:
    with SqliteStore(find_run(folder, name), read_only=True) as store:
        worst_first = cells.worst_calls(store)
        if as_json:
            tables.print_json([_call_json(view) for view in worst_first])
        else:
            Console().print(_call_table(islice(worst_first, _SHOWN)))


def _call_json(view: RolloutView) -> dict[str, object]:
    return {
        "cell": view.call_id,
        "step": view.step,
        "split": view.split,
        "sample_index": view.sample_index,
        "example": view.example.id,
        "target": view.example.target,
        "request": encode_request(view.request),
        "request_is_exact": view.is_exact,
        **flatten_outcome(view.completion, view.score),
        "seconds": view.seconds,
        "cached": view.cached,
    }


def _call_page(view: RolloutView) -> Iterator[RenderableType]:
    request, completion, score = view.request, view.completion, view.score
    yield Text(f"Call {view.call_id} · {view.split}, step {view.step}, sample {view.sample_index}", style="bold")
    sent = {
        True: "as sent",
        False: "NOT as sent: the parameters or the code have changed",
        None: "rebuilt from the log",
    }
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
        yield Text("Score: missing, as the call failed")
    else:
        note = f" ({score.note})" if score.note else ""
        yield Text(f"Score: {score.value:g}; read {score.answer!r}, expected {view.example.target!r}{note}")


def _call_table(calls: Iterable[RolloutView]) -> Table:
    table = Table(title="Calls of the best prompt, missing and worst first", title_justify="left")
    for heading in ("cell", "split", "outcome", "score", "read", "expected"):
        table.add_column(heading, overflow="fold")
    for view in calls:
        score = view.score
        read, value = ("", "missing") if score is None else (score.answer, f"{score.value:g}")
        table.add_row(
            Text(view.call_id), view.split, view.completion.outcome, value, Text(read), Text(str(view.example.target))
        )
    return table

"""`askwell show`: a run's report, its best prompt, what changed, an evaluation's prompts, and single calls."""

from __future__ import annotations

from pathlib import Path

import click

from askwell.cli import call_tables, tables
from askwell.cli.console import Console, Text
from askwell.cli.flags import FOLDER_FLAG, JSON_FLAG, reports_errors, runs_flag
from askwell.cli.streams import write_exact
from askwell.core.errors import ConfigError
from askwell.report import call_view, run_report
from askwell.report.evaluation import EvaluationReport, evaluation_report_json, read_evaluation
from askwell.report.still_wrong import still_wrong_json
from askwell.runlog.fold import read_header
from askwell.runlog.folders import find_run, is_evaluation, is_training
from askwell.runlog.reading import read_events
from askwell.runlog.store import SqliteStore


@click.command()
@click.argument("run")
@FOLDER_FLAG
@JSON_FLAG
@click.option("--prompt", "prompt_only", is_flag=True, help="Print only the best prompt, exactly as it is sent.")
@click.option("--diff", is_flag=True, help="Print what changed against the initial prompt, word by word.")
@click.option(
    "--calls",
    "list_calls",
    is_flag=True,
    help="List the best prompt's calls with question and reply, missing and worst ones first.",
)
@click.option(
    "--call", metavar="PROMPT:EXAMPLE[:SAMPLE]", help="Print one call in full (PROMPT: an id, initial or best)."
)
@click.option(
    "--test",
    "with_test",
    is_flag=True,
    help="With --calls or --call: show test examples too. Whoever tunes a prompt to them has no held-out score left.",
)
@reports_errors
def show(
    run: str,
    *,
    folder: Path,
    as_json: bool,
    prompt_only: bool,
    diff: bool,
    list_calls: bool,
    call: str | None,
    with_test: bool,
) -> None:
    """Show a run: best prompt, what changed, what is still wrong, curve, spend, single calls.

    Of an evaluation: its prompts with scores and differences to the first. Works while the run is in progress.
    """
    if call is not None:
        _show_call(folder, run, call, as_json=as_json, with_test=with_test)
    elif list_calls:
        _list_calls(folder, run, as_json=as_json, with_test=with_test)
    elif diff:
        scored = read_report(folder, run)
        print(run_report.format_diff(scored.initial.prompt.instruction, scored.best.prompt.instruction))
    else:
        _show_run(folder, run, as_json=as_json, prompt_only=prompt_only)


def read_report(folder: Path, name: str) -> run_report.Report:
    """Return an optimization's report. Raises `ConfigError` for another run, and for one without a scored prompt."""
    with SqliteStore(find_run(folder, name), read_only=True) as store:
        header = next(read_events(store, kinds=["run"]), None)
        scored = run_report.build_report(store)
    if header is not None and is_training(header.body):
        raise ConfigError(f"the run {name!r} is a training; askwell policy show {name} shows it")
    if header is not None and is_evaluation(header.body):
        raise ConfigError(
            f"the run {name!r} is an evaluation, which chooses no prompt; askwell show {name} shows all its prompts"
        )
    if scored is None:
        raise ConfigError(f"the run {name!r} has not scored its first prompt yet; look again later, or resume it")
    return scored


def _show_run(folder: Path, name: str, *, as_json: bool, prompt_only: bool) -> None:
    if not prompt_only and (evaluated := _read_evaluation(folder, name)) is not None:
        _show_evaluation(evaluated, name, as_json=as_json)
        return
    scored = read_report(folder, name)
    still_wrong = scored.replies.still_wrong if scored.replies else None
    if prompt_only:
        write_exact(run_report.format_prompt(scored.best.prompt))
    elif as_json:
        wrong = {"still_wrong": still_wrong_json(still_wrong)} if still_wrong else {}
        tables.print_json(
            {"run": name, "prompt": scored.best.prompt.instruction, **run_report.report_json(scored), **wrong}
        )
    else:
        out = Console()
        for part in (
            *tables.report_parts(scored),
            *(call_tables.still_wrong_parts(still_wrong, name) if still_wrong else ()),
        ):
            out.print(part, highlight=False)
        if not scored.finished:
            force = " --force" if scored.needs_force else ""
            command = f"askwell optimize --resume {name}{runs_flag(folder)}{force}"
            out.print(f"Not finished. Go on with: {command}", highlight=False, markup=False)


def _read_evaluation(folder: Path, name: str) -> EvaluationReport | None:
    """Read a run that is an evaluation; None for another one. Raises `ConfigError` before it has a score."""
    with SqliteStore(find_run(folder, name), read_only=True) as store:
        if not is_evaluation(read_header(store)):
            return None
        evaluated = read_evaluation(store)
    if evaluated is None:
        raise ConfigError(f"the evaluation {name!r} has scored no prompt yet; look again later, or run it again")
    return evaluated


def _show_evaluation(evaluated: EvaluationReport, name: str, *, as_json: bool) -> None:
    if as_json:
        tables.print_json({"run": name, **evaluation_report_json(evaluated)})
        return
    out = Console()
    for part in tables.evaluation_parts(evaluated):
        out.print(part, highlight=False)


def _show_call(folder: Path, name: str, which: str, *, as_json: bool, with_test: bool) -> None:
    with SqliteStore(find_run(folder, name), read_only=True) as store:
        matching = call_view.find_calls(store, which, with_test=with_test)
    if as_json:
        tables.print_json([call_tables.call_json(view) for view in matching])
        return
    out = Console()
    for view in matching:
        for part in call_tables.call_page(view):
            out.print(part, highlight=False)


def _list_calls(folder: Path, name: str, *, as_json: bool, with_test: bool) -> None:
    with SqliteStore(find_run(folder, name), read_only=True) as store:
        worst_first = call_view.worst_calls(store, with_test=with_test)
        is_held_out = call_view.holds_test_out(store) and not with_test
    if as_json:
        tables.print_json([call_tables.call_json(view) for view in worst_first])
        return
    out = Console()
    for part in call_tables.call_parts(worst_first):
        out.print(part)
    if is_held_out:
        out.print(Text("Calls on the test split are not listed; --test lists them."))

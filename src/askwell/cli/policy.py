"""`askwell policy`: use a trained policy, and show what was measured of it."""

from __future__ import annotations

from pathlib import Path

import click

from askwell.api.open import has_log, load_policy
from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.estimate import estimate
from askwell.cli.flags import FOLDER_FLAG, JSON_FLAG, reports_errors
from askwell.cli.streams import write_exact
from askwell.cli.training_tables import selection_sentence, training_json, training_report
from askwell.core.errors import ConfigError
from askwell.policies.data.offline import find_run_log
from askwell.policies.fallback_threshold import encode_fallback
from askwell.policies.training_figures import read_figures
from askwell.runlog import folders
from askwell.runlog.fold import read_header
from askwell.runlog.store import SqliteStore


@click.group()
def policy() -> None:
    """Use a trained policy, and show what was measured of it."""


policy.add_command(estimate)


@policy.command("prompt")
@click.argument("run")
@click.argument("queries", nargs=-1, required=True, metavar="QUERY...")
@FOLDER_FLAG
@JSON_FLAG
@reports_errors
def print_prompts(run: str, queries: tuple[str, ...], *, folder: Path, as_json: bool) -> None:
    """Print the prompt that the policy sends with each QUERY."""
    prompts = load_policy(run, runs_folder=folder).prompts_for(queries)
    if as_json:
        tables.print_json([
            {"query": query, "prompt": prompt.instruction, "demonstrations": [demo.input for demo in prompt.demos]}
            for query, prompt in zip(queries, prompts, strict=True)
        ])  # fmt: skip
        return
    for prompt in prompts:
        write_exact(prompt.instruction + "\n")


@policy.command("show")
@click.argument("run")
@FOLDER_FLAG
@JSON_FLAG
@reports_errors
def show_training(run: str, *, folder: Path, as_json: bool) -> None:
    """Show a training: headroom, each loop's figures, the test; for a policy that only selects, its gain."""
    if not has_log(run, folder):
        _show_selection(run, folder, as_json=as_json)
        return
    with SqliteStore(find_run_log(run, folder), read_only=True) as store:
        if not folders.is_training(read_header(store)):
            raise ConfigError(f"the run {run!r} is an optimization, not a training; askwell show {run} shows it")
        training = read_figures(store)
    if training is None:
        raise ConfigError(f"the training {run!r} has not measured its headroom yet; look again later, or resume it")
    if as_json:
        tables.print_json(training_json(training))
        return
    for part in training_report(training):
        Console().print(part, highlight=False)


def _show_selection(name: str, folder: Path, *, as_json: bool) -> None:
    from askwell.policies.selection.selection import SelectionPolicy  # it imports numpy

    selector = load_policy(name, runs_folder=folder)
    if not isinstance(selector, SelectionPolicy):
        raise ConfigError(f"{name!r} is a policy without a log: nothing was measured of it")
    if as_json:
        tables.print_json({
            "prompts": list(selector.prompts),
            "static_prompt": selector.prompts[selector.baseline],
            "scorer": selector.name,
            "guard": encode_fallback(selector.fallback),
        })  # fmt: skip
        return
    Console().print(Text(selection_sentence(selector)))

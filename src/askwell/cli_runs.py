"""Commands around a run: what it will cost, and what its log holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from askwell.cli_flags import (
    BUDGET_FLAGS,
    DATA_FLAGS,
    OPTIMIZER_FLAGS,
    REACH_FLAGS,
    RUNS_FLAG,
    SEARCH_FLAGS,
    TARGET_FLAGS,
    flags,
    overrides,
    told,
)


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@flags(OPTIMIZER_FLAGS, DATA_FLAGS, TARGET_FLAGS, SEARCH_FLAGS, [RUNS_FLAG], BUDGET_FLAGS)
@click.option("--latency", type=float, metavar="SECONDS", help="What a target call usually takes (default: a guess).")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@told
def plan(config: Path | None, latency: float | None, as_json: bool, **given: Any) -> None:
    """Say what `askwell optimize` with these flags would cost: calls, tokens, money, time. Asks no model."""
    from askwell import plan_commands

    plan_commands.plan(config, latency_s=latency, as_json=as_json, overrides=overrides(given))


@click.command()
@click.argument("run")
@flags(REACH_FLAGS, [RUNS_FLAG], BUDGET_FLAGS)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@told
def retry(run: str, as_json: bool, folder: str | None, **given: Any) -> None:
    """Ask again for the cells of a run that failed for good, and bring its result up to date.

    Nothing that was answered is paid for again. Works on finished and unfinished runs.
    """
    from askwell import run_commands

    changes = overrides({**given, "folder": folder})
    run_commands.retry(Path(folder or "runs"), run, as_json=as_json, overrides=changes)


@click.command()
@click.argument("run")
@click.option(
    "--format", "form", default="text", metavar="FORMAT", help="text (default), json, dspy, promptfoo or langchain."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write (default: standard output).")
@RUNS_FLAG
@told
def export(run: str, form: str, output: Path | None, folder: str | None) -> None:
    """Write a run's best prompt in the form that another tool takes."""
    from askwell import run_commands

    run_commands.export(Path(folder or "runs"), run, form, output)


@click.command()
@click.argument("run")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write (default: report.html in the run's folder)."
)
@click.option("--format", "form", default="html", metavar="FORMAT", help="html (default) or md.")
@RUNS_FLAG
@told
def report(run: str, output: Path | None, form: str, folder: str | None) -> None:
    """Write a run or a training as a page to look at, or as Markdown.

    The page: scores, curve, what changed, examples made right and wrong, the prompts tried, spend. It is one file that
    loads nothing and runs no script. Markdown: verdict, scores, prompt, spend. Works while the run is on.
    """
    from askwell import run_commands

    run_commands.write_page(Path(folder or "runs"), run, form, output)


COMMANDS = (plan, retry, export, report)

"""`askwell evaluate`: score prompts on a data set, without optimizing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import click

from askwell.api.build_jobs import build_evaluate_job
from askwell.api.build_models import describe_addresses
from askwell.api.build_task import resolve_answer_type
from askwell.api.config import Config
from askwell.api.config_file import read_config
from askwell.api.evaluate import execute_evaluation
from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.flags import (
    DATA_FLAGS,
    JSON_FLAG,
    RUNS_FLAG,
    TARGET_FLAGS,
    flags,
    overrides,
    read_prompt,
    reports_errors,
)
from askwell.cli.session import exits_on_interrupt, exported_spans, live_progress, print_spending, print_warnings
from askwell.core.errors import ConfigError
from askwell.engine.jobs import EvaluateJob
from askwell.models.wrappers.meter import Metered
from askwell.report.evaluation import describe_evaluations, evaluation_json
from askwell.report.reply_report import commonest_json
from askwell.runlog import folders
from askwell.runlog.store import MemoryStore, RunStore, SqliteStore


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--prompt", "prompts", multiple=True, help="A prompt to score; may be repeated.")
@click.option("--prompt-file", "files", multiple=True, type=click.Path(path_type=Path), help="A file with a prompt.")
@flags(DATA_FLAGS, TARGET_FLAGS)
@click.option("--run", "run_name", metavar="NAME", help="Name of the folder that keeps the answers.")
@RUNS_FLAG
@click.option(
    "--ask-twice",
    type=int,
    default=0,
    metavar="INTEGER",
    help="Ask this many questions a second time, and say how many replies differ (default 0).",
)
@JSON_FLAG
@reports_errors
def evaluate(
    config: Path | None,
    *,
    prompts: tuple[str, ...],
    files: tuple[Path, ...],
    ask_twice: int,
    as_json: bool,
    **values: Any,
) -> None:
    """Score one or several prompts on a data set, with 95 % intervals.

    Prints each prompt's accuracy, and its paired difference to the first prompt. Below it, how the calls ended, the
    score of always giving the commonest target, and a warning with one reply where most replies cannot be scored.
    """
    settings = read_config(config, overrides(values))
    texts = [*prompts, *(read_prompt(path) for path in files)] or ([settings.prompt] if config else [])
    if not texts:
        raise ConfigError('no prompts; give --prompt "…" (once or more) or --prompt-file FILE')
    if settings.target.batch and not settings.run.name:
        raise ConfigError("--batch needs --run NAME: the run's log is needed to fetch open batches after a restart")
    _evaluate(settings, build_evaluate_job(settings, texts, ask_twice=ask_twice), as_json=as_json)


def _evaluate(config: Config, job: EvaluateJob, *, as_json: bool) -> None:
    print_warnings(job.target_setup.task)
    log = folders.log_path(Path(config.run.folder), config.run.name) if config.run.name else None
    store: RunStore = MemoryStore() if log is None else SqliteStore(log)
    model = cast("Metered", job.target_setup.model)
    if where := describe_addresses(config.target, flag="--target"):
        click.echo(f"Target: {where}.", err=True)
    begun = time.monotonic()
    advice = "" if log is None else "run it again with the same --run: answered calls are kept"
    with exported_spans(config), exits_on_interrupt(advice, log), live_progress([model]) as live:
        evaluations = execute_evaluation(job, store, live)
    seconds = time.monotonic() - begun
    metric = resolve_answer_type(config.task)
    if as_json:
        tables.print_json({
            "data": config.task.data,
            "metric": metric,
            "commonest": commonest_json(evaluations[0].commonest),
            "prompts": [evaluation_json(evaluation) for evaluation in evaluations],
            "calls": model.totals.calls,
            "seconds": round(seconds, 3),
        })  # fmt: skip
        return
    out = Console()
    out.print(tables.evaluations_table(evaluations))
    for note in describe_evaluations(evaluations, metric=metric, temperature=config.target.temperature):
        out.print(Text(note), highlight=False)
    print_spending(out, [model], seconds)

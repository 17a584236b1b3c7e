"""`askwell optimize`: optimize a prompt, or resume a run."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import click

from askwell.api.build_jobs import build_optimize_job
from askwell.api.config import Config
from askwell.api.config_file import read_config
from askwell.api.logged import read_resumed_config
from askwell.api.optimize import Result, execute_optimization
from askwell.cli import tables
from askwell.cli.console import Console
from askwell.cli.flags import (
    BUDGET_FLAGS,
    DATA_FLAGS,
    JSON_FLAG,
    OPTIMIZER_FLAGS,
    OPTIMIZER_MODEL_FLAGS,
    RUNS_FLAG,
    TARGET_FLAGS,
    flags,
    overrides,
    reports_errors,
    runs_flag,
)
from askwell.cli.plan import announce_plan
from askwell.cli.session import exits_on_interrupt, exported_spans, live_progress, print_spending
from askwell.core.errors import ConfigError, ModelError, RunFailed, UnusableReplies
from askwell.engine.jobs import OptimizeJob
from askwell.models.wrappers.meter import Metered
from askwell.report import run_report
from askwell.report.live.progress import LiveProgress
from askwell.runlog import folders


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@flags(OPTIMIZER_MODEL_FLAGS, DATA_FLAGS, TARGET_FLAGS, OPTIMIZER_FLAGS, [RUNS_FLAG], BUDGET_FLAGS)
@click.option("--resume", metavar="RUN", help="Resume a run: no answered call is made again.")
@click.option(
    "--force",
    is_flag=True,
    default=None,
    help="Go on although most replies to the initial prompt cannot be scored.",
)
@click.option(
    "--yes",
    is_flag=True,
    help="Don't ask before a run that is expected to cost more than $5, or whose price is unknown.",
)
@JSON_FLAG
@reports_errors
def optimize(config: Path | None, *, resume: str | None, yes: bool, as_json: bool, **values: Any) -> None:
    """Optimize a prompt, configured by a CONFIG file (TOML), by flags, or both (flags win)."""
    changes = overrides(values, {"force": "run.force"})
    if resume:
        _optimize(read_resumed_config(resume, changes), as_json=as_json)
    else:
        _optimize(_new_run(config, changes), as_json=as_json, announce=True, yes=yes)


def optimize_named(config: Config) -> str:
    """Run an optimization under a name (made up if the config has none), print its report, and return the name."""
    named = _with_name(config)
    _optimize(named, as_json=False)
    return named.run.name


def resume_command(folder: Path, name: str) -> str:
    """Return the command that resumes a run."""
    return f"askwell optimize --resume {name}{runs_flag(folder)}"


def _optimize(config: Config, *, as_json: bool, announce: bool = False, yes: bool = True) -> None:
    folder, name = Path(config.run.folder), config.run.name
    job = build_optimize_job(config)
    if announce:
        announce_plan(config, job, yes=yes)
    models = [cast("Metered", job.target_setup.model), cast("Metered", job.optimizer_model)]
    begun = time.monotonic()
    advice = f"go on with: {resume_command(folder, name)}"
    with (
        exported_spans(config),
        exits_on_interrupt(advice, folder / name / folders.LOG),
        live_progress(models) as live,
    ):
        result = _execute(job, folder / name, live)
    if as_json:
        tables.print_json({"run": name, "prompt": result.prompt, **run_report.report_json(result.report)})
        return
    out = Console()
    for part in tables.report_parts(result.report, with_findings=not live.has_shown_findings):
        out.print(part, highlight=False)
    print_spending(out, models, time.monotonic() - begun)
    flag = runs_flag(folder)
    out.print(
        f"Run log: {folder / name / folders.LOG} · askwell show {name}{flag} · as a page: askwell report {name}{flag}",
        highlight=False,
        soft_wrap=True,
    )


def _execute(job: OptimizeJob, folder: Path, live: LiveProgress) -> Result:
    try:
        return execute_optimization(job, folder, live)
    except UnusableReplies as error:
        raise UnusableReplies(f"{error}: {resume_command(folder.parent, folder.name)} --force") from error
    except (RunFailed, ModelError) as error:
        if not (folder / folders.LOG).exists():
            raise type(error)(f"{error}\nNo run was kept: start it again when this is repaired") from error
        command = resume_command(folder.parent, folder.name)
        more = (
            " (with the right --base-url or --api-key-env, if they were wrong)" if isinstance(error, ModelError) else ""
        )
        raise type(error)(f"{error}\nGo on with: {command}{more}") from error


def _new_run(path: Path | None, overrides: dict[str, Any]) -> Config:
    config = _with_name(read_config(path, overrides))
    folder, name = Path(config.run.folder), config.run.name
    if folders.is_begun(folder, name):
        raise ConfigError(
            f"the run {name!r} exists; go on with it ({resume_command(folder, name)}) or choose another --run"
        )
    return config


def _with_name(config: Config) -> Config:
    """Give the run a name if it has none."""
    if config.run.name:
        folders.log_path(Path(config.run.folder), config.run.name)  # refuses a name that can't be a folder's
        return config
    task = config.task.name or Path((config.task.data or config.task.dev).rpartition(":")[2]).stem
    name = folders.free_name(Path(config.run.folder), task)
    return replace(config, run=replace(config.run, name=name))

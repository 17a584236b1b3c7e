"""What the command line does, once the flags are read: build, run, print."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from askwell import batch_notes, plan_commands, report, runs, tables
from askwell.api.build_jobs import evaluate_job, optimize_job
from askwell.api.config import Config
from askwell.api.config_file import read_config
from askwell.api.logged import resumed
from askwell.api.optimize import Result, execute, execute_evaluation
from askwell.errors import ConfigError, ModelError, RunFailed
from askwell.job import OptimizeJob
from askwell.methods import PRESETS
from askwell.models.meter import Metered, Totals
from askwell.models.traced import Exporting
from askwell.models.wrappers import batched_in, pool_in
from askwell.progress import LiveProgress
from askwell.store import MemoryStore, RunStore, SqliteStore

_INTERRUPTED = 130


def optimize(path: Path | None, *, resume: str | None, yes: bool, as_json: bool, overrides: dict[str, Any]) -> None:
    """Optimize by a config file and flags, or go on with a run, and print what was found."""
    config = resumed(resume, overrides) if resume else _new(path, overrides)
    _optimize(config, as_json=as_json, announce=not resume, yes=yes)


def evaluate(path: Path | None, prompts: list[str], *, as_json: bool, overrides: dict[str, Any]) -> None:
    """Score prompts on all of a data set."""
    config = read_config(path, overrides)
    prompts = prompts or ([config.prompt] if path else [])
    if not prompts:
        raise ConfigError('no prompts; give --prompt "…" (once or more) or --prompt-file FILE')
    if config.target.batch and not config.run.name:
        raise ConfigError("--batch needs --run NAME: what is in a batch when you leave is found again by the run's log")
    job = evaluate_job(config, prompts)
    store: RunStore = MemoryStore()
    if config.run.name:
        store = SqliteStore(runs.log_path(Path(config.run.folder), config.run.name))
    model = cast("Metered", job.side.model)
    begun = time.monotonic()
    again = "run it again with the same --run: answered calls are kept" if config.run.name else ""
    log = runs.log_path(Path(config.run.folder), config.run.name) if config.run.name else None
    with _exported(config), ctrl_c(again, log), live_progress([model]) as live:
        found = execute_evaluation(job, store, live)
    spent, seconds = model.totals, time.monotonic() - begun
    if as_json:
        tables.print_json({"data": config.task.data, "prompts": [tables.evaluation_json(one) for one in found],
                     "calls": spent.calls, "seconds": round(seconds, 3)})  # fmt: skip
        return
    out = Console()
    out.print(tables.evaluations(found))
    out.print(tables.spent([spent], seconds), highlight=False)
    _print_members(out, [model])


def list_runs(folder: Path, *, as_json: bool) -> None:
    """List a folder's runs."""
    found = runs.summaries(folder)
    if as_json:
        tables.print_json([tables.summary_json(one) for one in found])
    elif found:
        Console().print(tables.summaries(found))
    else:
        Console().print(f"no runs in {str(folder)!r} yet; askwell optimize makes one", highlight=False)


def list_presets(*, as_json: bool) -> None:
    """List the optimizer presets with one line each."""
    if as_json:
        rows = [
            {"preset": name, "summary": one.summary, "settings": asdict(one.settings)} for name, one in PRESETS.items()
        ]
        tables.print_json(rows)
        return
    table = Table("preset", "what it does")
    for name, one in PRESETS.items():
        table.add_row(name, Text(one.summary))
    Console().print(table)


def show(folder: Path, name: str, *, as_json: bool, prompt_only: bool) -> None:
    """Print what a run's log says."""
    with SqliteStore(runs.find_run(folder, name), read_only=True) as store:
        found = report.report(store)
        header = next(store.events(kinds=["run"]), None)
    if header is not None and runs.is_training(header.body):
        raise ConfigError(f"the run {name!r} is a training; askwell policy show {name} shows it")
    if found is None:
        raise ConfigError(f"the run {name!r} has not scored its first prompt yet; look again later, or resume it")
    if prompt_only:
        sys.stdout.write(report.prompt_text(found.best.prompt))
    elif as_json:
        tables.print_json(report.as_json(found))
    else:
        out = Console()
        for part in tables.run_report(found):
            out.print(part, highlight=False)
        if not found.finished:
            out.print(f"Not finished. Go on with: {_resume_line(folder, name)}", highlight=False, markup=False)


def optimize_named(config: Config) -> str:
    """Run an optimization under a name (made up where the config has none), print its report, and return the name."""
    named = _named(config)
    _optimize(named, as_json=False)
    return named.run.name


def _optimize(config: Config, *, as_json: bool, announce: bool = False, yes: bool = True) -> None:
    folder, name = Path(config.run.folder), config.run.name
    job = optimize_job(config)
    if announce:
        plan_commands.announce(config, job, yes=yes)
    models = [cast("Metered", job.side.model), cast("Metered", job.optimizer_model)]
    begun = time.monotonic()
    again = f"go on with: {_resume_line(folder, name)}"
    with _exported(config), ctrl_c(again, folder / name / runs.LOG), live_progress(models) as live:
        result = _execute(job, folder / name, live)
    if as_json:
        tables.print_json({"run": name, "prompt": result.prompt, **report.as_json(result.report)})
        return
    out = Console()
    for part in tables.run_report(result.report):
        out.print(part, highlight=False)
    out.print(tables.spent([model.totals for model in models], time.monotonic() - begun), highlight=False)
    _print_members(out, models)
    flag = _runs_flag(folder)
    out.print(
        f"Run log: {folder / name / runs.LOG} · askwell show {name}{flag} · as a page: askwell report {name}{flag}",
        highlight=False,
        soft_wrap=True,
    )


def _execute(job: OptimizeJob, folder: Path, live: LiveProgress) -> Result:
    try:
        return execute(job, folder, live)
    except (RunFailed, ModelError) as error:
        line = _resume_line(folder.parent, folder.name)
        more = " (and --base-url or --api-key-env, where they were wrong)" if isinstance(error, ModelError) else ""
        raise type(error)(f"{error}\nGo on with: {line}{more}") from error


def _new(path: Path | None, overrides: dict[str, Any]) -> Config:
    config = _named(read_config(path, overrides))
    folder, name = Path(config.run.folder), config.run.name
    if runs.is_begun(folder, name):
        raise ConfigError(
            f"the run {name!r} exists; go on with it ({_resume_line(folder, name)}) or choose another --run"
        )
    return config


def _named(config: Config) -> Config:
    """Give the run a name where it has none."""
    if config.run.name:
        runs.log_path(Path(config.run.folder), config.run.name)  # refuses what is no folder name
        return config
    task = config.task.name or Path((config.task.data or config.task.dev).rpartition(":")[2]).stem
    name = runs.free_name(Path(config.run.folder), task)
    return replace(config, run=replace(config.run, name=name))


@contextmanager
def ctrl_c(advice: str, log: Path | None = None) -> Generator[None]:
    """End with advice instead of a traceback when Ctrl-C has stopped the engine; `log` tells of batches that are on."""
    try:
        yield
    except KeyboardInterrupt:
        batches = "" if log is None else _left_at_the_provider(log)
        advice = f"{batches}{advice[:1].upper()}{advice[1:]}"
        print(f"\naskwell: stopped in order. {advice}", file=sys.stderr)  # noqa: T201
        sys.exit(_INTERRUPTED)


def _left_at_the_provider(log: Path) -> str:
    with SqliteStore(log, read_only=True) as store:
        left = batch_notes.unfetched(store)
    if not left:
        return ""
    return f"Batch {', '.join(left)} goes on at the provider and is fetched when the run goes on. "


def live_progress(models: list[Metered]) -> LiveProgress:
    """Return a watcher that draws progress on standard error."""

    def totals() -> list[Totals]:
        return [model.totals for model in models]

    live = LiveProgress(Console(stderr=True), totals)
    for model in models:
        batched = batched_in(model)
        if batched is not None:
            batched.say = live.note
    return live


def _print_members(out: Console, models: list[Metered]) -> None:
    """Say what each member of a pool was asked, where there is one."""
    for model in models:
        pool = pool_in(model)
        if pool is not None:
            out.print(tables.members(pool.totals), highlight=False)


def _exported(config: Config) -> AbstractContextManager[None]:
    """Send spans to a collector while a traced run is on."""
    return nullcontext() if config.run.trace == "off" else Exporting(config.run.name)


def _resume_line(folder: Path, name: str) -> str:
    return f"askwell optimize --resume {name}{_runs_flag(folder)}"


def _runs_flag(folder: Path) -> str:
    return "" if folder == Path("runs") else f" --runs {folder}"

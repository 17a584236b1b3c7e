"""Optimize a prompt from Python, or plan that: blocking functions over the asynchronous engine.

The wings below take objects. Here a model may also be a name ("openai:MODEL", "pocket", "editor") or a plain
function, a metric a name or a function, and data a file, a list of dicts or examples. `arguments` converts them to a
config, and the builders make a job of it, as they do for a config file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from askwell.api.arguments import OptimizeArguments, build_optimize_config, takes
from askwell.api.build_jobs import build_optimize_job
from askwell.api.build_models import call_rate
from askwell.api.build_task import log_warnings
from askwell.api.config import Config
from askwell.api.plan import Plan, plan_job
from askwell.core.errors import ConfigError
from askwell.core.event_loop import run_blocking
from askwell.core.files import write_whole
from askwell.core.stats import Interval, format_interval
from askwell.core.text import quote_start
from askwell.core.types import Example
from askwell.engine.jobs import OptimizeJob
from askwell.engine.loop import Watch
from askwell.engine.replies.first_look import Finding
from askwell.report import run_report as reports
from askwell.report.live.terminal import watching
from askwell.runlog import folders
from askwell.runlog.store import RunStore, SqliteStore


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of an optimization."""

    prompt: str
    """The best instruction: exactly what is sent."""
    initial_prompt: str
    score: float
    """Mean score of `prompt` on the held-out test split (on dev if there is no test split), 0..1."""
    interval: Interval
    """95 % interval of `score`."""
    gain: Interval | None
    """`prompt` minus `initial_prompt` on the same test examples; None if the prompt did not change."""
    report: reports.Report
    run: Path | None
    """The run's folder; None for a run kept in memory."""
    demos: tuple[Example, ...] = ()
    """Demonstrations that `prompt` was scored with, in order: send them with the prompt."""

    def __repr__(self) -> str:
        gain = "" if self.gain is None else f", gain {format_interval(self.gain, signed=True)}"
        state = "" if self.finished else ", not finished"
        return f"<Result {format_interval(self.interval)}{gain}{state}: {quote_start(self.prompt)}>"

    @property
    def finished(self) -> bool:
        """Whether the run has ended; until then `score` is that on dev."""
        return self.report.finished

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was wrong with the initial prompt's replies on dev; empty if nothing was."""
        return self.report.findings

    def diff(self) -> str:
        """Format the word-by-word difference to the initial prompt."""
        return reports.format_diff(self.initial_prompt, self.prompt)

    def save(self, path: str | Path) -> Path:
        """Write the prompt with its demonstrations as text, or all results as `.json`, or the report as `.html`.

        The suffix of the path selects the format. Raises `ConfigError` for the report of a run kept in memory.
        """
        file = Path(path)
        if file.suffix == ".html":
            text = self._page()
        elif file.suffix == ".json":
            body = {"prompt": self.prompt, "initial_prompt": self.initial_prompt, **reports.report_json(self.report)}
            text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
        else:
            text = reports.format_prompt(self.report.best.prompt)
        write_whole(file, text.encode("utf-8", "surrogatepass"))
        return file

    def _page(self) -> str:
        from askwell.report.pages import render_page

        if self.run is None:
            raise ConfigError("a run kept in memory has no log to make a report from; give run=FOLDER")
        with SqliteStore(self.run / folders.LOG, read_only=True) as store:
            return render_page(store, self.run.name)


@takes(OptimizeArguments)
def optimize(
    *,
    run: str | Path | None = None,
    force: bool = False,
    watch: Watch | bool | None = True,
    **arguments: Unpack[OptimizeArguments],
) -> Result:
    """Find a better instruction for a task.

    `data` is a file, records, examples, or a name as on the command line ("hf:…", "bench:…", "pocket:…"), read with
    `fields`, `records`, `limit` and `data_folder`. `target` is the model that answers (at `base_url`), and `metric`
    scores its replies. `optimizer` is the algorithm that proposes prompts (`askwell optimizers` lists them), `settings`
    changes any of its settings ({"candidates": 4}), and `optimizer_model` is the model that writes them (at
    `optimizer_model_base_url`). `demos` says which training examples a prompt shows (a function is shown none unless
    asked). `loop` sets the number of steps and the seed, `racing` how candidates are scored (default: the optimizer's
    own way), `caps` the most the run may spend. `run` is a folder for the log; by default a new one under `runs/`. If
    it holds an unfinished run with the same settings and data, that run is resumed, and no call is paid for twice.

    After the initial prompt is scored, `UnusableReplies` stops the run if most replies cannot be scored (empty, cut
    short, tokens of a chat template, or without an answer that the metric reads). `force` goes on all the same.

    While the run goes on, a terminal shows the progress line of the command line on standard error; `watch=False` shows
    nothing, and a function `watch` is called with each `Progress` instead.

    A run whose parts all have names (a data file, model names, an answer type) can be resumed by
    `askwell optimize --resume`, and this function resumes a run that was started on the command line.

    Raises `ConfigError` and `DataError` before any call is paid for, `ModelError` if a model refuses permanently,
    `RunFailed` if too many calls fail; answered calls are in the log. Ctrl-C stops in order. Works inside the running
    event loop of a notebook.
    """
    config = build_optimize_config(arguments)
    config = replace(config, run=replace(config.run, force=force))
    job = build_optimize_job(config)
    log_warnings(job.target_setup.task)
    folder = Path("runs") / folders.free_name(Path("runs"), job.target_setup.task.name) if run is None else Path(run)
    with watching(watch, [job.target_setup.model, job.optimizer_model]) as live:
        return execute_optimization(job, folder, live)


@takes(OptimizeArguments)
def plan(*, latency_s: float | None = None, **arguments: Unpack[OptimizeArguments]) -> Plan:
    """Estimate the expected and the maximum cost of `optimize` with these arguments. No model is called.

    `latency_s` is the duration of a target call; by default the typical one for its kind of model. Prices are the
    models' own, or the price table's.
    """
    config = build_optimize_config(arguments)
    job = build_optimize_job(config, calls_models=False)
    log_warnings(job.target_setup.task)
    return estimate_plan(config, job, latency_s=latency_s)


def estimate_plan(config: Config, job: OptimizeJob, *, latency_s: float | None = None) -> Plan:
    """Estimate the cost of a config's job."""
    objects = config.objects
    return plan_job(
        job,
        target=call_rate(config.target, is_served=objects.target is None, latency_s=latency_s),
        optimizer=call_rate(config.optimizer_model, is_served=objects.optimizer_model is None),
    )


def execute_optimization(job: OptimizeJob, folder: Path, watch: Watch) -> Result:
    """Run a job in a folder, new or with the unfinished run, and read its result from the log.

    A new run that fails before any call is paid for leaves nothing behind.
    """
    store = SqliteStore(folder / folders.LOG)
    try:
        with folders.discards_unpaid(store):
            run_blocking(lambda stopper: job.execute(store, stopper, watch))
        return read_optimization_result(store, folder)
    finally:
        store.close()


def read_optimization_result(store: RunStore, folder: Path | None) -> Result:
    """Read a run's result so far from its log. Raises `ConfigError` if no prompt was scored yet."""
    report = reports.build_report(store)
    if report is None:
        raise ConfigError(f"the run {str(folder)!r} has no scored prompt yet; look again later, or resume it")
    best = report.best
    interval = best.test or best.dev
    assert interval is not None  # the best prompt was scored on dev
    return Result(
        prompt=best.prompt.instruction,
        initial_prompt=report.initial.prompt.instruction,
        score=interval.estimate,
        interval=interval,
        gain=report.gain,
        report=report,
        run=folder,
        demos=best.prompt.demos,
    )

"""Score prompts on a data set from Python, without optimizing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from askwell.api.arguments import TaskArguments, build_config, takes
from askwell.api.build_jobs import build_evaluate_job
from askwell.api.build_task import log_warnings
from askwell.core.errors import ConfigError
from askwell.core.event_loop import run_blocking
from askwell.core.stats import Interval, mean_interval, paired_difference
from askwell.engine.jobs import EvaluateJob
from askwell.engine.loop import Watch
from askwell.report import run_report as reports
from askwell.runlog import folders
from askwell.runlog.store import MemoryStore, RunStore, SqliteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One prompt's accuracy on a data set, and its paired difference to the first prompt of the same call."""

    prompt: str
    score: Interval
    difference: Interval | None
    """None for the first prompt itself."""


@takes(TaskArguments)
def evaluate(
    prompts: str | Sequence[str], *, run: str | Path | None = None, **arguments: Unpack[TaskArguments]
) -> list[Evaluation]:
    """Score one or several prompts on all of a data set, with 95 % intervals. Takes and raises as `optimize` does."""
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    if not texts:
        raise ConfigError("no prompts; give at least one (an empty string is a prompt too)")
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a caller without a type checker
            raise ConfigError(f"prompt {number} is {text!r}; expected a text")
    config = build_config(arguments)
    job = build_evaluate_job(config, texts)
    log_warnings(job.target_setup.task)
    store = MemoryStore() if run is None else SqliteStore(Path(run) / folders.LOG)
    return execute_evaluation(job, store, lambda _: None)


def execute_evaluation(job: EvaluateJob, store: RunStore, watch: Watch) -> list[Evaluation]:
    """Run an evaluation over a store, close it, and compare every prompt with the first."""
    try:
        with folders.discards_unpaid(store):
            scores = run_blocking(lambda stopper: job.execute(store, stopper, watch))
    finally:
        store.close()
    first = scores[job.prompts[0]]
    evaluations: list[Evaluation] = []
    for index, prompt in enumerate(job.prompts):
        own, other = reports.pair_scores(scores[prompt], first)
        evaluations.append(
            Evaluation(
                prompt=prompt.instruction,
                score=mean_interval(list(scores[prompt].values())),
                difference=paired_difference(own, other) if index else None,
            )
        )
    return evaluations

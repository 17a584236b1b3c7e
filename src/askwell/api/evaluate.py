"""Score prompts on a data set from Python, without optimizing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from askwell.api.arguments import MetricLike, ModelLike, build_config
from askwell.api.build_jobs import build_evaluate_job
from askwell.api.renamed import refuses_old_arguments
from askwell.core.errors import ConfigError
from askwell.core.event_loop import run_blocking
from askwell.core.stats import Interval, mean_interval, paired_difference
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import EvaluateJob
from askwell.engine.loop import Watch
from askwell.report import run_report as reports
from askwell.runlog import folders
from askwell.runlog.store import MemoryStore, RunStore, SqliteStore
from askwell.tasks.load import ExampleSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One prompt's accuracy on a data set, and its paired difference to the first prompt of the same call."""

    prompt: str
    score: Interval
    difference: Interval | None
    """None for the first prompt itself."""


@refuses_old_arguments
def evaluate(
    prompts: str | Sequence[str],
    *,
    data: ExampleSource,
    target: ModelLike,
    metric: MetricLike = "",
    placement: str = "",
    sampling: Sampling | None = None,
    concurrency: int = 16,
    run: str | Path | None = None,
) -> list[Evaluation]:
    """Score one or several prompts on all of a data set, with 95 % intervals. Raises as `optimize` does."""
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    if not texts:
        raise ConfigError("no prompts; give at least one (an empty string is a prompt too)")
    config = build_config(
        data=data, target=target, metric=metric, placement=placement, sampling=sampling, concurrency=concurrency
    )
    job = build_evaluate_job(config, texts)
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

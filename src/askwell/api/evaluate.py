"""Score prompts on a data set from Python, without optimizing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from askwell.api.arguments import TaskArguments, build_config, takes
from askwell.api.build_jobs import build_evaluate_job
from askwell.api.build_task import log_warnings
from askwell.core.errors import ConfigError
from askwell.core.event_loop import run_blocking
from askwell.engine.jobs import EvaluateJob
from askwell.engine.loop import Watch
from askwell.engine.replies.first_look import format_finding
from askwell.report.evaluation import Evaluation, compare_prompts
from askwell.report.live.terminal import watching
from askwell.runlog import folders
from askwell.runlog.store import MemoryStore, RunStore, SqliteStore

log = logging.getLogger(__name__)


@takes(TaskArguments)
def evaluate(
    prompts: str | Sequence[str],
    *,
    run: str | Path | None = None,
    ask_twice: int = 0,
    watch: Watch | bool | None = True,
    **arguments: Unpack[TaskArguments],
) -> list[Evaluation]:
    """Score one or several prompts on all of a data set, with 95 % intervals. Takes and raises as `optimize` does.

    `ask_twice` questions are asked a second time at the end, spread over prompts and examples, because a server may
    give another reply to the same request even at temperature 0. Both replies count in the score. `watch` shows the
    progress as in `optimize`.
    """
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    if not texts:
        raise ConfigError("no prompts; give at least one (an empty string is a prompt too)")
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a caller without a type checker
            raise ConfigError(f"prompt {number} is {text!r}; expected a text")
    config = build_config(arguments)
    job = build_evaluate_job(config, texts, ask_twice=ask_twice)
    log_warnings(job.target_setup.task)
    store = MemoryStore() if run is None else SqliteStore(Path(run) / folders.LOG)
    with watching(watch, [job.target_setup.model]) as live:
        return execute_evaluation(job, store, live)


def execute_evaluation(job: EvaluateJob, store: RunStore, watch: Watch) -> list[Evaluation]:
    """Run an evaluation over a store, close it, and compare every prompt with the first."""
    try:
        with folders.discards_unpaid(store):
            scores = run_blocking(lambda stopper: job.execute(store, stopper, watch))
        evaluations = compare_prompts(store, job.prompts, scores, repeats=job.target_setup.sampling.repeats)
    finally:
        store.close()
    for evaluation in evaluations:
        for finding in evaluation.findings:
            log.warning("prompt %r: %s", evaluation.prompt, format_finding(finding))
    return evaluations

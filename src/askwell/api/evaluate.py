"""Score prompts on a data set from Python, without optimizing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from askwell.api.arguments import TaskArguments, build_config, takes
from askwell.api.build_jobs import build_evaluate_job
from askwell.api.build_task import log_warnings
from askwell.core.errors import ConfigError
from askwell.core.event_loop import run_blocking
from askwell.core.stats import Interval, mean_interval, paired_difference
from askwell.core.types import Prompt, Rollout
from askwell.engine.jobs import EvaluateJob
from askwell.engine.loop import Watch
from askwell.engine.replies.commonest import CommonestTarget, find_commonest_target
from askwell.engine.replies.first_look import Finding, format_finding, look_at_replies
from askwell.engine.replies.grading import Grading, read_grading
from askwell.engine.replies.outcomes import OutcomeCounts, count_outcomes
from askwell.engine.replies.repeats import AskedAgain, compare_again
from askwell.report import run_report as reports
from askwell.runlog import folders
from askwell.runlog.prompt_rollouts import read_prompt_rollouts
from askwell.runlog.store import MemoryStore, RunStore, SqliteStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One prompt's accuracy on a data set, and its paired difference to the first prompt of the same call."""

    prompt: str
    score: Interval
    difference: Interval | None
    """None for the first prompt itself."""
    outcomes: OutcomeCounts
    """How the calls behind the score ended."""
    commonest: CommonestTarget | None = None
    """The score of always giving the data's commonest target; None if no two targets are the same."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with the replies; empty if nothing is."""
    asked_again: AskedAgain | None = None
    """How replies differ from those of the first time; None without `ask_twice`."""


@takes(TaskArguments)
def evaluate(
    prompts: str | Sequence[str],
    *,
    run: str | Path | None = None,
    ask_twice: int = 0,
    **arguments: Unpack[TaskArguments],
) -> list[Evaluation]:
    """Score one or several prompts on all of a data set, with 95 % intervals. Takes and raises as `optimize` does.

    `ask_twice` questions are asked a second time at the end, spread over prompts and examples, because a server may
    give another reply to the same request even at temperature 0. Both replies count in the score.
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
    return execute_evaluation(job, store, lambda _: None)


def execute_evaluation(job: EvaluateJob, store: RunStore, watch: Watch) -> list[Evaluation]:
    """Run an evaluation over a store, close it, and compare every prompt with the first."""
    try:
        with folders.discards_unpaid(store):
            scores = run_blocking(lambda stopper: job.execute(store, stopper, watch))
        rollouts, grading = read_prompt_rollouts(store, job.prompts, ["test"]), read_grading(store)
    finally:
        store.close()
    evaluations: list[Evaluation] = []
    for prompt in job.prompts:
        own = [rollout for rollout in rollouts if rollout.prompt == prompt]
        evaluations.append(_evaluate_prompt(job, prompt, scores, own, grading))
    for evaluation in evaluations:
        for finding in evaluation.findings:
            log.warning("prompt %r: %s", evaluation.prompt, format_finding(finding))
    return evaluations


def _evaluate_prompt(
    job: EvaluateJob,
    prompt: Prompt,
    scores: Mapping[Prompt, Mapping[str, float]],
    rollouts: Sequence[Rollout],
    grading: Grading,
) -> Evaluation:
    own, first = reports.pair_scores(scores[prompt], scores[job.prompts[0]])
    examples = {example.id: example for example in job.target_setup.task.splits["test"]}
    return Evaluation(
        prompt=prompt.instruction,
        score=mean_interval(list(scores[prompt].values())),
        difference=paired_difference(own, first) if prompt != job.prompts[0] else None,
        outcomes=count_outcomes(rollouts, examples, grading),
        commonest=find_commonest_target(list(examples.values()), grading),
        findings=look_at_replies(rollouts, examples, grading),
        asked_again=compare_again(rollouts, sample_index=job.target_setup.sampling.repeats) if job.ask_twice else None,
    )

"""Score prompts on a data set from Python, without optimizing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack, cast

from askwell.api.arguments import TaskArguments, build_config, takes
from askwell.api.build_jobs import build_evaluate_job
from askwell.api.build_task import log_warnings
from askwell.core.errors import ConfigError
from askwell.core.event_loop import run_blocking
from askwell.core.stats import Interval, format_interval, mean_interval, paired_difference
from askwell.core.text import quote_start
from askwell.core.types import Example, Prompt, Rollout
from askwell.engine.jobs import EvaluateJob
from askwell.engine.loop import Watch
from askwell.engine.replies.commonest import CommonestTarget, find_commonest_target
from askwell.engine.replies.first_look import Finding, format_finding, look_at_replies
from askwell.engine.replies.grading import Grading, read_grading
from askwell.engine.replies.outcomes import OutcomeCounts, count_outcomes
from askwell.engine.replies.repeats import AskedAgain, compare_again
from askwell.engine.scores import mean_of_samples
from askwell.report import run_report as reports
from askwell.report.live.terminal import watching
from askwell.runlog import folders
from askwell.runlog.fold import read_examples, read_header, read_prompts
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

    def __repr__(self) -> str:
        return f"<Evaluation {format_interval(self.score)} of {quote_start(self.prompt)}>"


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
        rollouts, grading = read_prompt_rollouts(store, job.prompts, ["test"]), read_grading(store)
    finally:
        store.close()
    again = job.target_setup.sampling.repeats if job.ask_twice else None
    evaluations = _compare_prompts(job.prompts, scores, rollouts, job.target_setup.task.splits["test"], grading, again)
    for evaluation in evaluations:
        for finding in evaluation.findings:
            log.warning("prompt %r: %s", evaluation.prompt, format_finding(finding))
    return evaluations


def read_evaluations(store: RunStore) -> list[Evaluation]:
    """Read an evaluation from its log, which may still be growing: the prompts that have a score, in their order."""
    rollouts = read_prompt_rollouts(store, list(read_prompts(store).values()), ["test"])
    by_prompt: dict[Prompt, dict[str, dict[int, float]]] = {}
    for rollout in rollouts:
        if rollout.score is not None:
            samples = by_prompt.setdefault(rollout.prompt, {}).setdefault(rollout.example_id, {})
            samples[rollout.sample_index] = rollout.score.value
    scores = {
        prompt: {name: mean_of_samples(samples) for name, samples in by_prompt[prompt].items()}
        for prompt in read_prompts(store).values()
        if prompt in by_prompt
    }
    if not scores:
        raise ConfigError("the evaluation has no scored prompt yet; look again later, or run it again with its run=")
    target = cast("Mapping[str, object]", cast("Mapping[str, object]", read_header(store)["config"])["target"])
    repeats = cast("int", target["repeats"])
    again = repeats if any(rollout.sample_index >= repeats for rollout in rollouts) else None
    examples = read_examples(store).get("test", ())
    return _compare_prompts(list(scores), scores, rollouts, examples, read_grading(store), again)


def _compare_prompts(
    prompts: Sequence[Prompt],
    scores: Mapping[Prompt, Mapping[str, float]],
    rollouts: Sequence[Rollout],
    examples: Sequence[Example],
    grading: Grading,
    again: int | None,
) -> list[Evaluation]:
    """Compare every prompt with the first; `again` is the sample index of questions that were asked a second time."""
    by_id, first = {example.id: example for example in examples}, prompts[0]
    evaluations: list[Evaluation] = []
    for prompt in prompts:
        replies = [rollout for rollout in rollouts if rollout.prompt == prompt]
        own, other = reports.pair_scores(scores[prompt], scores[first])
        evaluations.append(
            Evaluation(
                prompt=prompt.instruction,
                score=mean_interval(list(scores[prompt].values())),
                difference=paired_difference(own, other) if prompt != first and own else None,
                outcomes=count_outcomes(replies, by_id, grading),
                commonest=find_commonest_target(list(examples), grading),
                findings=look_at_replies(replies, by_id, grading),
                asked_again=None if again is None else compare_again(replies, sample_index=again),
            )
        )
    return evaluations

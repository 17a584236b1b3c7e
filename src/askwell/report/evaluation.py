"""The scores of an evaluation, one row per prompt: of a run that just ended, or read again from its log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from askwell.core.stats import Interval, format_interval, mean_interval, paired_difference
from askwell.core.text import quote_start
from askwell.core.types import Example, Prompt, Rollout
from askwell.engine.replies.commonest import CommonestTarget, describe_commonest, find_commonest_target
from askwell.engine.replies.first_look import Finding, finding_json, format_finding, look_at_replies
from askwell.engine.replies.grading import Grading, describe_metric, read_grading
from askwell.engine.replies.outcomes import OutcomeCounts, count_outcomes, format_outcomes
from askwell.engine.replies.repeats import AskedAgain, add_again, compare_again, format_again
from askwell.report.reply_report import commonest_json
from askwell.report.run_report import interval_json, pair_scores, spend_json
from askwell.runlog.bodies import REQUEST_SETTINGS
from askwell.runlog.codec import Body, prompt_id
from askwell.runlog.fold import Spend, fold, missing_slots, read_examples, read_header, read_prompts, read_spend
from askwell.runlog.prompt_rollouts import read_prompt_rollouts
from askwell.runlog.reading import check_shape, located
from askwell.runlog.store import RunStore

Scores = Mapping[Prompt, Mapping[str, float]]
"""Prompt -> example id -> mean score of the samples."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """An evaluation as its log holds it."""

    header: Body
    metric: str | None
    """An answer type or the name of a function; "" for bundled tasks, each with its own; None if the log has none."""
    temperature: float
    prompts: tuple[Prompt, ...]
    """The scored prompts, in the order in which they were given."""
    evaluations: tuple[Evaluation, ...]
    """One for each of `prompts`."""
    unscored: int
    """Prompts that have no score yet."""
    spend: Spend
    missing: int
    """Calls that were never answered. No score includes them."""


def read_evaluation(store: RunStore) -> EvaluationReport | None:
    """Read an evaluation from its log; None before a prompt has been scored."""
    header, folded, prompts = read_header(store), fold(store), tuple(read_prompts(store).values())
    by_prompt = {prompt: folded.scores_of(prompt, "test") for prompt in prompts}
    # In the order of the ids, as while the evaluation ran: a bootstrap interval depends on the order.
    scores = {prompt: dict(sorted(by_example.items())) for prompt, by_example in by_prompt.items() if by_example}
    if not scores:
        return None
    temperature, repeats = _read_sampling(store, cast("Body", header["config"]))
    return EvaluationReport(
        header=header,
        metric=read_grading(store).metric,
        temperature=temperature,
        prompts=tuple(scores),
        evaluations=tuple(compare_prompts(store, tuple(scores), scores, repeats=repeats)),
        unscored=len(prompts) - len(scores),
        spend=read_spend(store)["target"],
        missing=len(missing_slots(store, folded)),
    )


def _read_sampling(store: RunStore, config: Body) -> tuple[float, int]:
    """Return the temperature and the samples of each question. Raises `StoreError` if they are not in the settings."""
    with located(store, 0):
        check_shape(config, REQUEST_SETTINGS)
    target = cast("Mapping[str, object]", config["target"])
    return cast("float", target["temperature"]), cast("int", target["repeats"])


def compare_prompts(store: RunStore, prompts: Sequence[Prompt], scores: Scores, *, repeats: int) -> list[Evaluation]:
    """Compare every prompt with the first. `repeats`: samples of each question; one more is a question asked again."""
    rollouts, grading = read_prompt_rollouts(store, prompts, ["test"]), read_grading(store)
    examples = {example.id: example for example in read_examples(store).get("test", ())}
    asks_again = any(rollout.sample_index >= repeats for rollout in rollouts)
    return [
        _compare(
            prompt,
            prompts[0],
            scores,
            [rollout for rollout in rollouts if rollout.prompt == prompt],
            examples,
            grading,
            again_at=repeats if asks_again else None,
        )
        for prompt in prompts
    ]


def _compare(
    prompt: Prompt,
    first: Prompt,
    scores: Scores,
    rollouts: Sequence[Rollout],
    examples: Mapping[str, Example],
    grading: Grading,
    *,
    again_at: int | None,
) -> Evaluation:
    own, other = pair_scores(scores[prompt], scores[first])
    return Evaluation(
        prompt=prompt.instruction,
        score=mean_interval(list(scores[prompt].values())),
        difference=paired_difference(own, other) if prompt != first and own else None,
        outcomes=count_outcomes(rollouts, examples, grading),
        commonest=find_commonest_target(list(examples.values()), grading),
        findings=look_at_replies(rollouts, examples, grading),
        asked_again=None if again_at is None else compare_again(rollouts, sample_index=again_at),
    )


def describe_evaluations(scored: Sequence[Evaluation], *, metric: str | None, temperature: float) -> Iterator[str]:
    """Yield sentences for the place under the table: metric, the commonest target, outcomes, warnings, repeats."""
    yield f"Graded by {describe_metric(metric)}."
    commonest = scored[0].commonest
    if commonest is not None:
        yield f"The score of {describe_commonest(commonest.target)}: {100 * commonest.score:.1f}."
    for number, evaluation in enumerate(scored, 1):
        which = f" of prompt {number}" if len(scored) > 1 else ""
        yield f"Outcomes{which}: {format_outcomes(evaluation.outcomes)}."
        yield from (f"Warning: {format_finding(finding)}" for finding in evaluation.findings)
    again = [evaluation.asked_again for evaluation in scored if evaluation.asked_again is not None]
    if again:
        yield format_again(add_again(again), temperature=temperature)


def describe_progress(report: EvaluationReport) -> Iterator[str]:
    """Yield sentences about what an evaluation lacks; none for a complete one."""
    counts = [evaluation.score.n for evaluation in report.evaluations]
    if len(set(counts)) > 1:
        yield f"Answered examples of each prompt: {', '.join(f'{count:,}' for count in counts)}."
    if report.missing:
        yield f"Missing: {report.missing:,} calls, which no score includes."
    if report.unscored:
        yield f"Not finished: {report.unscored:,} prompts have no score yet."


def evaluation_json(evaluation: Evaluation) -> dict[str, object]:
    """Return one prompt's evaluation as JSON-able values."""
    again = evaluation.asked_again
    return {
        "prompt": evaluation.prompt,
        "score": interval_json(evaluation.score),
        "difference": interval_json(evaluation.difference),
        "outcomes": asdict(evaluation.outcomes),
        "findings": [finding_json(finding) for finding in evaluation.findings],
        **({} if again is None else {"asked_again": asdict(again)}),
    }


def evaluation_report_json(report: EvaluationReport) -> dict[str, object]:
    """Return an evaluation as JSON-able values."""
    return {
        "kind": "evaluation",
        "task": cast("Body", report.header["config"]).get("name", ""),
        "metric": report.metric,
        "commonest": commonest_json(report.evaluations[0].commonest),
        "prompts": [
            {"id": prompt_id(prompt), **evaluation_json(evaluation)}
            for prompt, evaluation in zip(report.prompts, report.evaluations, strict=True)
        ],
        "unscored": report.unscored,
        "missing": report.missing,
        "spend": {"target": spend_json(report.spend)},
    }

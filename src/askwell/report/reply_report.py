"""How replies ended and what their scores are worth: outcomes, the commonest target, warnings, the metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from askwell.core.stats import Interval
from askwell.core.types import Example, Prompt, Rollout, Split
from askwell.engine.replies.commonest import CommonestTarget, describe_commonest, find_commonest_target
from askwell.engine.replies.first_look import Finding, finding_json, format_finding, look_at_replies
from askwell.engine.replies.grading import Grading, describe_metric, read_grading
from askwell.engine.replies.outcomes import OutcomeCounts, count_outcomes, format_outcomes
from askwell.report.still_wrong import StillWrong, find_still_wrong
from askwell.runlog.fold import read_examples
from askwell.runlog.prompt_rollouts import read_examples_by_id, read_prompt_rollouts
from askwell.runlog.store import RunStore

PromptName = Literal["initial", "best"]
_PROMPTS: tuple[PromptName, ...] = ("initial", "best")
_SPLITS: tuple[Split, ...] = ("dev", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyReport:
    """What is behind the scores of an optimization."""

    metric: str | None
    """An answer type or the name of a function; "" for bundled tasks, each with its own; None if the log has none."""
    outcomes: Mapping[PromptName, Mapping[Split, OutcomeCounts]]
    """How the calls of the initial and the best prompt ended, for each split that they were run on."""
    commonest: Mapping[Split, CommonestTarget]
    """For each split, the score of always giving its commonest target; absent if no two targets are the same."""
    findings: tuple[Finding, ...]
    """What is wrong with the initial prompt's replies on dev."""
    still_wrong: StillWrong | None = None
    """The dev examples that the best prompt gets wrong."""


def read_reply_report(store: RunStore, *, initial: Prompt, best: Prompt, is_tested: bool) -> ReplyReport:
    """Read the replies of an optimization's initial and best prompt from its log."""
    grading, examples, by_id = read_grading(store), read_examples(store), read_examples_by_id(store)
    splits = _SPLITS if is_tested else _SPLITS[:1]
    rollouts = read_prompt_rollouts(store, {initial, best}, splits)
    outcomes: dict[PromptName, Mapping[Split, OutcomeCounts]] = {
        name: _count_by_split([rollout for rollout in rollouts if rollout.prompt == prompt], by_id, grading)
        for name, prompt in zip(_PROMPTS, (initial, best), strict=True)
    }
    commonest: dict[Split, CommonestTarget] = {
        split: target for split in _SPLITS if (target := find_commonest_target(examples.get(split, ()), grading))
    }
    first = [rollout for rollout in rollouts if rollout.prompt == initial and rollout.split == "dev"]
    return ReplyReport(
        metric=grading.metric,
        outcomes=outcomes,
        commonest=commonest,
        findings=look_at_replies(first, by_id, grading),
        still_wrong=find_still_wrong([rollout for rollout in rollouts if rollout.prompt == best], by_id),
    )


def describe_replies(replies: ReplyReport) -> Iterator[str]:
    """Yield sentences for the place under a table of scores: metric, outcomes, the commonest target."""
    if replies.metric is not None:
        yield f"Graded by {describe_metric(replies.metric)}."
    initial, best = (
        ", ".join(f"{format_outcomes(counts)} on {split}" for split, counts in replies.outcomes[name].items())
        for name in _PROMPTS
    )
    if initial == best:
        yield f"Outcomes of the calls: {initial}."
    else:
        yield f"Outcomes of the initial prompt's calls: {initial}; of the optimized prompt's: {best}."
    yield from _describe_commonest(replies.commonest)


def describe_findings(replies: ReplyReport) -> Iterator[str]:
    """Yield one sentence for each thing that is wrong with the initial prompt's replies."""
    for finding in replies.findings:
        yield f"Warning, initial prompt on dev: {format_finding(finding)}"


def describe_above_commonest(after: Interval | None, commonest: CommonestTarget | None) -> str:
    """Return what has to be added to a verdict on a score that a constant answer reaches too; "" for a better one."""
    if after is None or commonest is None or after.estimate > commonest.score:
        return ""
    return f"; the score is not above that of {describe_commonest(commonest.target)} ({100 * commonest.score:.1f})"


def replies_json(replies: ReplyReport) -> dict[str, object]:
    """Return the replies' part of a report as JSON-able values."""
    return {
        "metric": replies.metric,
        "outcomes": {
            name: {split: asdict(counts) for split, counts in by_split.items()}
            for name, by_split in replies.outcomes.items()
        },
        "commonest": {split: commonest_json(commonest) for split, commonest in replies.commonest.items()},
        "findings": [finding_json(finding) for finding in replies.findings],
    }


def commonest_json(commonest: CommonestTarget | None) -> dict[str, object] | None:
    """Return the commonest target as JSON-able values."""
    return None if commonest is None else {"target": commonest.target, "score": commonest.score}


def _describe_commonest(commonest: Mapping[Split, CommonestTarget]) -> Iterator[str]:
    scores: dict[str, list[str]] = {}
    for split in ("test", "dev"):
        if split in commonest:
            scores.setdefault(commonest[split].target, []).append(f"{100 * commonest[split].score:.1f} on {split}")
    for target, shown in scores.items():
        yield f"The score of {describe_commonest(target)}: {', '.join(shown)}."


def _count_by_split(
    rollouts: Sequence[Rollout], examples: Mapping[str, Example], grading: Grading
) -> Mapping[Split, OutcomeCounts]:
    counts: dict[Split, OutcomeCounts] = {}
    for split in _SPLITS:
        members = [rollout for rollout in rollouts if rollout.split == split]
        if members:
            counts[split] = count_outcomes(members, examples, grading)
    return counts

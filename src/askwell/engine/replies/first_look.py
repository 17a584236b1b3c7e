"""Look at a prompt's first replies: whether they can be scored, and whether their score means anything.

A mean of 0 does not say whether the model is wrong, or whether nobody could read its replies. Where most replies are
unusable, optimizing them would select prompts by chance, so that a run stops; a low score alone is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from askwell.core.types import Example, Prompt, Rollout, Split
from askwell.engine.replies.commonest import describe_commonest, find_commonest_target, quote
from askwell.engine.replies.grading import Grading, describe_metric, read_grading
from askwell.engine.replies.unusable import (
    FaultyReplies,
    ReplyFault,
    advise,
    advise_metric,
    describe_fault,
    find_template_token,
    find_unusable,
)
from askwell.engine.scores import mean, mean_of_samples
from askwell.runlog.prompt_rollouts import read_examples_by_id, read_prompt_rollouts
from askwell.runlog.store import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with a prompt's replies, with one of them as an example."""

    kind: ReplyFault | Literal["zero", "below_commonest"]
    stops: bool
    """Whether most replies cannot be scored, so that an optimization stops before its first step."""
    problem: str
    """What is wrong, with its count."""
    advice: str
    """What to do."""
    question: str
    reply: str
    target: str | tuple[str, ...]


def look_at_replies(
    rollouts: Sequence[Rollout], examples: Mapping[str, Example], grading: Grading
) -> tuple[Finding, ...]:
    """Return what is wrong with one prompt's rollouts: one finding that stops a run, or warnings, or nothing.

    `examples` holds the rollouts' examples by id. Failed calls are left out: they are missing, not wrong.
    """
    answered = [rollout for rollout in rollouts if rollout.score is not None]
    unusable = find_unusable(answered, examples, grading)
    if 2 * sum(len(group.rollouts) for group in unusable) > len(answered):
        return (_describe_unusable(unusable, answered, examples, grading),)
    return tuple(_warnings(answered, examples, grading)) if answered else ()


def read_first_look(store: RunStore, prompt: Prompt, split: Split) -> tuple[Finding, ...]:
    """Look at a prompt's replies on a split, from the log."""
    rollouts = read_prompt_rollouts(store, [prompt], [split])
    return look_at_replies(rollouts, read_examples_by_id(store), read_grading(store))


def format_finding(finding: Finding) -> str:
    """Format a finding as text: the problem, what to do, and one reply."""
    return (
        f"{finding.problem}: {finding.advice}. For example, to {quote(finding.question)} the reply was "
        f"{quote(finding.reply)}, and the target is {finding.target!r}."
    )


def finding_json(finding: Finding) -> dict[str, object]:
    """Return a finding as JSON-able values."""
    return {
        "kind": finding.kind,
        "stops": finding.stops,
        "problem": finding.problem,
        "advice": finding.advice,
        "question": finding.question,
        "reply": finding.reply,
        "target": finding.target if isinstance(finding.target, str) else list(finding.target),
    }


def _describe_unusable(
    groups: Sequence[FaultyReplies], answered: Sequence[Rollout], examples: Mapping[str, Example], grading: Grading
) -> Finding:
    parts = [(len(group.rollouts), describe_fault(group, grading)) for group in groups]
    total = f"{sum(count for count, _ in parts):,} of {len(answered):,} replies"
    if len(parts) == 1:
        problem = f"{total} {parts[0][1]}"
    else:
        problem = f"{total} cannot be scored ({'; '.join(f'{count:,} {what}' for count, what in parts)})"
    return _finding(
        groups[0].fault, problem, advise(groups[0], answered, examples, grading), groups[0].rollouts[0], examples,
        stops=True,
    )  # fmt: skip


def _warnings(answered: Sequence[Rollout], examples: Mapping[str, Example], grading: Grading) -> Iterator[Finding]:
    with_token = [rollout for rollout in answered if find_template_token(rollout.completion.text)]
    if 2 * len(with_token) > len(answered):
        token = find_template_token(with_token[0].completion.text)
        group = FaultyReplies(fault="template", rollouts=tuple(with_token))
        problem = f"{len(with_token):,} of {len(answered):,} replies hold tokens of a chat template ({token!r})"
        yield _finding("template", problem, advise(group, answered, examples, grading), with_token[0], examples)
    cut = [rollout for rollout in answered if rollout.completion.outcome == "truncated"]
    if 2 * len(cut) > len(answered):
        group = FaultyReplies(fault="truncated", rollouts=tuple(cut))
        problem = f"{len(cut):,} of {len(answered):,} replies {describe_fault(group, grading)}"
        yield _finding("truncated", problem, advise(group, answered, examples, grading), cut[0], examples)
    yield from _warn_of_score(answered, examples, grading)


def _warn_of_score(answered: Sequence[Rollout], examples: Mapping[str, Example], grading: Grading) -> Iterator[Finding]:
    score = _mean_score(answered)
    wrong = [rollout for rollout in answered if rollout.score is not None and rollout.score.value < 1]
    scored = dict.fromkeys(rollout.example_id for rollout in answered)
    commonest = find_commonest_target([examples[example_id] for example_id in scored], grading)
    if score == 0:
        problem = f"all {len(answered):,} replies score 0 by {describe_metric(grading.metric)}"
        otherwise = "check whether the target answers the question, and whether the metric fits both"
        advice = advise_metric(answered, examples, grading) or otherwise
        yield _finding("zero", problem, advice, wrong[0], examples)
    elif commonest is not None and score < commonest.score:
        problem = f"the score of {100 * score:.1f} is below that of {describe_commonest(commonest.target)}"
        problem += f" ({100 * commonest.score:.1f})"
        advice = advise_metric(answered, examples, grading) or "read some replies before you trust the score"
        yield _finding("below_commonest", problem, advice, wrong[0], examples)


def _mean_score(answered: Sequence[Rollout]) -> float:
    """Return the mean over examples of the mean over their repeats."""
    values: dict[str, dict[int, float]] = {}
    for rollout in answered:
        if rollout.score is not None:
            values.setdefault(rollout.example_id, {})[rollout.sample_index] = rollout.score.value
    return mean(mean_of_samples(by_sample) for _, by_sample in sorted(values.items()))


def _finding(
    kind: ReplyFault | Literal["zero", "below_commonest"],
    problem: str,
    advice: str,
    rollout: Rollout,
    examples: Mapping[str, Example],
    *,
    stops: bool = False,
) -> Finding:
    return Finding(
        kind=kind,
        stops=stops,
        problem=problem,
        advice=advice,
        question=rollout.query,
        reply=rollout.completion.text,
        target=examples[rollout.example_id].target,
    )

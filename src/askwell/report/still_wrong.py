"""Dev examples that a prompt still gets wrong: what a user looks at before writing the next prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from askwell.core.types import Example, Outcome, Rollout, Score
from askwell.runlog.codec import prompt_id

SHOWN_WRONG = 20
"""Most examples that are listed."""
_RIGHT = 1.0 - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongExample:
    """An example that scores below 1 and its reply; of several samples, the worst reply."""

    call_id: str
    """The value of `askwell show --call` that shows the call."""
    example: Example
    reply: str
    outcome: Outcome
    read: str
    """What the metric read from the reply."""
    value: float
    """Mean score of the samples, in 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StillWrong:
    """The examples of the dev split that a prompt gets wrong."""

    shown: tuple[WrongExample, ...] = ()
    """The worst ones, worst first; at most `SHOWN_WRONG`."""
    n_wrong: int = 0
    n_answered: int = 0
    """Number of examples that were answered, right or wrong."""


def find_still_wrong(rollouts: Iterable[Rollout], examples: Mapping[str, Example]) -> StillWrong:
    """Find the wrong examples in the dev rollouts of one prompt; a failed call is missing, not wrong."""
    answered: dict[str, list[tuple[float, Rollout, Score]]] = {}
    for rollout in rollouts:
        if rollout.split == "dev" and rollout.score is not None:
            answered.setdefault(rollout.example_id, []).append((rollout.score.value, rollout, rollout.score))
    wrong: list[WrongExample] = []
    for example_id, samples in answered.items():
        value = fmean(score for score, _, _ in samples)
        if value < _RIGHT:
            _, rollout, score = min(samples, key=lambda sample: sample[0])
            wrong.append(_describe(rollout, score, examples[example_id], value))
    worst_first = sorted(wrong, key=lambda example: example.value)
    return StillWrong(shown=tuple(worst_first[:SHOWN_WRONG]), n_wrong=len(wrong), n_answered=len(answered))


def describe_reading(score: Score) -> str:
    """Return what the metric read from a reply; where it read no answer, its note in parentheses."""
    return score.answer or (f"({score.note})" if score.note else "")


def describe_still_wrong(found: StillWrong, *, shown: int) -> str:
    """Describe how many examples are wrong, and how many of them are shown."""
    if not found.n_answered:
        return ""
    if not found.n_wrong:
        return f"No dev example scores below 100, of {found.n_answered:,} answered."
    rest = found.n_wrong - shown
    more = f"; {rest:,} more are not shown" if rest else ""
    return f"{found.n_wrong:,} of {found.n_answered:,} dev examples score below 100, worst first{more}."


def still_wrong_json(found: StillWrong) -> dict[str, object]:
    """Return the wrong examples as JSON-able values."""
    return {
        "count": found.n_wrong,
        "of": found.n_answered,
        "examples": [
            {
                "call": wrong.call_id,
                "example": wrong.example.id,
                "input": wrong.example.input,
                "target": wrong.example.target,
                "reply": wrong.reply,
                "outcome": wrong.outcome,
                "read": wrong.read,
                "score": wrong.value,
            }
            for wrong in found.shown
        ],
    }


def _describe(rollout: Rollout, score: Score, example: Example, value: float) -> WrongExample:
    sample = f":{rollout.sample_index}" if rollout.sample_index else ""
    return WrongExample(
        call_id=f"{prompt_id(rollout.prompt)}:{example.id}{sample}",
        example=example,
        reply=rollout.completion.text,
        outcome=rollout.completion.outcome,
        read=describe_reading(score),
        value=value,
    )

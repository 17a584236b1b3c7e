"""Find the answer type that reads replies which a run's own metric does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example, Rollout
from askwell.engine.replies.grading import Grading
from askwell.tasks.metrics import ANSWER_TYPES

_RANKS: Mapping[str, int] = {"contains": 1, "f1": 2, "rouge-l": 2}
"""A type that reads an answer (0) says more than one that looks for the target anywhere (1) or compares words (2)."""
_LEFT_OUT = frozenset({"regex", "yesno"})
"""`regex` takes the target for a pattern; `yesno` is another name of `boolean`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTypeFit:
    """How one answer type grades the replies in hand."""

    name: str
    score: float
    """Mean score, 0..1."""


def find_better_type(
    rollouts: Sequence[Rollout], examples: Mapping[str, Example], grading: Grading, *, score: float
) -> AnswerTypeFit | None:
    """Return the best other answer type that scores these replies higher than `score`; None if there is none."""
    answered = [rollout for rollout in rollouts if rollout.score is not None]
    fits = [
        fit for fit in _grade_again(answered, examples, grading) if fit.name != grading.metric and fit.score > score
    ]
    return min(fits, key=lambda fit: (_RANKS.get(fit.name, 0), -fit.score), default=None)


def _grade_again(
    rollouts: Sequence[Rollout], examples: Mapping[str, Example], grading: Grading
) -> Iterator[AnswerTypeFit]:
    are_classes = 2 * len(grading.labels) <= len(examples)
    for name in ANSWER_TYPES:
        if name in _LEFT_OUT or (name == "label" and not are_classes):
            continue
        grade = grading.grader(name)
        try:
            scores = [grade(rollout.completion.text, examples[rollout.example_id]).value for rollout in rollouts]
        except (ConfigError, DataError):  # the targets are of another type
            continue
        if scores:
            yield AnswerTypeFit(name=name, score=fmean(scores))

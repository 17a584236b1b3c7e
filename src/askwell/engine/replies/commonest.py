"""The score of the simplest answer of all: the commonest target, whatever the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example
from askwell.engine.replies.grading import Grading, targets


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonestTarget:
    """The target that most examples have."""

    target: str
    score: float
    """Mean score of always giving this target, 0..1: a prompt that scores less has not learnt to tell them apart."""


def find_commonest_target(examples: Sequence[Example], grading: Grading) -> CommonestTarget | None:
    """Return the commonest target of some examples with its score; None if no two examples have the same."""
    having: dict[str, list[str]] = {}
    for example in examples:
        for key, target in {_key(target): target for target in targets(example)}.items():
            having.setdefault(key, []).append(target)
    same = max(having.values(), key=len, default=list[str]())
    if len(same) < 2:
        return None
    return CommonestTarget(target=same[0], score=_score(same[0], examples, grading, share=len(same) / len(examples)))


def describe_commonest(target: str) -> str:
    """Name the simplest answer of all within a sentence."""
    return f"always answering {quote(target)}"


def quote(text: str, *, most: int = 300) -> str:
    """Quote a text that may be long or hold control characters."""
    return repr(text if len(text) <= most else f"{text[:most]}…")


def _score(target: str, examples: Sequence[Example], grading: Grading, *, share: float) -> float:
    """Grade the target as a reply to every example; for a function or a pattern, the share of equal targets."""
    if not grading.is_answer_type or grading.metric == "regex":
        return share
    try:
        grade = grading.grader(str(grading.metric))
        return fmean(grade(target, example).value for example in examples)
    except (ConfigError, DataError):
        return share


def _key(target: str) -> str:
    return " ".join(target.split()).casefold()

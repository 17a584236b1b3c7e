"""How a run chose its winner: the rule among equal prompts in words, and the prompts that the winner was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from askwell.core.trajectory import Trajectory
from askwell.core.types import Prompt

_EQUAL = 1e-9
"""Scores that differ by less are the same mean, added up in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A prompt's dev score and the penalty that is subtracted when prompts are compared."""

    score: float
    penalty: float = 0.0

    @property
    def rank_value(self) -> float:
        """The value that prompts are compared by."""
        return self.score - self.penalty


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A prompt in the line from which the winner was made, and how it was made."""

    prompt: Prompt
    origin: str
    step: int | None
    """The step that scored it; None if it was never scored."""


def describe_choice(standings: Mapping[Prompt, Standing], winner: Prompt) -> str:
    """Describe why this prompt won: the rule, and how it decided among prompts with the same or a higher dev score.

    `standings` holds the prompts that were scored on the whole dev split.
    """
    own = standings.get(winner)
    if own is None:  # a log that was edited
        return ""
    others = [standing for prompt, standing in standings.items() if prompt != winner]
    has_penalties = any(standing.penalty for standing in standings.values())
    sentences = [f"The winner has the highest dev score{' less its penalty' if has_penalties else ''}."]
    higher = sum(other.score > own.score + _EQUAL for other in others)
    alike = [other for other in others if abs(other.score - own.score) <= _EQUAL]
    level = sum(abs(other.rank_value - own.rank_value) <= _EQUAL for other in others)
    behind = sum(other.rank_value < own.rank_value - _EQUAL for other in alike)
    if higher:
        sentences.append(f"{_count(higher)} a higher dev score, but a larger penalty.")
    if behind:
        sentences.append(f"{_count(behind)} the same dev score ({100 * own.score:.1f}), but a larger penalty.")
    if level:
        value = "dev score less penalty" if has_penalties else "dev score"
        sentences.append(
            f"{_count(level)} the same {value} ({100 * own.rank_value:.1f}): "
            "of equal prompts, the one scored first wins."
        )
    return " ".join(sentences)


def _count(number: int) -> str:
    return "1 other prompt has" if number == 1 else f"{number:,} other prompts have"


def trace_lineage(history: Trajectory, winner: Prompt) -> tuple[Ancestor, ...]:
    """Return the prompts from which the winner was made, the oldest first and the winner last."""
    line: list[Ancestor] = []
    prompt: Prompt | None = winner
    while prompt is not None and all(ancestor.prompt != prompt for ancestor in line):
        candidate = history.find(prompt)
        origin, step = (candidate.origin, candidate.step) if candidate else ("", None)
        line.append(Ancestor(prompt=prompt, origin=origin, step=step))
        prompt = candidate.parent if candidate else None
    return tuple(reversed(line))

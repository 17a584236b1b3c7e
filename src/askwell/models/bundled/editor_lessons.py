"""What the bundled rewriter makes of a comparison of two prompts, and of advice that it finds in a meta-prompt.

A comparison says on which questions one prompt is right and the other is not. What only the better one says is worth
taking over; what only the current one says is worth keeping where it wins. Questions and answers are not looked into.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from askwell.models.bundled.editor_bank import split_phrases

_OTHER = re.compile(r"<other>\s*<prompt>(.*?)</prompt>\s*</other>", re.DOTALL)
_SIDE = re.compile(r"<(gained|lost)>(.*?)</\1>", re.DOTALL)
_TAKE = re.compile(r"^(?:<lesson>)?Take over: (.+?)(?:</lesson>)?$", re.MULTILINE)
_KEEP = re.compile(r"^(?:<lesson>)?Keep: (.+?)(?:</lesson>)?$", re.MULTILINE)
_KEPT = re.compile(r"<keep>(.*?)</keep>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalComparison:
    """Another prompt, and on how many of the questions shown it alone (gained) or the current one alone is right."""

    other: str
    gained: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Phrases that feedback speaks for."""

    take: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    word_for_word: tuple[str, ...] = ()
    """Texts that must not be lost."""


def parse_comparison(text: str) -> RivalComparison | None:
    """Find the comparison that a reflection is asked for, if that is what is asked."""
    other = _OTHER.search(text)
    if other is None:
        return None
    counts = {side: shown.count("<question>") for side, shown in _SIDE.findall(text)}
    return RivalComparison(other=other[1].strip(), gained=counts.get("gained", 0), lost=counts.get("lost", 0))


def write_feedback(current: str, comparison: RivalComparison) -> str:
    """Say what to take over and what to keep, in the form that `advice_in` finds again; "" where nothing differs."""
    mine, theirs = split_phrases(current), split_phrases(comparison.other)
    taken = [phrase for phrase in theirs if phrase not in mine] if comparison.gained else []
    kept = [phrase for phrase in mine if phrase not in theirs] if comparison.lost else []
    lines = [f"Take over: {' '.join(taken)}"] if taken else []
    return "\n".join([*lines, *([f"Keep: {' '.join(kept)}"] if kept else [])])


def parse_advice(text: str) -> Advice:
    """Collect the advice of all reflections and lessons in a meta-prompt; never raises."""
    return Advice(
        take=_phrases(_TAKE.findall(text)), keep=_phrases(_KEEP.findall(text)), word_for_word=tuple(_KEPT.findall(text))
    )


def _phrases(found: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrase for one in found for phrase in split_phrases(one)))

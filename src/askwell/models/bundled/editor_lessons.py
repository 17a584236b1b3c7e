"""How the bundled rewriter uses a comparison of two prompts, and advice in a meta-prompt.

A comparison says on which questions only one of two prompts is right. Phrases of the better prompt alone are worth
adopting; phrases of the current prompt alone are worth keeping if it wins any question. The questions and answers are
not read.
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
    """Phrases that feedback recommends."""

    take: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    word_for_word: tuple[str, ...] = ()
    """Texts that must stay in the prompt unchanged."""


def parse_comparison(text: str) -> RivalComparison | None:
    """Parse the comparison in a request for a reflection; None if there is none."""
    other = _OTHER.search(text)
    if other is None:
        return None
    counts = {side: shown.count("<question>") for side, shown in _SIDE.findall(text)}
    return RivalComparison(other=other[1].strip(), gained=counts.get("gained", 0), lost=counts.get("lost", 0))


def write_feedback(current: str, comparison: RivalComparison) -> str:
    """Name the phrases to adopt and to keep, in the form that `parse_advice` parses; "" if nothing differs."""
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


def _phrases(texts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrase for text in texts for phrase in split_phrases(text)))

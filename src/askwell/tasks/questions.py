"""Which rows are the same question, and which are copies: rows that differ in their target are never copies."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from askwell.core.types import Example

OUTER_PUNCTUATION = ".,;:!?…\"'`“”‘’«»"
"""Punctuation that is ignored around a question. Brackets and signs are kept: "(" or "-1" can be the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """How many rows a data set has, and how many of them say the same or contradict each other."""

    read: int
    copies: int
    """Rows that repeat the question and the target of an earlier row."""
    contradicting: int
    """Questions that have rows with different targets; all of these rows are kept."""


def identify_question(text: str) -> str:
    """Return the text that is equal for the same question: only the Unicode form and outer white space are ignored.

    Case, inner white space, marks and digits may be what a question is about: "5²" is not "52".
    """
    return unicodedata.normalize("NFC", text).strip()


def normalize_question(text: str) -> str:
    """Return the text that is equal for likely copies: NFKC, casefold, single spaces, no outer punctuation."""
    # Casefold can undo NFKC, so the result is normalized again.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = " ".join(folded.split())
    return words.strip(OUTER_PUNCTUATION + " ") or words


def copy_key(example: Example) -> tuple[str, frozenset[str]]:
    """Return what two copies have in common: the normalized question and the target."""
    return normalize_question(example.input), _targets(example)


def drop_copies(examples: Iterable[Example]) -> tuple[Example, ...]:
    """Keep the first of all copies."""
    kept: dict[tuple[str, frozenset[str]], Example] = {}
    for example in examples:
        kept.setdefault(copy_key(example), example)
    return tuple(kept.values())


def count_rows(examples: Sequence[Example]) -> RowCounts:
    """Count the copies among examples, and the questions that have several targets."""
    targets: dict[str, set[frozenset[str]]] = {}
    for example in examples:
        targets.setdefault(identify_question(example.input), set()).add(_targets(example))
    return RowCounts(
        read=len(examples),
        copies=len(examples) - len({copy_key(example) for example in examples}),
        contradicting=sum(len(different) > 1 for different in targets.values()),
    )


def _targets(example: Example) -> frozenset[str]:
    targets = (example.target,) if isinstance(example.target, str) else example.target
    return frozenset(unicodedata.normalize("NFC", target).strip() for target in targets)

"""How alike two texts are: word edits, shared runs of words, and cosines of word counts. Standard library only."""

from __future__ import annotations

import math
import re
import string
import zlib
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import TypeVar

# Scripts written without spaces count a character as a word; otherwise a whole sentence would be one word.
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_EDGES = string.punctuation + "“”‘’«»…–—、。「」"

_WORD_COUNT = 2
"""What a word adds to the counts of `hashed_counts`, where each of its trigrams adds 1: equal words matter more."""

_Term = TypeVar("_Term", bound=Hashable)


def words(text: str) -> list[str]:
    """Split into words; case and the punctuation around a word don't count, a token of punctuation alone does."""
    return [token.strip(_EDGES) or token for token in _TOKEN.findall(text.casefold())]


def edit_distance(before: str, after: str) -> int:
    """Fewest words inserted, deleted or substituted to turn one text into the other (Levenshtein over `words`)."""
    old, new = words(before), words(after)
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    old, new = old[start:], new[start:]
    row = list(range(len(new) + 1))
    for i, left in enumerate(old, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(new, 1):
            cost = diagonal if left == right else 1 + min(diagonal, row[j], row[j - 1])
            diagonal, row[j] = row[j], cost
    return row[-1]


def word_runs(tokens: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Return every run of `size` words, in order (the word n-grams); none where there are fewer words."""
    return [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]


@cache
def hashed_counts(text: str) -> Counter[int]:
    """Count hashed words and their character trigrams, so that `number` and `numbers` have much in common."""
    # crc32, not hash(): the built-in one differs from process to process
    counts: Counter[int] = Counter()
    for word in words(text):
        counts[_hash(word)] += _WORD_COUNT
        padded = f" {word} "
        counts.update(_hash(padded[start : start + 3]) for start in range(len(padded) - 2))
    return counts


def term_rarities(documents: Collection[Iterable[str]]) -> dict[str, float]:
    """Return the inverse document frequency of each term: log((1 + documents) / documents that hold it)."""
    counts = Counter(term for document in documents for term in set(document))
    return {term: math.log((1 + len(documents)) / count) for term, count in counts.items()}


def tfidf(terms: Iterable[str], rarities: Mapping[str, float]) -> dict[str, float]:
    """Weight the counts of terms by their rarity; a term without one weighs nothing."""
    return {term: count * rarities.get(term, 0.0) for term, count in Counter(terms).items()}


def cosine(left: Mapping[_Term, float], right: Mapping[_Term, float]) -> float:
    """Cosine of two sparse vectors. Two empty ones are equal (1); one of length zero is like nothing else (0)."""
    if not left and not right:
        return 1.0
    norms = math.sqrt(sum(value * value for value in left.values()) * sum(value * value for value in right.values()))
    return sum(value * right.get(term, 0) for term, value in left.items()) / norms if norms else 0.0


def _hash(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))

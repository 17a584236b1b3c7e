"""Text similarity: word edit distance, word n-grams, and cosine of word counts. Standard library only."""

from __future__ import annotations

import math
import re
import string
import zlib
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import TypeVar

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3105-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Scripts without spaces, as the inside of a character class: Thai, Lao, Myanmar, Khmer, kana, bopomofo and Han."""

# Each character of an unspaced script is a word; else a sentence would be one word
_TOKEN = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
_EDGES = string.punctuation + "“”‘’«»…–—、。「」"

_WORD_COUNT = 2
"""Weight of a word in `hashed_counts`, in which a trigram weighs 1, so that equal words matter more."""

_Term = TypeVar("_Term", bound=Hashable)


def words(text: str) -> list[str]:
    """Split into lower-case words without outer punctuation; a token of punctuation alone stays a word."""
    return [token.strip(_EDGES) or token for token in _TOKEN.findall(text.casefold())]


def quote_start(text: str, most: int = 40) -> str:
    """Return the beginning of a text as a quoted Python literal, on one line."""
    return repr(text if len(text) <= most else f"{text[: most - 1]}…")


def edit_distance(before: str, after: str) -> int:
    """Return the Levenshtein distance over `words`: the fewest insertions, deletions and substitutions of words."""
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
    """Return the word n-grams of length `size`, in order; empty if there are fewer words."""
    return [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]


@cache
def hashed_counts(text: str) -> Counter[int]:
    """Count hashed words and their character trigrams, so that `number` and `numbers` are similar."""
    # crc32, because the built-in hash() of a string differs between processes
    counts: Counter[int] = Counter()
    for word in words(text):
        counts[_hash(word)] += _WORD_COUNT
        padded = f" {word} "
        counts.update(_hash(padded[start : start + 3]) for start in range(len(padded) - 2))
    return counts


def term_rarities(documents: Collection[Iterable[str]]) -> dict[str, float]:
    """Return the inverse document frequency of each term: log((1 + documents) / documents that contain it)."""
    counts = Counter(term for document in documents for term in set(document))
    return {term: math.log((1 + len(documents)) / count) for term, count in counts.items()}


def tfidf(terms: Iterable[str], rarities: Mapping[str, float]) -> dict[str, float]:
    """Weight the counts of terms by their rarity; a term without a rarity weighs 0."""
    return {term: count * rarities.get(term, 0.0) for term, count in Counter(terms).items()}


def cosine(left: Mapping[_Term, float], right: Mapping[_Term, float]) -> float:
    """Return the cosine of two sparse vectors: 1 for two empty vectors, 0 if only one has length zero."""
    if not left and not right:
        return 1.0
    norms = math.sqrt(sum(value * value for value in left.values()) * sum(value * value for value in right.values()))
    return sum(value * right.get(term, 0) for term, value in left.items()) / norms if norms else 0.0


def _hash(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))

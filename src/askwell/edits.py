"""How far apart two prompts are, in words: the unit of GPO's step size."""

from __future__ import annotations

import re
import string

# Scripts written without spaces count a character as a word; otherwise a whole sentence would be one word.
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_EDGES = string.punctuation + "“”‘’«»…–—、。「」"


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

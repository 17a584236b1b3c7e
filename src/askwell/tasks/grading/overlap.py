"""Compare texts by what they share: token overlap (SQuAD F1) and the longest common subsequence (ROUGE-L)."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter

from askwell.core.text import UNSPACED
from askwell.tasks.grading.normalize import normalize_answer, strip_outer, visible_text
from askwell.tasks.grading.reading import read_reply

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ROUGE_TOKEN = re.compile(r"[a-z0-9]+")
_WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
_HANGUL = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7af"
# F1 counts Korean by character too, as KorQuAD does: particles are written onto the noun
_WORD_OR_SYLLABLE = re.compile(rf"[{UNSPACED}{_HANGUL}]|[^\s{UNSPACED}{_HANGUL}]+")


def token_f1(reply: str, target: str) -> float:
    """Return the SQuAD F1: token overlap, lower-case, without punctuation and articles."""
    predicted, wanted = _squad_tokens(read_reply(reply).message), _squad_tokens(target)
    common = sum((Counter(predicted) & Counter(wanted)).values())
    if not common:
        return float(bool(wanted) and predicted == wanted)
    precision, recall = common / len(predicted), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def rouge_l(reply: str, target: str) -> float:
    """Return the ROUGE-L F-measure of the rouge-score package (lower case, tokens [a-z0-9]+, no stemming).

    A target with other letters is compared by its words, and by character in scripts without spaces.
    """
    said, wanted_text = read_reply(reply).message, visible_text(target)
    latin = _is_plain_latin(wanted_text)
    predicted, wanted = _rouge_tokens(said, latin=latin), _rouge_tokens(wanted_text, latin=latin)
    common = longest_common_subsequence(wanted, predicted)
    if not common:
        return float(bool(target.strip()) and normalize_answer(said) == normalize_answer(wanted_text))
    precision, recall = common / len(predicted), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def longest_common_subsequence(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence, bit-parallel on big integers (Hyyrö 2004)."""
    positions: dict[str, int] = {}
    for index, token in enumerate(first):
        positions[token] = positions.get(token, 0) | (1 << index)
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        matched = row & positions.get(token, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(first) - row.bit_count()


def _squad_tokens(text: str) -> list[str]:
    flat = _spaced_punctuation(visible_text(text).lower().translate(_ASCII_PUNCTUATION))
    words = _ARTICLES.sub(" ", flat).split() or flat.split() or strip_outer(visible_text(text)).lower().split()
    return [token for word in words for token in _WORD_OR_SYLLABLE.findall(word)]


def _spaced_punctuation(text: str) -> str:
    """Replace punctuation outside ASCII ("…", "¿", "«") by spaces."""
    marks = {mark for mark in set(text) if not mark.isascii() and unicodedata.category(mark)[0] == "P"}
    return text.translate({ord(mark): " " for mark in marks})


def _rouge_tokens(text: str, *, latin: bool) -> list[str]:
    if latin:
        return _ROUGE_TOKEN.findall(text.lower())
    lowered = text.lower()
    others = {mark for mark in set(lowered) if unicodedata.category(mark)[0] not in "LNM"}
    return _WORD.findall(lowered.translate({ord(mark): " " for mark in others}))


def _is_plain_latin(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return bool(letters) and all(letter.isascii() for letter in letters)

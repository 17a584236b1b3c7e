"""The bundled rewriter's phrase bank, one for all tasks, and how well each phrase fits some texts."""

from __future__ import annotations

import importlib.resources
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from askwell.core.text import words

_SENTENCE_END = re.compile(r"(?<=[.!?;])[\"')\]]*\s+(?=\S)|\s*\n\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Phrases for one kind of input, and typical words of such inputs. No words: for any input."""

    about: frozenset[str]
    phrases: tuple[str, ...]


@cache
def bank() -> tuple[Section, ...]:
    """Load the bank from `editor_phrases.txt` beside this file."""
    lines = (
        importlib.resources.files("askwell.models.bundled")
        .joinpath("editor_phrases.txt")
        .read_text("utf-8")
        .splitlines()
    )
    sections: list[tuple[frozenset[str], list[str]]] = []
    for line in lines:
        if line.startswith("# about:"):
            sections.append((frozenset(words(line.removeprefix("# about:"))) - {"*"}, []))
        elif line:
            sections[-1][1].append(line)
    return tuple(Section(about=about, phrases=tuple(phrases)) for about, phrases in sections)


def split_phrases(prompt: str) -> tuple[str, ...]:
    """Split a prompt into its distinct sentences."""
    return tuple(dict.fromkeys(part.strip() for part in _SENTENCE_END.split(prompt) if part.strip()))


def find_best_section(texts: Sequence[str]) -> Section:
    """Return the section whose inputs are most similar to these texts; one for any input if none is similar."""
    seen = _find_cues(texts)
    return max(reversed(bank()), key=lambda section: len(seen & section.about))


@cache
def phrase_words(phrase: str) -> frozenset[str]:
    """Return the words of a phrase of the bank (cached)."""
    return frozenset(words(phrase))


@lru_cache(maxsize=64)
def weigh_phrases(texts: tuple[str, ...]) -> Mapping[str, float]:
    """Weigh each phrase of the bank by its fit to these texts: positive, larger for a better fit.

    A section's share grows with the number of words that it has in common with the texts; within a section, so does a
    phrase's. Sections for any input have a fixed share, as most good prompts also say how to answer.
    """
    seen = _find_cues(texts)
    fits = [math.sqrt(len(seen & section.about)) if section.about else 1.0 for section in bank()]
    sharp = [fit**_SHARPNESS + _FLOOR for fit in fits]
    weights: dict[str, float] = {}
    for section, share in zip(bank(), sharp, strict=True):
        general = _GENERAL if not section.about else 1.0
        for phrase in section.phrases:
            own = sum(_rarity(word) for word in phrase_words(phrase) & seen)
            weights[phrase] = general * share * (1 + own) / len(section.phrases)
    return weights


_SHARPNESS = 3.0  # how strongly the best-fitting section dominates
_FLOOR = 0.1  # no phrase is excluded: the texts may describe the task badly
_GENERAL = 0.8
_NUMBER = re.compile(r"^[-+]?\d[\d.,]*$")


def _find_cues(texts: Sequence[str]) -> frozenset[str]:
    """Return the words of the texts, and words for their appearance (numbers, lists, sentences)."""
    cues: set[str] = set()
    for text in texts:
        tokens = words(text)
        cues.update(tokens)
        cues.update(word[:-1] for word in tokens if word.endswith("s"))
        numbers = sum(bool(_NUMBER.match(word)) for word in tokens)
        plain = sum(word.isalpha() for word in tokens)
        commas = text.count(",")
        if numbers >= 2:
            cues |= {"number", "numbers", "digits"}
        if numbers > plain:
            cues |= {"integers", "list"}
        if commas >= 2 and plain > 2 * numbers:
            cues |= {"list", "words"}
        if plain > 2 * numbers and len(tokens) < 3 * (commas + 1):
            cues |= {"word", "words", "letters"}
        if plain >= 8 and len(tokens) > 6 * (commas + 1):
            cues |= {"text", "sentence"}
    return frozenset(cues)


@cache
def _rarities() -> dict[str, float]:
    everywhere = [phrase for section in bank() for phrase in section.phrases]
    counts = Counter(word for phrase in everywhere for word in phrase_words(phrase))
    return {word: math.log(len(everywhere) / count) / math.log(len(everywhere)) for word, count in counts.items()}


def _rarity(word: str) -> float:
    return _rarities().get(word, 0.0)

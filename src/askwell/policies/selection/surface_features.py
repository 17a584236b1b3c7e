"""Facts about a question's surface: its numbers, its length, and words that tell what is asked for."""

from __future__ import annotations

import math
import re

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
SENTENCE_END = re.compile(r"[.?!]\s+")

PHRASES = (
    "how many",
    "how much",
    "many more",
    "more",
    "less",
    "fewer",
    "than",
    "difference",
    "each",
    "every",
    "per",
    "all",
    "total",
    "together",
    "left",
    "rest",
    "remain",
    "if",
    "another",
    "average",
    "times",
    "twice",
    "half",
    "share",
    "equal",
    "split",
    "cost",
    "$",
    "%",
    "first",
    "now",
    "still",
    "originally",
    "start",
    "begin",
    "end with",
    "some",
    "lost",
    "gave",
    "took",
    "bought",
    "spent",
)
"""Looked for in the whole text and in its last sentence. They are of arithmetic; elsewhere most never occur."""

LARGEST = 1e15
"""Larger numbers count as this one."""

PLACES = 4
"""The sizes of the first so many numbers are facts of their own."""


def extract_surface_facts(text: str) -> list[float]:
    """Numbers that describe a text without its topic; the same length for every text."""
    lowered = text.lower()
    sentences = SENTENCE_END.split(lowered.strip())
    return [
        *_number_facts([min(float(found.replace(",", "")), LARGEST) for found in NUMBER.findall(lowered)]),
        float(".0" in text),
        float(text == lowered),
        math.log1p(len(lowered.split())),
        float(len(sentences)),
        float("," in text),
        *(float(phrase in lowered) for phrase in PHRASES),
        *(float(phrase in sentences[-1]) for phrase in PHRASES),
    ]


def _number_facts(numbers: list[float]) -> list[float]:
    sizes = [math.log10(1 + number) for number in numbers]
    first, second = numbers[:2] if len(numbers) > 1 else (1.0, 1.0)
    ratio = math.log10(max(first, second, 1e-9)) - math.log10(max(min(first, second), 1e-9))
    return [
        float(len(numbers)),
        *(sizes + [0.0] * PLACES)[:PLACES],
        max(sizes, default=0.0),
        math.log10(1 + first * second),
        float(min(first, second) > 0 and max(first, second) % min(first, second) == 0),
        min(ratio, 6.0),
        float(first > second),
        float(any(number != int(number) for number in numbers)),
        float(len(numbers) - len(set(numbers))),
    ]

"""Compose instructions from clauses, and compute each clause's evidence for every reading of an input.

Evidence adds up: a precise clause settles the task, a hint leans towards some tasks, and a vague clause says nothing.
The input's own appeal decides what the clauses leave open. This sum gives prompts between vague and precise a graded
effect.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from random import Random
from typing import Literal

from phrases import (
    DIRECT,
    FILLERS,
    HINTS,
    LEANING_STEPWISE,
    PRECISE,
    SENTENCE,
    STEPWISE,
    VAGUE,
)

Style = Literal["bare", "sentence", "steps"]

SETTLED = 8.0
"""Log-odds of a precise clause: one reply in a few hundred still answers another task."""

REPEATED_HINT = 0.4
STYLE_PRIOR: Mapping[Style, float] = {"bare": 0.0, "sentence": -2.2, "steps": -2.8}
STYLE_CLAUSES: tuple[tuple[float, str, Style, float], ...] = (
    (0.42, STEPWISE, "steps", 7.0),
    (0.16, LEANING_STEPWISE, "steps", 2.0),
    (0.24, DIRECT, "bare", 3.0),
    (0.18, SENTENCE, "sentence", 6.0),
)
CHOICE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """A text, and its evidence for skills and styles."""

    text: str
    skills: Mapping[str, float]
    styles: Mapping[Style, float]


def lines(templates: str) -> tuple[str, ...]:
    """Return the templates of a block of text, one per line."""
    return tuple(line.strip() for line in templates.strip().splitlines())


PRECISE_LINES = {name: lines(block) for name, block in PRECISE.items()}
VAGUE_LINES, FILLER_LINES = lines(VAGUE), lines(FILLERS)
STYLE_LINES = tuple(lines(block) for _, block, _, _ in STYLE_CLAUSES)
HINT_WEIGHTS: tuple[tuple[str, Mapping[str, float]], ...] = tuple(
    (
        template,
        {name: weight * (1 + REPEATED_HINT * (count - 1)) for name, count in Counter(names.split()).items()},
    )
    for template, weight, names in HINTS
)


def _normalised(text: str) -> str:
    return re.sub(r"[^a-z0-9 ]", "", " ".join(text.lower().split())).strip()


_HELD_OUT: frozenset[str] = frozenset(
    _normalised(phrase)
    for phrases in json.loads(files("askwell.tasks.bundled").joinpath("phrases.json").read_text(encoding="utf-8"))[
        "held_out"
    ].values()
    for phrase in phrases
)
_HELD_OUT_PATTERN = re.compile("|".join(map(re.escape, sorted(_HELD_OUT))))


def is_held_out(text: str) -> bool:
    """Return whether the text contains a held-out paraphrase."""
    return _HELD_OUT_PATTERN.search(_normalised(text)) is not None


def expand(template: str, rng: Random) -> str:
    """Sample one alternative in every pair of braces."""
    return CHOICE.sub(lambda match: rng.choice(match[1].split("|")), template).replace("  ", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clarity:
    """How far to bias the grammar towards samples that are easy to learn from; zeros leave it as it is."""

    precise: float = 0.0
    """Share of instructions that are forced to name their task."""

    stepwise: float = 0.0
    """Share of instructions that are forced to request steps."""


def compose(rng: Random, family_skills: Sequence[str], aim: str, clarity: Clarity) -> Instruction:
    """Return an instruction without any held-out paraphrase; `aim` is the skill that a precise clause names."""
    while True:
        kind = 0.0 if rng.random() < clarity.precise else rng.random()
        instruction = _compose(rng, family_skills, aim, kind, clarity.stepwise)
        if not is_held_out(instruction.text):
            return instruction


def vague(rng: Random) -> Instruction:
    """Return an instruction that says nothing about the task."""
    if rng.random() < 0.3:
        return Instruction(text="", skills={}, styles=STYLE_PRIOR)
    clauses = [expand(rng.choice(VAGUE_LINES), rng)]
    return _assemble(rng, clauses, Counter(), 0.0)


def _compose(rng: Random, family_skills: Sequence[str], aim: str, kind: float, stepwise: float) -> Instruction:
    evidence: Counter[str] = Counter()
    clauses: list[str] = []
    if kind < 0.63:
        clauses.append(expand(rng.choice(PRECISE_LINES[aim]), rng))
        evidence[aim] += SETTLED
        if rng.random() < 0.08:
            clauses.insert(rng.randint(0, 1), _hint(rng, family_skills, evidence))
    elif kind < 0.82:
        clauses.append(_hint(rng, family_skills, evidence))
        if rng.random() < 0.3:
            clauses.append(_hint(rng, family_skills, evidence))
        if rng.random() < 0.3:
            clauses.insert(0, expand(rng.choice(VAGUE_LINES), rng))
    elif kind < 0.93:
        clauses.append(expand(rng.choice(VAGUE_LINES), rng))
    elif kind < 0.96:
        return Instruction(text="", skills={}, styles=STYLE_PRIOR)
    return _assemble(rng, clauses, evidence, stepwise)


def _hint(rng: Random, family_skills: Sequence[str], evidence: Counter[str]) -> str:
    while True:
        template, weights = rng.choice(HINT_WEIGHTS)
        if any(name in weights for name in family_skills) or rng.random() < 0.01:
            evidence.update(weights)
            return expand(template, rng)


def _assemble(rng: Random, clauses: list[str], evidence: Mapping[str, float], stepwise: float) -> Instruction:
    styles: dict[Style, float] = dict(STYLE_PRIOR)
    forced = rng.random() < stepwise
    if forced or rng.random() < 0.45:
        shares = [share for share, _, _, _ in STYLE_CLAUSES]
        chosen = 0 if forced else rng.choices(range(len(shares)), weights=shares)[0]
        _, _, style, weight = STYLE_CLAUSES[chosen]
        styles[style] += weight
        index = len(clauses) if rng.random() < 0.75 else 0
        clauses.insert(index, expand(rng.choice(STYLE_LINES[chosen]), rng))
    for _ in range(rng.choices((0, 1, 2), weights=(60, 30, 10))[0]):
        clauses.insert(rng.randint(0, len(clauses)), expand(rng.choice(FILLER_LINES), rng))
    return Instruction(text=_join_carelessly(rng, clauses), skills=evidence, styles=styles)


def _join_carelessly(rng: Random, clauses: Sequence[str]) -> str:
    """Join clauses as people do: mostly with full stops, sometimes with wrong case and spelling."""
    ended = [clause if clause.endswith((".", "?", "!", "is")) else clause + "." for clause in clauses]
    text = ("\n" if rng.random() < 0.04 else " ").join(ended)
    if rng.random() < 0.12:
        text = text.lower()
    if rng.random() < 0.15:
        text = text.rstrip(".?")
    if rng.random() < 0.04 and len(text) > 8:
        index = rng.randrange(1, len(text) - 2)
        swapped = text[index + 1] + text[index]
        text = text[:index] + rng.choice((swapped, text[index], text[index] * 2 + text[index + 1])) + text[index + 2 :]
    return text


def choose(rng: Random, log_odds: Mapping[str, float]) -> str:
    """Sample a key with probability proportional to the exponential of its value."""
    names = list(log_odds)
    top = max(log_odds.values())
    return rng.choices(names, weights=[math.exp(log_odds[name] - top) for name in names])[0]

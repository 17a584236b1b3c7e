"""A family of tasks: one way to draw and write inputs, several questions that can be asked about each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

Facts = TypeVar("Facts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill(Generic[Facts]):
    """One question about an input: its answer, and the working that leads there."""

    name: str
    """The task's public name, such as "numbers_sum"."""

    answer: Callable[[Facts], str]
    """Facts to the exact target text."""

    working: Callable[[Facts], str]
    """Facts to the step-by-step text that precedes "The answer is ..."."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Generic[Facts]):
    """Tasks that share an input format, so that only an instruction or demonstrations tell them apart."""

    name: str
    draw: Callable[[Random], Facts]
    """Draw the facts of one input."""

    to_text: Callable[[Facts], str]
    """Facts to the input text, one to one."""

    skills: tuple[Skill[Facts], ...]

    prior_log_odds: Callable[[Facts], Mapping[str, float]]
    """How much an input suggests each skill when the instruction does not say (log-odds, 0 where absent)."""

    def skill(self, name: str) -> Skill[Facts]:
        """Return the skill of that name."""
        return next(skill for skill in self.skills if skill.name == name)

"""A family of tasks: one kind of input, with several questions about each input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

Facts = TypeVar("Facts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill(Generic[Facts]):
    """One question about an input: its answer and the steps that lead to it."""

    name: str
    """The task's public name, such as "numbers_sum"."""

    answer: Callable[[Facts], str]
    """Facts -> the exact target text."""

    working: Callable[[Facts], str]
    """Facts -> the step-by-step text that precedes "The answer is ..."."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Generic[Facts]):
    """Tasks with the same input format, so that only an instruction or demonstrations distinguish them."""

    name: str
    draw: Callable[[Random], Facts]
    """Draw the facts of one input."""

    to_text: Callable[[Facts], str]
    """Facts -> the input text, one to one."""

    skills: tuple[Skill[Facts], ...]

    prior_log_odds: Callable[[Facts], Mapping[str, float]]
    """Facts -> log-odds of each skill if the instruction names none (0 if absent): what the input itself suggests."""

    def skill(self, name: str) -> Skill[Facts]:
        """Return the skill with this name."""
        return next(skill for skill in self.skills if skill.name == name)

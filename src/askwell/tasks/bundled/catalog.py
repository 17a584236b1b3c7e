"""The table of bundled families and tasks, and the split of each input."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Literal

from askwell.core.errors import ConfigError
from askwell.tasks.bundled import booleans, navigation, numbers, reviews, words
from askwell.tasks.bundled.family import Family, Skill

FAMILIES: tuple[Family[Any], ...] = (
    numbers.FAMILY,
    words.FAMILY,
    reviews.FAMILY,
    booleans.FAMILY,
    navigation.FAMILY,
)
BUCKETS = 10
"""Inputs are hashed into buckets: 80 % train, 10 % dev, 10 % test."""
DEV_BUCKET, TEST_BUCKET = 8, 9


def task_names() -> tuple[str, ...]:
    """Return the names of all bundled tasks, family by family."""
    return tuple(skill.name for family in FAMILIES for skill in family.skills)


def find_task(task: str) -> tuple[Family[Any], Skill[Any]]:
    """Return the family and the skill of a task; raise `ConfigError` for an unknown name."""
    for family in FAMILIES:
        for skill in family.skills:
            if skill.name == task:
                return family, skill
    raise ConfigError(f"unknown pocket task {task!r}; choose one of {sorted(task_names())}")


def assign_split(text: str) -> Literal["train", "dev", "test"]:
    """Return the only split in which an input may appear; whitespace and case are ignored."""
    normalised = " ".join(text.lower().split())
    bucket = int.from_bytes(blake2b(normalised.encode(), digest_size=4).digest(), "big") % BUCKETS
    return "dev" if bucket == DEV_BUCKET else "test" if bucket == TEST_BUCKET else "train"

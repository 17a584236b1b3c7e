"""Draw examples of a bundled task: seeded, in any number, and split by the text of the input."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from askwell.core.types import Example, Split
from askwell.tasks.bundled.catalog import assign_split, find_task
from askwell.tasks.bundled.family import Family


def draw_examples(task: str, split: Split, n: int, seed: int = 0) -> list[Example]:
    """Return `n` distinct examples of a task; equal arguments give equal examples.

    No input appears in two splits, for any seeds.
    """
    family, skill = find_task(task)
    rng = Random(f"{task}/{split}/{seed}")
    drawn: dict[str, Example] = {}
    for facts, text in _inputs(family, split, rng):
        if len(drawn) == n:
            break
        if text not in drawn:
            drawn[text] = Example(
                id=f"{task}/{split}/{seed}/{len(drawn)}",
                input=text,
                target=skill.answer(facts),
                meta={"task": task, "family": family.name},
            )
    return list(drawn.values())


def _inputs(family: Family[Any], split: Split, rng: Random) -> Iterator[tuple[Any, str]]:
    while True:
        facts = family.draw(rng)
        text = family.to_text(facts)
        if assign_split(text) == split:
            yield facts, text

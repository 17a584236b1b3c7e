"""The bundled tasks as data sets: seeded, endless, and split by the text of the input."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from askwell.core.types import Example, Split
from askwell.tasks.bundled.catalog import find, split_of
from askwell.tasks.bundled.family import Family


def examples(task: str, split: Split, n: int, seed: int = 0) -> list[Example]:
    """Return `n` different examples of a task; equal arguments give equal examples.

    No input of one split ever appears in another, whatever the seeds.
    """
    family, skill = find(task)
    rng = Random(f"{task}/{split}/{seed}")
    found: dict[str, Example] = {}
    for facts, text in _inputs(family, split, rng):
        if len(found) == n:
            break
        if text not in found:
            found[text] = Example(
                id=f"{task}/{split}/{seed}/{len(found)}",
                input=text,
                target=skill.answer(facts),
                meta={"task": task, "family": family.name},
            )
    return list(found.values())


def _inputs(family: Family[Any], split: Split, rng: Random) -> Iterator[tuple[Any, str]]:
    while True:
        facts = family.draw(rng)
        text = family.write(facts)
        if split_of(text) == split:
            yield facts, text

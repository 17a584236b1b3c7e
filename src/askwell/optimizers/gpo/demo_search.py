"""Joint search of demonstrations: some candidates of a step keep the instruction and vary its demonstrations."""

from __future__ import annotations

import random
from collections.abc import Sequence

from askwell.core.types import Example

_EVERY = 4
"""One slot in this many varies demonstrations; the others vary the instruction, which conveys more per word."""


def is_demo_slot(slot: int) -> bool:
    """Return whether this slot (from 0) of a step varies demonstrations: the last of every four does."""
    return slot % _EVERY == _EVERY - 1


def vary_demos(
    demos: Sequence[Example], train: Sequence[Example], most: int, rng: random.Random
) -> tuple[Example, ...]:
    """Return demonstrations one move away: one added, dropped or replaced, or two exchanged.

    At most `most`, without repeats, from `train` and `demos`; differs from `demos` if any move is possible.
    """
    spare = [example for example in train if example not in demos]
    moves = [name for name, possible in (
        ("add", spare and len(demos) < most), ("swap", spare and demos), ("drop", demos), ("reorder", len(demos) > 1),
    ) if possible]  # fmt: skip
    if not moves:
        return tuple(demos)
    changed, move = list(demos), rng.choice(moves)
    if move == "add":
        changed.insert(rng.randrange(len(changed) + 1), rng.choice(_prefer_new_answers(spare, demos)))
    elif move == "swap":
        index = rng.randrange(len(changed))
        changed[index] = rng.choice(_prefer_new_answers(spare, [*changed[:index], *changed[index + 1 :]]))
    elif move == "drop":
        del changed[rng.randrange(len(changed))]
    else:
        left, right = rng.sample(range(len(changed)), 2)
        changed[left], changed[right] = changed[right], changed[left]
    return tuple(changed)


def _prefer_new_answers(spare: Sequence[Example], demos: Sequence[Example]) -> Sequence[Example]:
    """Return the examples whose answer no demonstration shows yet; all, if there are none."""
    shown = {demo.target for demo in demos}
    return [example for example in spare if example.target not in shown] or spare

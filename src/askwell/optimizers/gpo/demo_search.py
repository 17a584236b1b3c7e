"""Demonstrations as part of the search: a few candidates of a step keep the instruction and vary its examples."""

from __future__ import annotations

import random
from collections.abc import Sequence

from askwell.core.types import Example

_EVERY = 4
"""One slot in so many varies demonstrations: an instruction says more at less cost."""


def varies_demos(slot: int) -> bool:
    """Whether this slot (from 0) of a step is one that varies demonstrations: the last of every four."""
    return slot % _EVERY == _EVERY - 1


def varied(demos: Sequence[Example], train: Sequence[Example], most: int, chance: random.Random) -> tuple[Example, ...]:
    """Return demonstrations one move away: one added, dropped or swapped, or two in each other's place.

    At most `most`, without repeats, of `train` or of those there; differs from `demos` if any move can be made.
    """
    spare = [example for example in train if example not in demos]
    moves = [name for name, possible in (
        ("add", spare and len(demos) < most), ("swap", spare and demos), ("drop", demos), ("reorder", len(demos) > 1),
    ) if possible]  # fmt: skip
    if not moves:
        return tuple(demos)
    found, move = list(demos), chance.choice(moves)
    if move == "add":
        found.insert(chance.randrange(len(found) + 1), chance.choice(_rare(spare, demos)))
    elif move == "swap":
        place = chance.randrange(len(found))
        found[place] = chance.choice(_rare(spare, [*found[:place], *found[place + 1 :]]))
    elif move == "drop":
        del found[chance.randrange(len(found))]
    else:
        one, other = chance.sample(range(len(found)), 2)
        found[one], found[other] = found[other], found[one]
    return tuple(found)


def _rare(spare: Sequence[Example], demos: Sequence[Example]) -> Sequence[Example]:
    """Prefer examples with an answer that no demonstration shows yet."""
    shown = {demo.target for demo in demos}
    return [example for example in spare if example.target not in shown] or spare

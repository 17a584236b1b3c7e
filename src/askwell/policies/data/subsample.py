"""Fewer pairs to train on: of a query with many logged prompts, the best ones and a sample of the rest."""

from __future__ import annotations

import random
from collections.abc import Sequence

from askwell.core.types import Experience


def thinned(experiences: Sequence[Experience], *, most: int, always: str = "", seed: int = 0) -> list[Experience]:
    """Keep at most `most` prompts of each query (0: all), in the given order.

    Half of them the best ones (ties broken at random), the others drawn from what remains, so that failures stay. The
    prompt `always` is kept where it was tried. A run that scored 100 prompts on each query mostly repeats itself: what
    works, and what fails, is said by two dozen.
    """
    if most < 1:
        return list(experiences)
    by_query: dict[str, list[int]] = {}
    for place, one in enumerate(experiences):
        by_query.setdefault(one.query, []).append(place)
    rng = random.Random(seed)
    kept: set[int] = set()
    for places in by_query.values():
        kept |= _chosen(experiences, places, most, always, rng)
    return [one for place, one in enumerate(experiences) if place in kept]


def _chosen(
    experiences: Sequence[Experience], places: Sequence[int], most: int, always: str, rng: random.Random
) -> set[int]:
    if len(places) <= most:
        return set(places)
    fixed = [place for place in places if experiences[place].prompt == always]
    rest = [place for place in places if experiences[place].prompt != always]
    rng.shuffle(rest)
    rest.sort(key=lambda place: -experiences[place].reward)
    best = -(-most // 2) - len(fixed)
    others = rng.sample(rest[best:], k=most - best - len(fixed))
    return {*fixed, *rest[:best], *others}

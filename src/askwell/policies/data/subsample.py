"""Train on fewer pairs: of a query with many logged prompts, keep the best ones and a sample of the rest."""

from __future__ import annotations

import random
from collections.abc import Sequence

from askwell.core.types import Experience


def thin_experiences(
    experiences: Sequence[Experience], *, most: int, always: str = "", seed: int = 0
) -> list[Experience]:
    """Keep at most `most` prompts of each query (0: all), in the given order.

    Half of them are the best ones (ties broken at random); the others are sampled from the rest, so that failures stay.
    The prompt `always` is kept if it was tried on the query. A run that scored 100 prompts on each query is mostly
    redundant: two dozen show as well which prompts work and which fail.
    """
    if most < 1:
        return list(experiences)
    by_query: dict[str, list[int]] = {}
    for index, experience in enumerate(experiences):
        by_query.setdefault(experience.query, []).append(index)
    rng = random.Random(seed)
    kept: set[int] = set()
    for indices in by_query.values():
        kept |= _sample(experiences, indices, most, always, rng)
    return [experience for index, experience in enumerate(experiences) if index in kept]


def _sample(
    experiences: Sequence[Experience], indices: Sequence[int], most: int, always: str, rng: random.Random
) -> set[int]:
    if len(indices) <= most:
        return set(indices)
    fixed = [index for index in indices if experiences[index].prompt == always]
    rest = [index for index in indices if experiences[index].prompt != always]
    rng.shuffle(rest)  # before the sort, which is stable: ties in the reward stay in random order
    rest.sort(key=lambda index: -experiences[index].reward)
    n_best = -(-most // 2) - len(fixed)
    others = rng.sample(rest[n_best:], k=most - n_best - len(fixed))
    return {*fixed, *rest[:n_best], *others}

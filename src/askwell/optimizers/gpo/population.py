"""Which prompts a step starts from: one for all its candidates (the paper), or a population.

To add a rule, write a function and give it a line in `PARENTS`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from askwell.core.trajectory import Trajectory, penalized_score
from askwell.core.types import Candidate, Prompt

Choose = Callable[[Trajectory, int, int, random.Random], list[Candidate]]
"""(trajectory, count, size, chance) -> `count` parents, of at most `size` distinct prompts. Pure but for `chance`."""

RESTARTS = ("none", "initial", "scratch")
"""What half of a step's candidates start from at a plateau: as always, the initial prompt, or the examples alone."""


def _latest(trajectory: Trajectory, count: int, _size: int, _chance: random.Random) -> list[Candidate]:
    return [trajectory.current] * count


def _best(trajectory: Trajectory, count: int, _size: int, _chance: random.Random) -> list[Candidate]:
    return [trajectory.best] * count


def elite(trajectory: Trajectory, count: int, size: int, _chance: random.Random) -> list[Candidate]:
    """Deal the slots out to the `size` best prompts in turn, the best one first."""
    kept = _ranked(distinct(trajectory))[:size]
    return [kept[place % len(kept)] for place in range(count)]


def pareto(trajectory: Trajectory, count: int, size: int, chance: random.Random) -> list[Candidate]:
    """Give the best prompt the first slot, and draw the others from the front by how many examples each leads on."""
    front = pareto_front(distinct(trajectory))
    kept = _ranked(list(front))[:size]
    if not kept:
        return _best(trajectory, count, size, chance)
    drawn = chance.choices(kept, weights=[front[one] for one in kept], k=max(0, count - 1))
    return [trajectory.best, *drawn][:count]


def pareto_front(candidates: Sequence[Candidate]) -> dict[Candidate, int]:
    """Return the prompts that no other one covers, with the number of dev examples that each leads on.

    A prompt leads on an example where none scores higher and not all score the same. One prompt covers another if it
    leads wherever that one does and in one more place, or in the same places with a higher mean, or came first. Only
    counts of examples leave this function: no text of theirs was in it.
    """
    leads: dict[int, set[str]] = {place: set() for place in range(len(candidates))}
    for example_id in dict.fromkeys(name for one in candidates for name in one.example_scores):
        known = {place: one.example_scores[example_id] for place, one in enumerate(candidates)
                 if example_id in one.example_scores}  # fmt: skip
        top = max(known.values())
        if min(known.values()) < top:
            for place, score in known.items():
                if score == top:
                    leads[place].add(example_id)

    def covers(other: int, place: int) -> bool:
        if leads[other] == leads[place]:
            return (penalized_score(candidates[other]), -other) > (penalized_score(candidates[place]), -place)
        return leads[other] > leads[place]

    return {
        candidates[place]: len(mine)
        for place, mine in leads.items()
        if mine and not any(covers(other, place) for other in leads)
    }


PARENTS: Mapping[str, Choose] = MappingProxyType(
    {"latest": _latest, "best": _best, "elite": elite, "pareto": pareto}
)  # fmt: skip


def at_plateau(trajectory: Trajectory, plateau: int) -> bool:
    """Whether the next step should restart: `plateau` steps without a better prompt, or a multiple of it; 0 never."""
    idle = idle_steps(trajectory)
    return bool(plateau and idle and idle % plateau == 0)


def idle_steps(trajectory: Trajectory) -> int:
    """Count the steps made since the best prompt was found."""
    return trajectory.next_step - 1 - trajectory.best.step


def distinct(trajectory: Trajectory) -> list[Candidate]:
    """Return each prompt that was scored on all of dev once, where it was so first; others' means don't compare."""
    first: dict[Prompt, Candidate] = {}
    for candidate in trajectory.complete:
        first.setdefault(candidate.prompt, candidate)
    return list(first.values())


def _ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=penalized_score, reverse=True)

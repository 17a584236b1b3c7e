"""Choose the parent prompts of a step: one for all its candidates (the paper), or a population.

To add a rule, write a function and add it to `PARENTS`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from askwell.core.trajectory import Trajectory, penalized_score
from askwell.core.types import Candidate, Prompt

ParentRule = Callable[[Trajectory, int, int, random.Random], list[Candidate]]
"""(trajectory, count, size, rng) -> `count` parents, of at most `size` distinct prompts. Pure except for `rng`."""

RESTARTS = ("none", "initial", "scratch")
"""What half of a step's candidates start from at a plateau: no change, the initial prompt, or the examples alone."""


def choose_latest(trajectory: Trajectory, count: int, _size: int, _rng: random.Random) -> list[Candidate]:
    """Return the winner of the latest step, `count` times."""
    return [trajectory.current] * count


def choose_best(trajectory: Trajectory, count: int, _size: int, _rng: random.Random) -> list[Candidate]:
    """Return the best prompt so far, `count` times."""
    return [trajectory.best] * count


def choose_elite(trajectory: Trajectory, count: int, size: int, _rng: random.Random) -> list[Candidate]:
    """Return the `size` best prompts in turn, the best first."""
    kept = _rank(distinct_complete(trajectory))[:size]
    return [kept[index % len(kept)] for index in range(count)]


def choose_pareto(trajectory: Trajectory, count: int, size: int, rng: random.Random) -> list[Candidate]:
    """Return the best prompt first; draw the others from the Pareto front, weighted by the examples each leads on."""
    front = find_pareto_front(distinct_complete(trajectory))
    kept = _rank(list(front))[:size]
    if not kept:
        return choose_best(trajectory, count, size, rng)
    drawn = rng.choices(kept, weights=[front[candidate] for candidate in kept], k=max(0, count - 1))
    # The best prompt may lead nowhere alone and so be missing from the front.
    return [trajectory.best, *drawn][:count]


def find_pareto_front(candidates: Sequence[Candidate]) -> dict[Candidate, int]:
    """Return the prompts that no other prompt covers, with the number of dev examples that each leads on.

    A prompt leads on an example if none scores higher and not all score the same. One prompt covers another if it leads
    on a proper superset of the other's examples, or on the same examples with a higher mean, or with the same mean and
    an earlier position. The result holds counts only: no dev text may reach the optimizer model.
    """
    leads: dict[int, set[str]] = {index: set() for index in range(len(candidates))}
    for example_id in dict.fromkeys(name for candidate in candidates for name in candidate.example_scores):
        scores = {
            index: candidate.example_scores[example_id]
            for index, candidate in enumerate(candidates)
            if example_id in candidate.example_scores
        }
        top = max(scores.values())
        if min(scores.values()) < top:
            for index, score in scores.items():
                if score == top:
                    leads[index].add(example_id)

    def covers(other: int, index: int) -> bool:
        if leads[other] == leads[index]:
            return (penalized_score(candidates[other]), -other) > (penalized_score(candidates[index]), -index)
        return leads[other] > leads[index]

    return {
        candidates[index]: len(examples)
        for index, examples in leads.items()
        if examples and not any(covers(other, index) for other in leads)
    }


PARENTS: Mapping[str, ParentRule] = MappingProxyType(
    {"latest": choose_latest, "best": choose_best, "elite": choose_elite, "pareto": choose_pareto}
)  # fmt: skip


def is_at_plateau(trajectory: Trajectory, plateau: int) -> bool:
    """Return whether the steps without a better prompt are a positive multiple of `plateau`; never if that is 0."""
    idle = count_idle_steps(trajectory)
    return bool(plateau and idle and idle % plateau == 0)


def count_idle_steps(trajectory: Trajectory) -> int:
    """Count the steps since the one that scored the best prompt."""
    return trajectory.next_step - 1 - trajectory.best.step


def distinct_complete(trajectory: Trajectory) -> list[Candidate]:
    """Return the first complete candidate of each prompt; means over a part of dev can't be compared."""
    first: dict[Prompt, Candidate] = {}
    for candidate in trajectory.complete:
        first.setdefault(candidate.prompt, candidate)
    return list(first.values())


def _rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=penalized_score, reverse=True)

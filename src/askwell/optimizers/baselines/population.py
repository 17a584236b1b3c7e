"""Populations read off a trajectory: who is in, who breeds, and how the first members are made."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from askwell.core.protocols import Render
from askwell.core.types import Candidate, Example, Prompt, Proposal
from askwell.optimizers.baselines.crossover_prompts import wording_request
from askwell.optimizers.gpo.metaprompt import Exemplar, exemplar
from askwell.optimizers.gpo.queries import OptimizerQueries

Fitness = Callable[[Candidate], float]
_by_score: Fitness = operator.attrgetter("score")
_Made = TypeVar("_Made", Candidate, Proposal)


def distinct(made: Iterable[_Made]) -> list[_Made]:
    """Return every prompt once, where it first stands."""
    found: dict[Prompt, _Made] = {}
    for one in made:
        found.setdefault(one.prompt, one)
    return list(found.values())


def fittest(candidates: Sequence[Candidate], size: int, fitness: Fitness = _by_score) -> list[Candidate]:
    """Return the `size` fittest, best first; of equals the earliest."""
    return sorted(candidates, key=fitness, reverse=True)[:size]


def roulette(candidates: Sequence[Candidate], count: int, dice: random.Random) -> list[Candidate]:
    """Draw `count` different members, each time with a chance in proportion to the score; all alike if all score 0."""
    left, drawn = list(candidates), list[Candidate]()
    while left and len(drawn) < count:
        scores = [candidate.score for candidate in left]
        weights = scores if sum(scores) > 0 else [1.0] * len(left)
        place = dice.choices(range(len(left)), weights=weights)[0]
        drawn.append(left.pop(place))
    return drawn


async def wordings(
    asker: OptimizerQueries, initial: Sequence[str], exemplars: Sequence[Exemplar], count: int, seed: int
) -> list[str]:
    """Ask for other wordings of the initial prompts in turn; return those that came, without repeats."""
    questions = [wording_request(initial[place % len(initial)], exemplars) for place in range(count)]
    found = await asker.prompts(questions, range(count), seed)
    return [text for text in dict.fromkeys(found) if text and text not in initial]


def shown_examples(train: Sequence[Example], count: int, render: Render, seed: int) -> tuple[Exemplar, ...]:
    """Draw the training examples that a step's meta-prompts show."""
    drawn = random.Random(f"{seed}:exemplars").sample(list(train), min(count, len(train)))
    return tuple(exemplar(example, render) for example in drawn)

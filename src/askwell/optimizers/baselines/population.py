"""Populations computed from a trajectory: selection, drawing of parents, and the first members."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from askwell.core.protocols import Render
from askwell.core.types import Candidate, Example, Prompt, Proposal
from askwell.optimizers.baselines.crossover_prompts import format_wording_request
from askwell.optimizers.gpo.client import OptimizerClient
from askwell.optimizers.gpo.metaprompt import Exemplar, make_exemplar

Fitness = Callable[[Candidate], float]
_by_score: Fitness = operator.attrgetter("score")
_WithPrompt = TypeVar("_WithPrompt", Candidate, Proposal)


def drop_duplicates(items: Iterable[_WithPrompt]) -> list[_WithPrompt]:
    """Return the first item of each prompt."""
    first: dict[Prompt, _WithPrompt] = {}
    for item in items:
        first.setdefault(item.prompt, item)
    return list(first.values())


def select_fittest(candidates: Sequence[Candidate], size: int, fitness: Fitness = _by_score) -> list[Candidate]:
    """Return the `size` fittest, best first; of equals the earliest."""
    return sorted(candidates, key=fitness, reverse=True)[:size]


def draw_by_roulette(candidates: Sequence[Candidate], count: int, rng: random.Random) -> list[Candidate]:
    """Draw `count` distinct members with probability proportional to score; uniformly if all score 0."""
    left, drawn = list(candidates), list[Candidate]()
    while left and len(drawn) < count:
        scores = [candidate.score for candidate in left]
        weights = scores if sum(scores) > 0 else [1.0] * len(left)
        index = rng.choices(range(len(left)), weights=weights)[0]
        drawn.append(left.pop(index))
    return drawn


async def request_wordings(
    client: OptimizerClient, initial: Sequence[str], exemplars: Sequence[Exemplar], count: int, seed: int
) -> list[str]:
    """Request other wordings of the initial prompts in turn; return the usable ones, without repeats."""
    requests = [format_wording_request(initial[index % len(initial)], exemplars) for index in range(count)]
    wordings = await client.request_usable_prompts(requests, range(count), seed, initial=initial[0])
    return [text for text in dict.fromkeys(wordings) if text and text not in initial]


def draw_exemplars(train: Sequence[Example], count: int, render: Render, seed: int) -> tuple[Exemplar, ...]:
    """Draw the training examples that the meta-prompts of a step show."""
    drawn = random.Random(f"{seed}:exemplars").sample(list(train), min(count, len(train)))
    return tuple(make_exemplar(example, render) for example in drawn)

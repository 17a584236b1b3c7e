"""Momentum by retrieval: select the past prompts that a meta-prompt shows, and their order.

To add a retriever, write a function and add it to `RETRIEVERS`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from askwell.core.types import Candidate
from askwell.models.embedder import Embedder

Retrieve = Callable[[Sequence[Candidate], Candidate, int, Embedder, int], list[Candidate]]
"""(past, current, k, embedder, seed) -> at most k of `past`, the most important one last.

`past` is in order of time, has each prompt once, and does not have the current prompt. Pure: `seed` is the only source
of randomness. Ties go to the later candidate, which is shown nearer to the end.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retriever:
    """A retrieval rule, with the words that state the order of the entries in the meta-prompt."""

    retrieve: Retrieve
    order: str


def retrieve_latest(
    past: Sequence[Candidate], _current: Candidate, k: int, _e: Embedder, _seed: int
) -> list[Candidate]:
    """Return the last k, oldest first."""
    return list(past[max(0, len(past) - k) :])


def retrieve_relevant(
    past: Sequence[Candidate], current: Candidate, k: int, embed: Embedder, _seed: int
) -> list[Candidate]:
    """Return the k most similar to the current prompt, ascending: most similar last (paper, section 3.1)."""
    alike = embed.similarities(current.prompt.instruction, [candidate.prompt.instruction for candidate in past])
    return _take_top(past, alike, k)


def retrieve_best(past: Sequence[Candidate], _current: Candidate, k: int, _e: Embedder, _seed: int) -> list[Candidate]:
    """Return the k with the highest scores, ascending: best last."""
    return _take_top(past, [candidate.score for candidate in past], k)


def retrieve_random(past: Sequence[Candidate], _current: Candidate, k: int, _e: Embedder, seed: int) -> list[Candidate]:
    """Return k at random, with their true scores: the control for the value of retrieval."""
    return random.Random(f"{seed}:random retrieval").sample(past, min(k, len(past)))


def retrieve_shuffled(
    past: Sequence[Candidate], current: Candidate, k: int, embed: Embedder, seed: int
) -> list[Candidate]:
    """Return the k most similar, with the scores of all past prompts permuted: the control for the direction."""
    scores = [candidate.score for candidate in past]
    random.Random(f"{seed}:shuffled scores").shuffle(scores)
    permuted = [replace(candidate, score=score) for candidate, score in zip(past, scores, strict=True)]
    return retrieve_relevant(permuted, current, k, embed, seed)


def retrieve_diverse(
    past: Sequence[Candidate], current: Candidate, k: int, embed: Embedder, _seed: int
) -> list[Candidate]:
    """Return k by relevance × score × diversity, picked one by one; the first pick last.

    Diversity is one minus the largest similarity to those picked before (maximal marginal relevance, as a product). No
    factor falls below a small floor: a prompt that scored 0 can still be informative.
    """
    texts = [candidate.prompt.instruction for candidate in past]
    alike = embed.similarities(current.prompt.instruction, texts)
    value = [max(_FLOOR, near) * max(_FLOOR, candidate.score) for near, candidate in zip(alike, past, strict=True)]
    closest = [0.0] * len(past)
    picked: list[int] = []
    for _ in range(min(k, len(past))):
        left = [index for index in range(len(past)) if index not in picked]
        chosen = max(left, key=lambda index: (value[index] * max(_FLOOR, 1 - closest[index]), index))
        picked.append(chosen)
        closest = [max(pair) for pair in zip(closest, embed.similarities(texts[chosen], texts), strict=True)]
    return [past[index] for index in reversed(picked)]


_FLOOR = 0.05
"""Least value of each factor of `retrieve_diverse`."""

RETRIEVERS: Mapping[str, Retriever] = MappingProxyType(
    {
        "recency": Retriever(retrieve=retrieve_latest, order="from the oldest to the latest"),
        "relevance": Retriever(
            retrieve=retrieve_relevant, order="from the least to the most similar to the current prompt"
        ),
        "importance": Retriever(retrieve=retrieve_best, order="from the lowest to the highest score"),
        "diverse": Retriever(retrieve=retrieve_diverse, order="the most telling one last"),
        "random": Retriever(retrieve=retrieve_random, order="in no particular order"),
        "shuffled": Retriever(
            retrieve=retrieve_shuffled, order="from the least to the most similar to the current prompt"
        ),
    }
)


def _take_top(past: Sequence[Candidate], values: Sequence[float], k: int) -> list[Candidate]:
    ascending = sorted(range(len(past)), key=lambda index: (values[index], index))
    return [past[index] for index in ascending[max(0, len(past) - k) :]]

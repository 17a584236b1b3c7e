"""Momentum by retrieval: which past prompts the optimizer model is shown, and in which order.

To add a retriever, write a function and give it a line in `RETRIEVERS`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from askwell.models.embedder import Embedder
from askwell.types import Candidate

Retrieve = Callable[[Sequence[Candidate], Candidate, int, Embedder, int], list[Candidate]]
"""(past, current, k, embedder, seed) -> at most k of `past`, the one that matters most last.

`past` is in order of time and holds each prompt once; the current prompt is not in it. Pure: `seed` is the only
source of chance. Ties go to the later candidate, which is shown nearer to the end.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retriever:
    """A retrieval rule and the words that tell the optimizer model how the entries are ordered."""

    retrieve: Retrieve
    order: str


def recency(past: Sequence[Candidate], _current: Candidate, k: int, _e: Embedder, _seed: int) -> list[Candidate]:
    """Return the last k, oldest first."""
    return list(past[max(0, len(past) - k) :])


def relevance(past: Sequence[Candidate], current: Candidate, k: int, embed: Embedder, _seed: int) -> list[Candidate]:
    """Return the k most similar to the current prompt, ascending: most similar last (paper, section 3.1)."""
    alike = embed.similarities(current.prompt.instruction, [candidate.prompt.instruction for candidate in past])
    return _top(past, alike, k)


def importance(past: Sequence[Candidate], _current: Candidate, k: int, _e: Embedder, _seed: int) -> list[Candidate]:
    """Return the k best-scoring, ascending: best last."""
    return _top(past, [candidate.score for candidate in past], k)


def at_random(past: Sequence[Candidate], _current: Candidate, k: int, _e: Embedder, seed: int) -> list[Candidate]:
    """Return any k with their true scores: the control for what retrieval is worth."""
    return random.Random(f"{seed}:random retrieval").sample(past, min(k, len(past)))


def shuffled(past: Sequence[Candidate], current: Candidate, k: int, embed: Embedder, seed: int) -> list[Candidate]:
    """Return the relevant k with scores dealt out anew among all past prompts: the control for the direction itself."""
    scores = [candidate.score for candidate in past]
    random.Random(f"{seed}:shuffled scores").shuffle(scores)
    dealt = [replace(candidate, score=score) for candidate, score in zip(past, scores, strict=True)]
    return relevance(dealt, current, k, embed, seed)


def diverse(past: Sequence[Candidate], current: Candidate, k: int, embed: Embedder, _seed: int) -> list[Candidate]:
    """Return k by relevance × score × diversity, picked one by one; the first pick last.

    Diversity is one minus the largest similarity to those picked before (maximal marginal relevance, as a product). No
    factor falls below a small floor: a prompt that scored 0 is not a prompt that can't teach.
    """
    texts = [candidate.prompt.instruction for candidate in past]
    alike = embed.similarities(current.prompt.instruction, texts)
    value = [max(_FLOOR, near) * max(_FLOOR, one.score) for near, one in zip(alike, past, strict=True)]
    closest = [0.0] * len(past)
    picked: list[int] = []
    for _ in range(min(k, len(past))):
        left = [place for place in range(len(past)) if place not in picked]
        chosen = max(left, key=lambda place: (value[place] * max(_FLOOR, 1 - closest[place]), place))
        picked.append(chosen)
        closest = [max(pair) for pair in zip(closest, embed.similarities(texts[chosen], texts), strict=True)]
    return [past[place] for place in reversed(picked)]


_FLOOR = 0.05

RETRIEVERS: Mapping[str, Retriever] = MappingProxyType(
    {
        "recency": Retriever(retrieve=recency, order="from the oldest to the latest"),
        "relevance": Retriever(retrieve=relevance, order="from the least to the most similar to the current prompt"),
        "importance": Retriever(retrieve=importance, order="from the lowest to the highest score"),
        "diverse": Retriever(retrieve=diverse, order="the most telling one last"),
        "random": Retriever(retrieve=at_random, order="in no particular order"),
        "shuffled": Retriever(retrieve=shuffled, order="from the least to the most similar to the current prompt"),
    }
)


def _top(past: Sequence[Candidate], values: Sequence[float], k: int) -> list[Candidate]:
    ascending = sorted(range(len(past)), key=lambda place: (values[place], place))
    return [past[place] for place in ascending[max(0, len(past) - k) :]]

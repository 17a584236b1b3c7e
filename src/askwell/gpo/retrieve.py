"""Momentum by retrieval: which past prompts the optimizer model is shown, and in which order.

To add a retriever, write a function and give it a line in `RETRIEVERS`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from askwell.gpo.embed import Embedder
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


RETRIEVERS: Mapping[str, Retriever] = MappingProxyType(
    {
        "recency": Retriever(retrieve=recency, order="from the oldest to the latest"),
        "relevance": Retriever(retrieve=relevance, order="from the least to the most similar to the current prompt"),
        "importance": Retriever(retrieve=importance, order="from the lowest to the highest score"),
        "random": Retriever(retrieve=at_random, order="in no particular order"),
        "shuffled": Retriever(retrieve=shuffled, order="from the least to the most similar to the current prompt"),
    }
)


def _top(past: Sequence[Candidate], values: Sequence[float], k: int) -> list[Candidate]:
    ascending = sorted(range(len(past)), key=lambda place: (values[place], place))
    return [past[place] for place in ascending[max(0, len(past) - k) :]]

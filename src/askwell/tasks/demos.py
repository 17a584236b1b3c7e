"""Demonstrations (few-shot examples): which training examples a prompt shows, how many, and in which order.

They are chosen once for all questions (random, per-class), per question (nearest), or searched by the optimizer
together with the instruction (joint, see `optimizers.gpo.demo_search`). To add a way to choose them once, write a
function and add it to `CHOICES`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

from askwell.core.errors import ConfigError, nearest
from askwell.core.protocols import Render
from askwell.core.text import cosine, term_rarities, tfidf, words
from askwell.core.types import Example, Message, Prompt

Choose = Callable[[Sequence[Example], int, random.Random], list[Example]]
"""(train, count, rng) -> at most `count` distinct examples of `train`. Deterministic except for `rng`."""

NEAREST, JOINT, NONE = "nearest", "joint", "none"


def draw_at_random(train: Sequence[Example], count: int, rng: random.Random) -> list[Example]:
    """Draw from all examples with equal probability."""
    return rng.sample(list(train), min(count, len(train)))


def draw_per_class(train: Sequence[Example], count: int, rng: random.Random) -> list[Example]:
    """Draw from each answer in turn, so that every class is present if `count` allows."""
    classes: dict[str | tuple[str, ...], list[Example]] = {}
    for example in rng.sample(list(train), len(train)):
        classes.setdefault(example.target, []).append(example)
    rounds = max((len(members) for members in classes.values()), default=0)
    interleaved = [members[turn] for turn in range(rounds) for members in classes.values() if turn < len(members)]
    return interleaved[:count]


CHOICES: Mapping[str, Choose] = MappingProxyType({"random": draw_at_random, "per-class": draw_per_class})

ORDERS: Mapping[str, Callable[[list[Example]], list[Example]]] = MappingProxyType(
    {
        "drawn": lambda demos: demos,
        "reversed": lambda demos: demos[::-1],
        "shortest-first": lambda demos: sorted(demos, key=lambda demo: len(demo.input)),
        "longest-first": lambda demos: sorted(demos, key=lambda demo: -len(demo.input)),
    }
)
"""The order in which demonstrations are shown. "drawn" keeps the order of the choice (nearest: the nearest last)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demos:
    """Settings: which demonstrations the prompts show."""

    choice: str = ""
    """none, random, per-class, nearest (to each question) or joint (searched with the instruction). "": the
    optimizer's default."""
    count: int = 4
    """Number of demonstrations; with joint, the maximum."""
    order: str = "drawn"
    """A name in `ORDERS`."""
    seed: int = 0
    """Seed of the draw, for random and per-class."""

    def __post_init__(self) -> None:
        choices = ["", NONE, NEAREST, JOINT, *CHOICES]
        if self.choice not in choices:
            raise ConfigError(f"unknown choice of demonstrations {self.choice!r}; {nearest(self.choice, choices[1:])}")
        if self.order not in ORDERS:
            raise ConfigError(f"unknown order of demonstrations {self.order!r}; {nearest(self.order, ORDERS)}")
        if self.count < 1:
            raise ConfigError(f"demos: count = {self.count!r}; expected at least 1, or choice = 'none'")

    def initial_prompt(self, instruction: str, train: Sequence[Example]) -> Prompt:
        """Return the initial prompt of an optimization, with the demonstrations that are chosen once.

        Raises `ConfigError` if there is no train split to choose from.
        """
        if self.choice in ("", NONE):
            return Prompt(instruction=instruction)
        if not train:
            raise ConfigError(
                f"demonstrations are training examples: {self.choice!r} needs a train split; add one, or use 'none'"
            )
        if self.choice not in CHOICES:
            return Prompt(instruction=instruction)
        chosen = CHOICES[self.choice](train, self.count, random.Random(f"{self.seed}:demonstrations"))
        return Prompt(instruction=instruction, demos=tuple(ORDERS[self.order](chosen)))

    def wrap(self, render: Render, train: Sequence[Example]) -> Render:
        """Return `render`, wrapped so that it adds each question's nearest demonstrations if the choice is nearest."""
        if self.choice != NEAREST:
            return render
        return WithNearest(render=render, train=tuple(train), demos=self)

    def nearest(self, query: str, train: tuple[Example, ...]) -> tuple[Example, ...]:
        """Return the training examples most similar to a question, in order; never the question itself."""
        return tuple(ORDERS[self.order](list(nearest_demos(query, train, self.count))))


@dataclass(frozen=True, slots=True, kw_only=True)
class WithNearest:
    """A render that adds to each question the most similar training examples, the nearest last.

    A question is never its own demonstration, so that prompts can also be scored on training examples. A prompt that
    already has demonstrations keeps them.
    """

    render: Render
    train: tuple[Example, ...]
    demos: Demos

    def __call__(self, prompt: Prompt, example: Example) -> tuple[Message, ...]:
        if prompt.demos:
            return self.render(prompt, example)
        return self.render(replace(prompt, demos=self.demos.nearest(example.input, self.train)), example)


def decode_demos(config: Mapping[str, object]) -> Demos:
    """Read the demonstration settings from a run's logged configuration; older logs have none."""
    settings = config.get("demos")
    return Demos(**cast("dict[str, Any]", settings)) if settings else Demos()


@lru_cache(maxsize=4096)
def nearest_demos(query: str, train: tuple[Example, ...], count: int) -> tuple[Example, ...]:
    """Return the `count` training examples whose questions are most similar to the query, the most similar last.

    The similarity is the tf-idf cosine over words, shapes of numbers and text length; ties prefer later examples. The
    query itself is never returned.
    """
    own = words(query)
    others = [example for example in train if words(example.input) != own]
    rarities = _rarities(train)
    vector = tfidf(_terms(query), rarities)
    similarities = [cosine(vector, tfidf(_terms(other.input), rarities)) for other in others]
    ranked = sorted(range(len(others)), key=lambda index: (similarities[index], index))
    return tuple(others[index] for index in ranked[max(0, len(others) - count) :])


@lru_cache(maxsize=16)
def _rarities(train: tuple[Example, ...]) -> Mapping[str, float]:
    return term_rarities([_terms(example.input) for example in train])


def _terms(text: str) -> list[str]:
    # Shapes ("00" for 12) and a length class make short lists of numbers similar although they share no number.
    tokens = words(text)
    shapes = [re.sub(r"\d", "0", token) for token in tokens if token[:1].isdigit()]
    return [*tokens, *shapes, f"about {len(tokens).bit_length()} long"]

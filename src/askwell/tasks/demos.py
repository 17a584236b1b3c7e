"""Demonstrations: which training examples a prompt shows, how many, and in which order.

Chosen once for all questions (random, per-class), anew for each question (nearest), or searched together with the
instruction (joint: the optimizer's work, see `optimizers.gpo.demo_search`). To add a choice made once, write a function
and give it a line in `CHOICES`.
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
"""(train, count, chance) -> at most `count` different examples of `train`. Pure but for `chance`."""

NEAREST, JOINT, NONE = "nearest", "joint", "none"


def draw_at_random(train: Sequence[Example], count: int, chance: random.Random) -> list[Example]:
    """Draw any."""
    return chance.sample(list(train), min(count, len(train)))


def draw_per_class(train: Sequence[Example], count: int, chance: random.Random) -> list[Example]:
    """Draw from each answer in turn, so that no class is missing while there is room for it."""
    classes: dict[str | tuple[str, ...], list[Example]] = {}
    for example in chance.sample(list(train), len(train)):
        classes.setdefault(example.target, []).append(example)
    rounds = max((len(members) for members in classes.values()), default=0)
    dealt = [members[turn] for turn in range(rounds) for members in classes.values() if turn < len(members)]
    return dealt[:count]


CHOICES: Mapping[str, Choose] = MappingProxyType({"random": draw_at_random, "per-class": draw_per_class})

ORDERS: Mapping[str, Callable[[list[Example]], list[Example]]] = MappingProxyType(
    {
        "drawn": lambda demos: demos,
        "reversed": lambda demos: demos[::-1],
        "shortest-first": lambda demos: sorted(demos, key=lambda demo: len(demo.input)),
        "longest-first": lambda demos: sorted(demos, key=lambda demo: -len(demo.input)),
    }
)
"""How the chosen ones stand; "drawn" is the choice's own order: of `nearest`, the nearest stands last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demos:
    """Which demonstrations prompts show."""

    choice: str = ""
    """none, random, per-class, nearest (to each question) or joint (searched with the instruction); "": the preset's
    own."""
    count: int = 4
    """How many; of joint, at most."""
    order: str = "drawn"
    seed: int = 0

    def __post_init__(self) -> None:
        choices = ["", NONE, NEAREST, JOINT, *CHOICES]
        if self.choice not in choices:
            raise ConfigError(f"unknown choice of demonstrations {self.choice!r}; {nearest(self.choice, choices[1:])}")
        if self.order not in ORDERS:
            raise ConfigError(f"unknown order of demonstrations {self.order!r}; {nearest(self.order, ORDERS)}")
        if self.count < 1:
            raise ConfigError(f"demos: count = {self.count!r}; expected at least 1, or choice = 'none'")

    def start_from(self, instruction: str, train: Sequence[Example]) -> Prompt:
        """Return the prompt a search starts from, with the demonstrations that are chosen once. Equal for equal seeds.

        Raises `ConfigError` where there is no train split to take them from.
        """
        if self.choice in ("", NONE):
            return Prompt(instruction=instruction)
        if not train:
            raise ConfigError(f"demonstrations are training examples: {self.choice!r} needs a train split, or use none")
        if self.choice not in CHOICES:
            return Prompt(instruction=instruction)
        chosen = CHOICES[self.choice](train, self.count, random.Random(f"{self.seed}:demonstrations"))
        return Prompt(instruction=instruction, demos=tuple(ORDERS[self.order](chosen)))

    def around(self, render: Render, train: Sequence[Example]) -> Render:
        """Return how questions are rendered: as before, or with each one's nearest demonstrations put in."""
        if self.choice != NEAREST:
            return render
        return WithNearest(render=render, train=tuple(train), demos=self)

    def nearest(self, query: str, train: tuple[Example, ...]) -> tuple[Example, ...]:
        """Return the training examples most like a question, in order; never the question itself."""
        return tuple(ORDERS[self.order](list(nearest_demos(query, train, self.count))))


@dataclass(frozen=True, slots=True, kw_only=True)
class WithNearest:
    """A render that shows, with each question, the training examples most like it, the nearest last.

    A question is never its own demonstration, so that prompts can be tried on training examples too. A prompt that
    brings demonstrations of its own keeps those.
    """

    render: Render
    train: tuple[Example, ...]
    demos: Demos

    def __call__(self, prompt: Prompt, example: Example) -> tuple[Message, ...]:
        if prompt.demos:
            return self.render(prompt, example)
        return self.render(replace(prompt, demos=self.demos.nearest(example.input, self.train)), example)


def decode_demos(config: Mapping[str, object]) -> Demos:
    """Read how a run chose its demonstrations from the settings in its log; older logs had none."""
    settings = config.get("demos")
    return Demos(**cast("dict[str, Any]", settings)) if settings else Demos()


@lru_cache(maxsize=4096)
def nearest_demos(query: str, train: tuple[Example, ...], count: int) -> tuple[Example, ...]:
    """Return the `count` training examples whose questions are most like the query, ascending; never the query itself.

    Cosine of word counts weighted by rarity in `train` (tf-idf; numbers count by what they look like too, so that
    short lists of numbers are alike); of equals the later.
    """
    own = words(query)
    others = [example for example in train if words(example.input) != own]
    rarities = _rarities(train)
    asked = tfidf(_terms(query), rarities)
    alike = [cosine(asked, tfidf(_terms(other.input), rarities)) for other in others]
    ranked = sorted(range(len(others)), key=lambda index: (alike[index], index))
    return tuple(others[index] for index in ranked[max(0, len(others) - count) :])


@lru_cache(maxsize=16)
def _rarities(train: tuple[Example, ...]) -> Mapping[str, float]:
    return term_rarities([_terms(example.input) for example in train])


def _terms(text: str) -> list[str]:
    tokens = words(text)
    shapes = [re.sub(r"\d", "0", token) for token in tokens if token[:1].isdigit()]
    return [*tokens, *shapes, f"about {len(tokens).bit_length()} long"]

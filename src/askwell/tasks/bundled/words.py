"""Lists of words: "cat, lamp, plum, dog"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from random import Random
from typing import TypeAlias

from askwell.tasks.bundled.family import Family, Skill

Words: TypeAlias = tuple[str, ...]

ANIMALS = frozenset(
    [
        "cat",
        "dog",
        "horse",
        "cow",
        "pig",
        "goat",
        "sheep",
        "lion",
        "tiger",
        "bear",
        "wolf",
        "fox",
        "rabbit",
        "mouse",
        "elephant",
        "giraffe",
        "monkey",
        "zebra",
        "camel",
        "duck",
    ]
)
FRUITS = frozenset(
    [
        "apple",
        "banana",
        "pear",
        "plum",
        "cherry",
        "grape",
        "lemon",
        "orange",
        "mango",
        "peach",
        "melon",
        "kiwi",
        "fig",
        "lime",
        "papaya",
        "apricot",
        "pineapple",
        "strawberry",
        "blueberry",
        "coconut",
    ]
)
THINGS = frozenset(
    [
        "lamp",
        "chair",
        "table",
        "window",
        "door",
        "bottle",
        "hammer",
        "pencil",
        "mirror",
        "blanket",
        "carpet",
        "basket",
        "ladder",
        "candle",
        "bucket",
        "spoon",
        "violin",
        "umbrella",
        "telephone",
        "envelope",
    ]
)
EVERY = tuple(sorted(ANIMALS | FRUITS | THINGS))
LONGEST_LIST = 12


def _draw(rng: Random) -> Words:
    """Draw 2 to 12 distinct words with a unique longest word."""
    while True:
        words = tuple(rng.sample(EVERY, rng.randint(2, LONGEST_LIST)))
        longest = max(map(len, words))
        if sum(len(word) == longest for word in words) == 1:
            return words


def _to_text(words: Words) -> str:
    """Join the words with commas."""
    return ", ".join(words)


def _counting(yes: str, members: frozenset[str]) -> Callable[[Words], str]:
    def working(words: Words) -> str:
        totals = accumulate(int(word in members) for word in words)
        pairs = zip(words, totals, strict=True)
        return ", ".join(f"{word} {yes if word in members else 'other'} {total}" for word, total in pairs)

    return working


def _numbered(words: Words) -> str:
    return ", ".join(f"{number} {word}" for number, word in enumerate(words, start=1))


def _longest(words: Words) -> str:
    return max(words, key=len)


def _running_longest(words: Words) -> str:
    return ", ".join(accumulate(words, lambda best, word: word if len(word) > len(best) else best))


def _share(words: Words, members: frozenset[str]) -> float:
    return sum(word in members for word in words) / len(words)


def _prior_log_odds(words: Words) -> Mapping[str, float]:
    """Return which task the list itself suggests."""
    size = len(words)
    return {
        "words_animals": 4.0 * (_share(words, ANIMALS) - 0.4),
        "words_fruits": 4.0 * (_share(words, FRUITS) - 0.4),
        "words_first": 1.0 if words[0] in ANIMALS else -0.5,
        "words_last": 1.0 if words[-1] in FRUITS else -0.5,
        "words_alphabetical": 0.8 if size >= 6 else -0.5,
        "words_longest": 1.2 if len(_longest(words)) >= 9 else -0.3,
        "words_reverse": 0.5 if size <= 4 else -0.5,
        "words_count": 0.8 if size >= 10 else 0.0,
    }


FAMILY: Family[Words] = Family(
    name="words",
    draw=_draw,
    to_text=_to_text,
    prior_log_odds=_prior_log_odds,
    skills=(
        Skill(
            name="words_animals",
            answer=lambda w: str(sum(word in ANIMALS for word in w)),
            working=_counting("animal", ANIMALS),
        ),
        Skill(
            name="words_fruits",
            answer=lambda w: str(sum(word in FRUITS for word in w)),
            working=_counting("fruit", FRUITS),
        ),
        Skill(name="words_first", answer=lambda w: w[0], working=lambda w: f"The list starts with {w[0]}"),
        Skill(name="words_last", answer=lambda w: w[-1], working=lambda w: f"The list ends with {w[-1]}"),
        Skill(
            name="words_alphabetical",
            answer=lambda w: _to_text(tuple(sorted(w))),
            working=lambda w: f"The first is {min(w)}",
        ),
        Skill(name="words_longest", answer=_longest, working=_running_longest),
        Skill(
            name="words_reverse",
            answer=lambda w: _to_text(w[::-1]),
            working=lambda w: f"The list ends with {w[-1]}",
        ),
        Skill(name="words_count", answer=lambda w: str(len(w)), working=_numbered),
    ),
)

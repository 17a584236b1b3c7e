"""Lists of numbers: "7, 12, 3, 18"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from random import Random
from typing import TypeAlias

from askwell.tasks.bundled.family import Family, Skill

Numbers: TypeAlias = tuple[int, ...]

LARGEST = 20
LONGEST_LIST = 12
LARGE = 10


def _draw(rng: Random) -> Numbers:
    """Draw 2 to 12 numbers from 1 to 20."""
    return tuple(rng.randint(1, LARGEST) for _ in range(rng.randint(2, LONGEST_LIST)))


def _to_text(numbers: Numbers) -> str:
    """Join the numbers with commas."""
    return ", ".join(str(number) for number in numbers)


def _running(fold: Callable[[int, int], int]) -> Callable[[Numbers], str]:
    def working(numbers: Numbers) -> str:
        return _to_text(tuple(accumulate(numbers, fold)))

    return working


def _adding(numbers: Numbers) -> str:
    pairs = zip(numbers, accumulate(numbers), strict=True)
    return ", ".join(f"{number} {total}" for number, total in pairs)


def _counting(yes: str, no: str, holds: Callable[[int], bool]) -> Callable[[Numbers], str]:
    def working(numbers: Numbers) -> str:
        totals = accumulate(int(holds(number)) for number in numbers)
        pairs = zip(numbers, totals, strict=True)
        return ", ".join(f"{number} {yes if holds(number) else no} {total}" for number, total in pairs)

    return working


def _even(number: int) -> bool:
    return number % 2 == 0


def _large(number: int) -> bool:
    return number > LARGE


def _sorted(numbers: Numbers) -> str:
    return _to_text(tuple(sorted(numbers)))


def _prior_log_odds(numbers: Numbers) -> Mapping[str, float]:
    """Return which task the list itself suggests."""
    size = len(numbers)
    return {
        "numbers_sum": 1.4 if size <= 4 else 0.0,
        "numbers_max": 1.2 if max(numbers) == numbers[-1] else 0.0,
        "numbers_min": 1.2 if min(numbers) == numbers[0] else 0.0,
        "numbers_even": 3.0 * (sum(map(_even, numbers)) / size - 0.5),
        "numbers_large": 3.0 * (sum(map(_large, numbers)) / size - 0.5),
        "numbers_first": 1.0 if numbers[0] >= 15 else -0.5,
        "numbers_last": 1.0 if numbers[-1] <= 5 else -0.5,
        "numbers_sort": 1.0 if size >= 8 else -0.5,
    }


FAMILY: Family[Numbers] = Family(
    name="numbers",
    draw=_draw,
    to_text=_to_text,
    prior_log_odds=_prior_log_odds,
    skills=(
        Skill(name="numbers_sum", answer=lambda n: str(sum(n)), working=_adding),
        Skill(name="numbers_max", answer=lambda n: str(max(n)), working=_running(max)),
        Skill(name="numbers_min", answer=lambda n: str(min(n)), working=_running(min)),
        Skill(
            name="numbers_even",
            answer=lambda n: str(sum(map(_even, n))),
            working=_counting("even", "odd", _even),
        ),
        Skill(
            name="numbers_large",
            answer=lambda n: str(sum(map(_large, n))),
            working=_counting("yes", "no", _large),
        ),
        Skill(
            name="numbers_first",
            answer=lambda n: str(n[0]),
            working=lambda n: f"The list starts with {n[0]}",
        ),
        Skill(
            name="numbers_last",
            answer=lambda n: str(n[-1]),
            working=lambda n: f"The list ends with {n[-1]}",
        ),
        Skill(name="numbers_sort", answer=_sorted, working=lambda n: f"The smallest is {min(n)}"),
    ),
)

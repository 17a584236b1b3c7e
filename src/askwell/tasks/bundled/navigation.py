"""Walking instructions in the style of BBH: "Take 3 steps. Turn left. Take 2 steps."."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import TypeAlias

from askwell.tasks.bundled.family import Family, Skill

COMPASS = ("north", "east", "south", "west")
QUARTERS = {"Turn right.": 1, "Turn around.": 2, "Turn left.": 3}
MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))
MOST_STEPS = 9
NO_STEPS = 0

Walk: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Position and direction of the walker; the start is 0, 0 facing north."""

    east: int = 0
    north: int = 0
    facing: int = 0

    def after(self, order: str) -> Position:
        """Return the position after one order."""
        if order in QUARTERS:
            facing = (self.facing + QUARTERS[order]) % len(COMPASS)
            return Position(east=self.east, north=self.north, facing=facing)
        move, steps = MOVES[self.facing], _steps(order)
        return Position(east=self.east + move[0] * steps, north=self.north + move[1] * steps, facing=self.facing)


def _steps(order: str) -> int:
    words = order.split()
    return int(words[1]) if words[0] == "Take" else NO_STEPS


def _take(steps: int) -> str:
    return f"Take {steps} step{'s' if steps > 1 else ''}."


def _draw(rng: Random) -> Walk:
    """Draw about 3 to 8 orders; almost half of the walks end at or near the start."""
    kind = rng.random()
    if kind < 0.55:
        return _stroll(rng)
    return _there_and_back(rng, error=0 if kind < 0.9 else rng.choice((1, 2)))


def _stroll(rng: Random) -> Walk:
    turns = tuple(QUARTERS)
    return tuple(
        _take(rng.randint(1, MOST_STEPS)) if rng.random() < 0.55 else rng.choice(turns)
        for _ in range(rng.randint(3, 8))
    )


def _there_and_back(rng: Random, *, error: int) -> Walk:
    out = _split(rng, rng.randint(2, MOST_STEPS))
    back = _split(rng, sum(out) + error)
    side = rng.choice(("Turn left.", "Turn right."))
    about = ["Turn around."] if rng.random() < 0.5 else [side, side]
    first, last = ([rng.choice(tuple(QUARTERS))] if rng.random() < 0.35 else [] for _ in range(2))
    return (*first, *map(_take, out), *about, *map(_take, back), *last)


def _split(rng: Random, total: int) -> list[int]:
    first = rng.randint(1, total - 1)
    return [total] if total <= MOST_STEPS and rng.random() < 0.5 else [first, total - first]


def _to_text(walk: Walk) -> str:
    """Join the orders with spaces."""
    return " ".join(walk)


def _visited(walk: Walk) -> list[Position]:
    position = Position()
    positions: list[Position] = []
    for order in walk:
        position = position.after(order)
        positions.append(position)
    return positions


def _returns(walk: Walk) -> str:
    end = _visited(walk)[-1]
    return "Yes" if (end.east, end.north) == (0, 0) else "No"


def _positions(walk: Walk) -> str:
    return ", ".join(
        COMPASS[position.facing] if order in QUARTERS else f"{position.east} {position.north}"
        for order, position in zip(walk, _visited(walk), strict=True)
    )


def _running_steps(walk: Walk) -> str:
    return ", ".join(str(total) for total in accumulate(_steps(order) for order in walk if _steps(order)))


def _facings(walk: Walk) -> str:
    return ", ".join(COMPASS[position.facing] for position in _visited(walk))


def _running_turns(walk: Walk) -> str:
    totals = accumulate(int(order in QUARTERS) for order in walk)
    pairs = zip(walk, totals, strict=True)
    return ", ".join(f"{'turn' if order in QUARTERS else 'step'} {total}" for order, total in pairs)


def _turns(walk: Walk) -> int:
    return sum(order in QUARTERS for order in walk)


def _prior_log_odds(walk: Walk) -> Mapping[str, float]:
    """Return which task the walk itself suggests."""
    return {
        "walk_returns": 1.2 if "Turn around." in walk else -0.4,
        "walk_steps": 1.0 if len(walk) - _turns(walk) >= 3 else -0.3,
        "walk_direction": 1.2 if walk[-1] in QUARTERS else -0.4,
        "walk_turns": 1.2 if _turns(walk) >= 3 else -0.5,
    }


FAMILY: Family[Walk] = Family(
    name="walks",
    draw=_draw,
    to_text=_to_text,
    prior_log_odds=_prior_log_odds,
    skills=(
        Skill(name="walk_returns", answer=_returns, working=_positions),
        Skill(name="walk_steps", answer=lambda w: str(sum(map(_steps, w))), working=_running_steps),
        Skill(
            name="walk_direction",
            answer=lambda w: COMPASS[_visited(w)[-1].facing],
            working=_facings,
        ),
        Skill(name="walk_turns", answer=lambda w: str(_turns(w)), working=_running_turns),
    ),
)

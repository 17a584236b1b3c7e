"""What a policy is taught to aim at: the reward, the advantage over the static prompt, or the rank within a query."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Experience
from askwell.policies.lm.tokenization import word_of
from askwell.policies.settings import Signal
from askwell.tasks.splits import normalize_question

_LOG = logging.getLogger(__name__)

PRIOR = 1.0
"""`group`: weight of the whole data's mean and variance beside a query's own, in prompts tried. So a query with one
prompt says something too, and one on which all prompts do alike says almost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalScale:
    """Standardisation of a signal, and what "best" means, as seen in training."""

    mean: float
    spread: float
    aim: float | None
    """The standardised signal that writing is conditioned on; None: on nothing."""
    edges: tuple[float, ...]
    """Standardised edges between the fifths, for conditions in words."""

    def standard(self, value: float) -> float:
        return (value - self.mean) / self.spread

    def raw(self, value: float) -> float:
        return value * self.spread + self.mean

    def word(self, value: float | None) -> str:
        """The word for a standardised signal, empty where it is unknown."""
        return "" if value is None else word_of(value, self.edges)


def with_signal(experiences: Sequence[Experience], signal: Signal) -> list[tuple[Experience, float]]:
    """Pair each experience with its signal. Without an advantage a row is left out, and how many is logged.

    Raises `DataError` for no experience, `ConfigError` where most have no advantage.
    """
    if not experiences:
        raise DataError("no experience to learn from")
    if signal == "reward":
        return [(one, one.reward) for one in experiences]
    if signal == "group":
        return _group_normalised(experiences)
    found = [(one, one.advantage) for one in experiences if one.advantage is not None]
    if 2 * len(found) < len(experiences):
        raise ConfigError(
            f"{len(experiences) - len(found)} of {len(experiences)} experiences have no advantage: the static prompt "
            "was not tried on their queries; try it there, or train with signal='group'"
        )
    if len(found) < len(experiences):
        _LOG.warning(
            "%d of %d experiences have no advantage and are left out", len(experiences) - len(found), len(experiences)
        )
    return found


def scale_of(values: Sequence[float], *, aim: float | None, standardise: bool) -> SignalScale:
    """Read the scale off training signals; `aim` is the quantile to write for, if any."""
    mean, variance = _moments(values) if standardise else (0.0, 1.0)
    spread = math.sqrt(variance) or 1.0
    ordered = sorted((value - mean) / spread for value in values)

    def quantile(share: float) -> float:
        return ordered[round(share * (len(ordered) - 1))]

    return SignalScale(
        mean=mean,
        spread=spread,
        aim=None if aim is None else quantile(aim),
        edges=tuple(quantile(fifth / 5) for fifth in range(1, 5)),
    )


def check_disjoint_queries(train: Sequence[Experience], dev: Sequence[Experience]) -> None:
    """Raise `DataError` where a dev query is in the training data too."""
    known = {normalize_question(query) for query in {one.query for one in train}}
    shared = sorted(query for query in {one.query for one in dev} if normalize_question(query) in known)
    if shared:
        raise DataError(
            f"{len(shared)} dev queries are in the training data too, such as {shared[0]!r}; leave them out"
        )


def _group_normalised(experiences: Sequence[Experience]) -> list[tuple[Experience, float]]:
    groups: dict[str, list[float]] = {}
    for one in experiences:
        groups.setdefault(one.query, []).append(one.reward)
    mean, variance = _moments([one.reward for one in experiences])
    shrunk: dict[str, tuple[float, float]] = {}
    for query, rewards in groups.items():
        weight = len(rewards) + PRIOR
        centre = (math.fsum(rewards) + PRIOR * mean) / weight
        spread = (math.fsum((reward - centre) ** 2 for reward in rewards) + PRIOR * variance) / weight
        shrunk[query] = centre, math.sqrt(spread) or 1.0
    return [(one, (one.reward - shrunk[one.query][0]) / shrunk[one.query][1]) for one in experiences]


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values) / len(values)

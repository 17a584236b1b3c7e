"""The training signal: the reward, the advantage over the baseline prompt, or the reward relative to its query's."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Experience
from askwell.policies.lm.tokenization import reward_word
from askwell.policies.settings import Signal
from askwell.tasks.questions import identify_question

_LOG = logging.getLogger(__name__)

PRIOR = 1.0
"""`group`: weight of the mean and variance of all data beside those of the query, in prompts tried. So a query with one
prompt has a signal too, and a query on which all prompts have the same reward has almost none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalScale:
    """Standardisation of a signal, and the target that prompts are generated for, both from the training data."""

    mean: float
    spread: float
    target: float | None
    """The standardised signal that generation is conditioned on; None: no condition."""
    edges: tuple[float, ...]
    """Standardised edges between the fifths, for conditions in words."""

    def to_standard(self, value: float) -> float:
        return (value - self.mean) / self.spread

    def to_raw(self, value: float) -> float:
        return value * self.spread + self.mean

    def to_word(self, value: float | None) -> str:
        """Return the word for a standardised signal; empty if it is None."""
        return "" if value is None else reward_word(value, self.edges)


def pair_with_signal(experiences: Sequence[Experience], signal: Signal) -> list[tuple[Experience, float]]:
    """Pair each experience with its signal; leave out those without an advantage, and log their number.

    Raises `DataError` for no experience, `ConfigError` if most have no advantage.
    """
    if not experiences:
        raise DataError("no experience to learn from")
    if signal == "reward":
        return [(experience, experience.reward) for experience in experiences]
    if signal == "group":
        return _normalise_by_query(experiences)
    pairs = [(experience, experience.advantage) for experience in experiences if experience.advantage is not None]
    missing = len(experiences) - len(pairs)
    if missing > len(pairs):
        raise ConfigError(
            f"{missing} of {len(experiences)} experiences have no advantage, because the baseline prompt "
            "was not tried on their queries; try it there, or train with signal='group'"
        )
    if missing:
        _LOG.warning("%d of %d experiences have no advantage and are left out", missing, len(experiences))
    return pairs


def fit_scale(values: Sequence[float], *, target_quantile: float | None, standardise: bool) -> SignalScale:
    """Compute the scale of training signals; `target_quantile` is the quantile to condition on, if any."""
    mean, variance = _moments(values) if standardise else (0.0, 1.0)
    spread = math.sqrt(variance) or 1.0
    ordered = sorted((value - mean) / spread for value in values)

    def quantile(share: float) -> float:
        return ordered[round(share * (len(ordered) - 1))]

    return SignalScale(
        mean=mean,
        spread=spread,
        target=None if target_quantile is None else quantile(target_quantile),
        edges=tuple(quantile(fifth / 5) for fifth in range(1, 5)),
    )


def check_disjoint_queries(train: Sequence[Experience], dev: Sequence[Experience]) -> None:
    """Raise `DataError` if a dev query is in the training data too."""
    train_queries = {identify_question(query) for query in {experience.query for experience in train}}
    dev_queries = {experience.query for experience in dev}
    shared = sorted(query for query in dev_queries if identify_question(query) in train_queries)
    if shared:
        raise DataError(
            f"{len(shared)} dev queries are in the training data too, such as {shared[0]!r}; leave them out"
        )


def _normalise_by_query(experiences: Sequence[Experience]) -> list[tuple[Experience, float]]:
    """Return each reward minus its query's mean over its query's standard deviation, both shrunken by `PRIOR`."""
    groups: dict[str, list[float]] = {}
    for experience in experiences:
        groups.setdefault(experience.query, []).append(experience.reward)
    mean, variance = _moments([experience.reward for experience in experiences])
    shrunk: dict[str, tuple[float, float]] = {}
    for query, rewards in groups.items():
        weight = len(rewards) + PRIOR
        centre = (math.fsum(rewards) + PRIOR * mean) / weight
        spread = (math.fsum((reward - centre) ** 2 for reward in rewards) + PRIOR * variance) / weight
        shrunk[query] = centre, math.sqrt(spread) or 1.0  # equal rewards, in all data too: signals of 0
    return [
        (experience, (experience.reward - shrunk[experience.query][0]) / shrunk[experience.query][1])
        for experience in experiences
    ]


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values) / len(values)

"""Confidence intervals for means and paired differences of scores, and the optimism of a dev score.

All functions take plain sequences of per-example scores in 0..1 and are deterministic. `bench/calibration.py` measures
the coverage of the intervals and the rate at which equal prompts are called different.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from askwell.core.errors import ConfigError, DataError
from askwell.core.quantiles import beta_quantile, normal_quantile, student_quantile

IntervalMethod = Literal["wilson", "score", "t", "bootstrap-t", "newcombe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its confidence interval, on the scale of the scores (0..1)."""

    estimate: float
    low: float
    high: float
    n: int
    """Number of examples behind the estimate (pairs, for a difference)."""
    level: float
    """Confidence level: the share of such intervals that contain the true value."""
    method: IntervalMethod

    def __repr__(self) -> str:
        return f"<Interval {format_interval(self, signed=self.method != 'wilson')}, n={self.n}>"

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 is outside the interval, so that a difference is a significant gain (or loss)."""
        return self.low > 0.0 or self.high < 0.0


def mean_interval(
    scores: Sequence[float], *, clusters: Sequence[Hashable] | None = None, level: float = 0.95
) -> Interval:
    """Return a Wilson interval for the mean of scores in 0..1, adapted to fractional and clustered scores.

    0/1 scores: Wilson (1927). Fractional or clustered scores keep his variance function p(1-p)/n, but n becomes the
    effective number of 0/1 examples and z becomes Student's t. So the bounds stay in 0..1 and the width is above zero.
    `clusters` names the source of each example (same length), if several examples share one. Raises `DataError` if
    there are no scores or a score is not a number in 0..1.
    """
    _check(scores, level=level)
    if min(scores) < 0.0 or max(scores) > 1.0:
        raise DataError(f"a score of {min(scores)!r}…{max(scores)!r} is outside 0..1: scale the metric to 0..1")
    groups = _groups(len(scores), clusters)
    mean = math.fsum(scores) / len(scores)
    if clusters is None and _binary(scores):
        effective, quantile = float(len(scores)), normal_quantile(0.5 + level / 2)
    else:
        variance = _variance_of_mean(scores, groups)
        effective = mean * (1 - mean) / variance if variance > 0 else float(len(groups))
        quantile = student_quantile(0.5 + level / 2, max(len(groups) - 1, 1))
    low, high = _wilson(mean, effective, quantile)
    return Interval(estimate=mean, low=low, high=high, n=len(scores), level=level, method="wilson")


def paired_difference(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    method: Literal["auto", "score", "t", "bootstrap-t"] = "auto",
    seed: int = 0,
) -> Interval:
    """Return an interval for mean(ours) - mean(theirs) over the same examples, in the same order.

    `auto` uses Tango's score interval (1998) for 0/1 scores without clusters, because it keeps its coverage if most
    pairs are ties, and otherwise Student's t (over clusters, if given). Only `bootstrap-t` uses `seed`. Raises
    `DataError` if the lengths differ, there are no pairs, or a value is not finite.
    """
    differences = _differences(ours, theirs)
    _check(differences, level=level)
    groups = _groups(len(differences), clusters)
    estimate = math.fsum(differences) / len(differences)
    paired_bits = _binary(ours) and _binary(theirs)
    used: IntervalMethod = method if method != "auto" else ("score" if paired_bits and clusters is None else "t")
    if used == "score":
        if not paired_bits:
            raise ConfigError("method 'score' needs 0/1 scores on both sides; use 'auto' or 't' for fractional scores")
        low, high = _tango(differences, normal_quantile(0.5 + level / 2))
    elif used == "t":
        low, high = _t_bounds(differences, groups, level)
    else:
        low, high = _bootstrap_t(differences, groups, level, seed)
    n = len(differences)
    return Interval(estimate=estimate, low=max(low, -1.0), high=min(high, 1.0), n=n, level=level, method=used)


def optimism(dev: Sequence[float], test: Sequence[float], *, level: float = 0.95) -> Interval:
    """Return an interval for mean(dev) - mean(test): the selection bias of the winner's dev score.

    The two splits contain different examples, so their separate intervals are combined (Newcombe 1998, method 10).
    """
    a, b = mean_interval(dev, level=level), mean_interval(test, level=level)
    gap = a.estimate - b.estimate
    low = gap - math.hypot(a.estimate - a.low, b.high - b.estimate)
    high = gap + math.hypot(a.high - a.estimate, b.estimate - b.low)
    return Interval(
        estimate=gap, low=max(low, -1.0), high=min(high, 1.0), n=len(dev) + len(test), level=level, method="newcombe"
    )


def format_interval(interval: Interval, *, signed: bool = False) -> str:
    """Format an interval in percent, as in `63.3 [55.0, 70.8]`; `signed` for differences (`+4.0 [-1.2, +9.1]`)."""
    form = "+.1f" if signed else ".1f"
    estimate, low, high = (format(100 * value, form) for value in (interval.estimate, interval.low, interval.high))
    return f"{estimate} [{low}, {high}]"


def _check(values: Sequence[float], *, level: float = 0.95) -> None:
    if not 0.0 < level < 1.0:
        raise ConfigError(f"level={level!r} is not between 0 and 1; 0.95 is usual")
    if not values:
        raise DataError("no scores: an interval needs at least one scored example")
    for index, value in enumerate(values):
        if not math.isfinite(value):
            raise DataError(f"score {index} is {value!r}, not a number: leave out examples whose call failed")


def _binary(scores: Sequence[float]) -> bool:
    return all(score in (0, 1) for score in scores)


def _differences(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    if len(ours) != len(theirs):
        raise DataError(
            f"{len(ours)} scores against {len(theirs)}: a paired comparison needs both scores of every example"
        )
    return [float(a) - float(b) for a, b in zip(ours, theirs, strict=True)]


def _groups(n: int, clusters: Sequence[Hashable] | None) -> list[list[int]]:
    """Return the indices of the examples of each cluster; without clusters, every example is a cluster of its own."""
    if clusters is None:
        return [[index] for index in range(n)]
    if len(clusters) != n:
        raise DataError(f"{len(clusters)} cluster names for {n} scores: give one name per score")
    members: dict[Hashable, list[int]] = {}
    for index, name in enumerate(clusters):
        members.setdefault(name, []).append(index)
    return list(members.values())


def _variance_of_mean(values: Sequence[float], groups: Sequence[Sequence[int]]) -> float:
    """Estimate the variance of the mean from the cluster totals (sandwich estimator with the factor G/(G-1))."""
    if len(groups) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    squares = math.fsum(math.fsum(values[index] - mean for index in group) ** 2 for group in groups)
    return squares / len(values) ** 2 * len(groups) / (len(groups) - 1)


def jeffreys_bounds(mean: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return Jeffreys' bounds for a mean of `n` 0/1 scores; `n` may be an effective number, 0 included.

    The coverage is close to Wilson's, and the interval is narrower near 0 and 1. With fewer than 0.5 losses the upper
    bound is 1, with fewer than 0.5 wins the lower bound is 0 (Brown, Cai & DasGupta 2001).
    """
    tail, wins, losses = (1 - level) / 2, mean * n, (1 - mean) * n
    low = 0.0 if wins < 0.5 else beta_quantile(tail, wins + 0.5, losses + 0.5)
    high = 1.0 if losses < 0.5 else beta_quantile(1 - tail, wins + 0.5, losses + 0.5)
    return min(mean, low), max(mean, high)


def _wilson(mean: float, n: float, z: float) -> tuple[float, float]:
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))


def _tango(differences: Sequence[float], z: float) -> tuple[float, float]:
    """Return Tango's (1998) score interval: the differences that the score test does not reject."""
    n, wins = len(differences), sum(d > 0 for d in differences)
    losses = sum(d < 0 for d in differences)

    def score(delta: float) -> float:
        """Return the score statistic minus the critical value; it rises away from the estimate."""
        a, b = 2 * n, (2 * n - wins + losses) * delta - wins - losses
        nuisance = (math.sqrt(max(b * b + 4 * a * losses * delta * (1 - delta), 0.0)) - b) / (2 * a)
        variance = n * (2 * nuisance + delta * (1 - delta))
        return (wins - losses - n * delta) ** 2 - z * z * max(variance, 0.0)

    estimate = (wins - losses) / n
    return _root(score, estimate, -1.0), _root(score, estimate, 1.0)


def _root(score: Callable[[float], float], inside: float, outside: float) -> float:
    """Bisect for the point from `inside` to `outside` where `score` becomes positive; `outside` if there is none."""
    if score(outside) <= 0.0:
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        if score(middle) > 0.0:
            outside = middle
        else:
            inside = middle
    return inside


def _t_bounds(differences: Sequence[float], groups: Sequence[Sequence[int]], level: float) -> tuple[float, float]:
    mean = math.fsum(differences) / len(differences)
    if len(groups) < 2:
        return -1.0, 1.0
    half = student_quantile(0.5 + level / 2, len(groups) - 1) * math.sqrt(_variance_of_mean(differences, groups))
    return mean - half, mean + half


def _bootstrap_t(
    differences: Sequence[float], groups: Sequence[Sequence[int]], level: float, seed: int, resamples: int = 2_000
) -> tuple[float, float]:
    """Return studentized bootstrap bounds over clusters (Hall 1988), without the resamples that have no spread."""
    mean, spread = math.fsum(differences) / len(differences), math.sqrt(_variance_of_mean(differences, groups))
    if spread == 0.0:
        return _t_bounds(differences, groups, level)
    rng, pivots = random.Random(seed), list[float]()
    for _ in range(resamples):
        drawn = rng.choices(groups, k=len(groups))
        values = [differences[index] for group in drawn for index in group]
        ends = [0, *accumulate(len(group) for group in drawn)]
        parts = [range(start, end) for start, end in pairwise(ends)]
        error = math.sqrt(_variance_of_mean(values, parts))
        if error > 0.0:
            pivots.append((math.fsum(values) / len(values) - mean) / error)
    pivots.sort()
    upper = pivots[min(len(pivots) - 1, math.ceil((0.5 + level / 2) * len(pivots)) - 1)]
    lower = pivots[max(0, math.floor((0.5 - level / 2) * len(pivots)))]
    return mean - upper * spread, mean - lower * spread

"""How sure a score is: intervals for means and paired differences, and the optimism of a dev score.

All of it works on plain sequences of per-example scores in 0..1, needs no dependency, and gives the same answer for the
same arguments. How often the intervals cover and how rarely equal prompts are called different is measured by
`bench/calibration.py`.
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
    """An estimate with the range of true values it is compatible with, on the scale of the scores (0..1)."""

    estimate: float
    low: float
    high: float
    n: int
    """Examples (pairs, for a difference) behind the estimate."""
    level: float
    """Share of such intervals that hold the true value."""
    method: IntervalMethod

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference of exactly nothing is outside: what it takes to claim a gain (or a loss)."""
        return self.low > 0.0 or self.high < 0.0


def mean_interval(
    scores: Sequence[float], *, clusters: Sequence[Hashable] | None = None, level: float = 0.95
) -> Interval:
    """Interval for the mean of scores in 0..1: Wilson's, with the variance that the scores really have.

    Wilson (1927) for 0/1 scores. Fractional or clustered scores keep his variance function p(1-p)/n, with n replaced by
    the effective number of 0/1 examples and z by Student's t; so no bound leaves 0..1 and no width is zero.
    `clusters` names the source of each example (same length) where some share one. Raises `DataError` for no scores, or
    scores that are not numbers in 0..1.
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
    """Interval for mean(ours) - mean(theirs) over the same examples, in the same order.

    `auto` takes Tango's score interval (1998) for 0/1 scores without clusters, which stays honest where most pairs tie,
    and Student's t (over clusters, if given) otherwise. `seed` matters to `bootstrap-t` only. Raises `DataError` for
    unequal lengths, no pairs, or values that are not finite.
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
    """Interval for mean(dev) - mean(test): what choosing on the dev split flattered the winner by.

    The two splits hold different examples, so their own intervals are combined (Newcombe 1998, method 10).
    """
    a, b = mean_interval(dev, level=level), mean_interval(test, level=level)
    gap = a.estimate - b.estimate
    low = gap - math.hypot(a.estimate - a.low, b.high - b.estimate)
    high = gap + math.hypot(a.high - a.estimate, b.estimate - b.low)
    return Interval(
        estimate=gap, low=max(low, -1.0), high=min(high, 1.0), n=len(dev) + len(test), level=level, method="newcombe"
    )


def format_interval(interval: Interval, *, signed: bool = False) -> str:
    """Write an interval in points of 100, as in `63.3 [55.0, 70.8]`; `signed` for differences (`+4.0 [-1.2, +9.1]`)."""
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
        raise DataError(f"{len(ours)} scores against {len(theirs)}: a paired comparison needs the same examples twice")
    return [float(a) - float(b) for a, b in zip(ours, theirs, strict=True)]


def _groups(n: int, clusters: Sequence[Hashable] | None) -> list[list[int]]:
    """Indices of the examples of each cluster; every example is its own where no clusters are given."""
    if clusters is None:
        return [[index] for index in range(n)]
    if len(clusters) != n:
        raise DataError(f"{len(clusters)} cluster names for {n} scores: one a score is needed")
    members: dict[Hashable, list[int]] = {}
    for index, name in enumerate(clusters):
        members.setdefault(name, []).append(index)
    return list(members.values())


def _variance_of_mean(values: Sequence[float], groups: Sequence[Sequence[int]]) -> float:
    """Variance of the mean from the spread of cluster totals (the sandwich estimate with its G/(G-1))."""
    if len(groups) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    squares = math.fsum(math.fsum(values[index] - mean for index in group) ** 2 for group in groups)
    return squares / len(values) ** 2 * len(groups) / (len(groups) - 1)


def jeffreys_bounds(mean: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Jeffreys' bounds for a mean of `n` 0/1 scores; `n` may be an effective number, 0 included.

    Nearly as sure as Wilson's, and narrower near 0 and 1. 1 is inside where fewer than half a score is lost, and 0
    where fewer than half is won (Brown, Cai & DasGupta 2001).
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
    """Tango's (1998) score interval: the differences whose score test is not rejected."""
    n, wins = len(differences), sum(d > 0 for d in differences)
    losses = sum(d < 0 for d in differences)

    def score(delta: float) -> float:
        """Excess of the score statistic over the critical value; rises away from the estimate."""
        a, b = 2 * n, (2 * n - wins + losses) * delta - wins - losses
        nuisance = (math.sqrt(max(b * b + 4 * a * losses * delta * (1 - delta), 0.0)) - b) / (2 * a)
        variance = n * (2 * nuisance + delta * (1 - delta))
        return (wins - losses - n * delta) ** 2 - z * z * max(variance, 0.0)

    estimate = (wins - losses) / n
    return _root(score, estimate, -1.0), _root(score, estimate, 1.0)


def _root(score: Callable[[float], float], inside: float, outside: float) -> float:
    """Bisect for where `score` turns positive on the way from `inside` to `outside` (which is returned if nowhere)."""
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
    """Studentised bootstrap over clusters (Hall 1988); resamples without spread say nothing and are left out."""
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

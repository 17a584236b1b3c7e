"""Quantiles of the normal, Student's t and beta distributions, in the standard library only."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution; `probability` is in 0..1, both ends excluded."""
    return _NORMAL.inv_cdf(probability)


@lru_cache(maxsize=1024)
def student_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t with `freedom` ≥ 1 degrees of freedom (error < 1e-6)."""
    if probability < 0.5:
        return -student_quantile(1 - probability, freedom)
    if freedom > 100:  # the series of `student_cdf` has freedom/2 terms; the expansion is exact enough here
        return _expansion(_NORMAL.inv_cdf(probability), freedom)
    low, high = 0.0, 1.0
    while student_cdf(high, freedom) < probability:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_cdf(middle, freedom) < probability else (low, middle)
    return high


def student_cdf(t: float, freedom: int) -> float:
    """Return the probability that Student's t is below `t` (Abramowitz and Stegun 26.7.3, 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    if freedom == 1:
        return 0.5 + angle / math.pi
    odd = freedom % 2
    term = total = cosine if odd else 1.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return 0.5 + inside / 2


@lru_cache(maxsize=1024)
def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return the quantile of the beta distribution with `a`, `b` above 0 (error < 1e-12)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beta_cdf(middle, a, b) < probability else (low, middle)
    return (low + high) / 2


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the probability that a beta variable is below `x` in 0..1: the regularized incomplete beta function."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1) / (a + b + 2):  # the continued fraction converges slowly there
        return 1.0 - beta_cdf(1.0 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function, last term first (Abramowitz, Stegun 26.5.8)."""
    value = 1.0
    for m in range(200, 0, -1):
        half, odd = divmod(m, 2)
        if odd:
            step = -(a + half) * (a + b + half) / ((a + m - 1) * (a + m))
        else:
            step = half * (b - half) / ((a + m - 1) * (a + m))
        value = 1.0 + step * x / value
    return value


def _expansion(z: float, freedom: int) -> float:
    """Evaluate the Cornish-Fisher expansion in 1/freedom (Abramowitz and Stegun 26.7.5)."""
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3

"""Quantiles of the normal and of Student's t, without a dependency."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()


def normal_quantile(probability: float) -> float:
    """The z that a standard normal stays below with this probability (0..1, both ends excluded)."""
    return _NORMAL.inv_cdf(probability)


@lru_cache(maxsize=1024)
def student_quantile(probability: float, freedom: int) -> float:
    """The t that Student's distribution with `freedom` ≥ 1 degrees stays below with this probability (error < 1e-6)."""
    if probability < 0.5:
        return -student_quantile(1 - probability, freedom)
    if freedom > 100:
        return _expansion(_NORMAL.inv_cdf(probability), freedom)
    low, high = 0.0, 1.0
    while student_cdf(high, freedom) < probability:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_cdf(middle, freedom) < probability else (low, middle)
    return high


def student_cdf(t: float, freedom: int) -> float:
    """Probability that Student's t with `freedom` degrees is below `t` (Abramowitz and Stegun 26.7.3, 26.7.4)."""
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


def _expansion(z: float, freedom: int) -> float:
    """Cornish and Fisher's expansion in 1/freedom (Abramowitz and Stegun 26.7.5)."""
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3

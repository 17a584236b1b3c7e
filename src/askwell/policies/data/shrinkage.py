"""Shrink the success rates of pairs (empirical Bayes): one beta-binomial prior per prompt, fitted to its own pairs.

Two right answers of two are no rate of 1.0: p̂ = (right + a) / (repeats + a + b), with Beta(a, b) estimated from the
prompt's other queries (Kleinman 1973's moment estimate). Fractional scores count as expected counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.errors import DataError

NO_REPEATS_STRENGTH = 2.0
"""Strength of the prior, in samples, if no pair has repeats: it can't be estimated, and a uniform prior has 2."""

STRENGTHS = (0.05, 1_000.0)
"""Bounds of a + b. At the lower bound one sample nearly decides the rate; at the upper all queries are alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaPrior:
    """Beta(a, b) over the success rate of a prompt on a query."""

    a: float
    b: float
    estimated: bool
    """False if no pair has repeats: the strength a + b is then an assumption."""

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    def posterior(self, total: float, repeats: int) -> float:
        """Return the expected success rate after `repeats` samples with a summed score of `total`."""
        return (total + self.a) / (repeats + self.a + self.b)


def fit_prior(totals: Sequence[float], repeats: Sequence[int]) -> BetaPrior:
    """Fit by moments: the variance between pairs that binomial noise doesn't explain sets the strength.

    For k_i right of n_i samples with mean m, E[Σ n_i (p̂_i - m)²] = m(1-m) Σ (1 + (n_i - 1)ρ)(1 - n_i/N), and
    ρ = 1/(a + b + 1). Raises `DataError` if there are no pairs.
    """
    if not totals:
        raise DataError("no pairs to fit a prior to; give at least one scored (query, prompt) pair")
    n = sum(repeats)
    # Half a sample away from 0 and 1: at either end the binomial variance is 0, and the estimate divides by it.
    mean = min(max(math.fsum(totals) / n, 0.5 / (n + 1)), 1 - 0.5 / (n + 1))
    weights = [1 - count / n for count in repeats]
    between = math.fsum((count - 1) * weight for count, weight in zip(repeats, weights, strict=True))
    if between <= 0:
        return BetaPrior(a=mean * NO_REPEATS_STRENGTH, b=(1 - mean) * NO_REPEATS_STRENGTH, estimated=False)
    squares = math.fsum(count * (total / count - mean) ** 2 for total, count in zip(totals, repeats, strict=True))
    correlation = (squares / (mean * (1 - mean)) - math.fsum(weights)) / between
    low, high = STRENGTHS
    strength = high if correlation <= 1 / (high + 1) else max(1 / correlation - 1, low)
    return BetaPrior(a=mean * strength, b=(1 - mean) * strength, estimated=True)

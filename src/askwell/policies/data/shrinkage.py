"""Empirical-Bayes shrinkage of per-cell success rates: a beta-binomial prior for each prompt, fitted to its own cells.

Two right of two is not a rate of 1.0: p̂ = (right + a) / (draws + a + b), where Beta(a, b) is what the prompt's other
queries suggest (Kleinman 1973's moment estimate). Fractional scores are treated as expected counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.errors import DataError

NO_REPEATS_STRENGTH = 2.0
"""Prior draws where no cell was drawn twice: its strength can't be estimated, so as much as a uniform prior holds."""

STRENGTHS = (0.05, 1_000.0)
"""Bounds of a + b: at the lower a draw is nearly proof, at the upper all queries are alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaPrior:
    """Beta(a, b) over the success rate of a prompt on a query."""

    a: float
    b: float
    estimated: bool
    """False where nothing was repeated, and the strength a + b is an assumption."""

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    def posterior(self, total: float, draws: int) -> float:
        """Expected success rate after `draws` draws with a summed score of `total`."""
        return (total + self.a) / (draws + self.a + self.b)


def fit_prior(totals: Sequence[float], draws: Sequence[int]) -> BetaPrior:
    """Fit by moments: the spread between cells beyond what binomial noise explains sets the strength.

    For k_i of n_i draws with mean m, E[Σ n_i (p̂_i - m)²] = m(1-m) Σ (1 + (n_i - 1)ρ)(1 - n_i/N), and ρ = 1/(a + b + 1).
    Raises `DataError` for no cells.
    """
    if not totals:
        raise DataError("no cells to fit a prior to")
    n = sum(draws)
    mean = min(max(math.fsum(totals) / n, 0.5 / (n + 1)), 1 - 0.5 / (n + 1))
    weights = [1 - count / n for count in draws]
    between = math.fsum((count - 1) * weight for count, weight in zip(draws, weights, strict=True))
    if between <= 0:
        return BetaPrior(a=mean * NO_REPEATS_STRENGTH, b=(1 - mean) * NO_REPEATS_STRENGTH, estimated=False)
    squares = math.fsum(count * (total / count - mean) ** 2 for total, count in zip(totals, draws, strict=True))
    correlation = (squares / (mean * (1 - mean)) - math.fsum(weights)) / between
    low, high = STRENGTHS
    strength = high if correlation <= 1 / (high + 1) else max(1 / correlation - 1, low)
    return BetaPrior(a=mean * strength, b=(1 - mean) * strength, estimated=True)

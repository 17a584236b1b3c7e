"""Estimate every candidate's score on the whole dev split from a partly filled table of block scores.

The model: a block's mean score is block effect + candidate effect + interaction. Block effects have a flat prior, so
candidates are compared only through blocks that they share (pairing). Candidate effects are normal around zero, and the
interaction has one variance, pooled over candidates. The quantity of interest is the mean over *these* blocks, so a
known cell has no uncertainty and a finished candidate's score is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from statistics import NormalDist

from askwell.engine.racing.table import RaceLayout, Scores, block_mean

_INTERACTION_SHARE = 0.27
"""Prior of the interaction variance per example, as a share of p(1-p): prompts of one run mostly agree on which
examples are hard. About the average of recorded prompt-optimization runs; between 0.2 and 0.4 results hardly change."""
_PRIOR_FREEDOM = 8.0
"""Weight of that prior, in residual degrees of freedom."""
_EFFECT_RATIO = 0.01
"""Prior variance of candidate effects over the interaction variance per example: σ/10, some two or three points."""
_NO_SHRINKAGE = 1e3
"""An effect ratio so large that the fit is least squares: residuals must not include the prior's pull."""
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Joint normal posterior of the full dev scores (0..1), up to a constant that all candidates share."""

    means: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    def difference(self, index: int, other: int) -> tuple[float, float]:
        """Return mean and standard deviation of (score of candidate `index` - score of `other`)."""
        variance = self.covariance[index][index] + self.covariance[other][other] - 2 * self.covariance[index][other]
        # Rounding can make the variance of nearly identical rows negative.
        return self.means[index] - self.means[other], math.sqrt(max(variance, 0.0))

    def expected_gain(self, index: int, other: int) -> float:
        """Return E[max(0, score of `index` - score of `other`)]: the average loss from never scoring `index` again."""
        mean, deviation = self.difference(index, other)
        if deviation < 1e-9:
            return max(mean, 0.0)
        z = mean / deviation
        return mean * _NORMAL.cdf(z) + deviation * _NORMAL.pdf(z)

    def probability_better(self, index: int, other: int, *, by: float = 0.0) -> float:
        """Return the probability that `index` beats `other` by more than `by`."""
        mean, deviation = self.difference(index, other)
        return float(mean > by) if deviation < 1e-9 else _NORMAL.cdf((mean - by) / deviation)


@dataclass(frozen=True, slots=True)
class _BlockColumn:
    size: int
    scores: dict[int, float]
    """Candidate index -> mean score on the block."""
    mean: float


def fit_posterior(layout: RaceLayout, scores: Scores) -> Posterior:
    """Condition the model on the known cells. Pure, and independent of the order in which scores arrived."""
    blocks = _columns(layout, scores)
    variance = interaction_variance(layout, scores)
    effects, spread = _fit_effects(len(layout.candidates), blocks, _EFFECT_RATIO)
    return _predict(layout, blocks, effects, spread, variance)


def interaction_variance(layout: RaceLayout, scores: Scores) -> float:
    """Return the variance per example that block and candidate effects leave, shrunk towards its binomial prior.

    Estimated from per-example scores if blocks have them, else from residuals of the block means.
    """
    blocks = _columns(layout, scores)
    examples = sum(block.size * len(block.scores) for block in blocks)
    total = math.fsum(block.size * score for block in blocks for score in block.scores.values())
    # Half a success and half a failure are added: with p at 0 or 1 the prior would claim certainty.
    p = min(max((total + 0.5) / (examples + 1), 0.0), 1.0)
    prior = max(_INTERACTION_SHARE * p * (1 - p), 1e-6)
    squares, freedom = _example_residuals(layout, scores)
    if freedom == 0:
        squares, freedom = _block_residuals(len(layout.candidates), blocks)
    return (_PRIOR_FREEDOM * prior + squares) / (_PRIOR_FREEDOM + freedom)


def _columns(layout: RaceLayout, scores: Scores) -> list[_BlockColumn]:
    columns: list[_BlockColumn] = []
    for number, size in enumerate(layout.blocks):
        means = {
            index: block_mean(scores[name][number])
            for index, name in enumerate(layout.candidates)
            if number in scores.get(name, {})
        }
        columns.append(_BlockColumn(size, means, math.fsum(means.values()) / len(means) if means else 0.0))
    return columns


def _example_residuals(layout: RaceLayout, scores: Scores) -> tuple[float, int]:
    """Return sum of squares and degrees of freedom of two-way residuals inside blocks with per-example scores."""
    squares, freedom = 0.0, 0
    for number in range(len(layout.blocks)):
        cells = [scores[name][number] for name in layout.candidates if number in scores.get(name, {})]
        rows = [row for row in cells if not isinstance(row, int | float)]
        if len(rows) < 2 or len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
            continue
        by_example = [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)]
        grand = math.fsum(by_example) / len(by_example)
        for row in rows:
            shift = math.fsum(row) / len(row) - grand
            squares += math.fsum((x - common - shift) ** 2 for x, common in zip(row, by_example, strict=True))
        freedom += (len(rows) - 1) * (len(rows[0]) - 1)
    return squares, freedom


def _block_residuals(candidates: int, blocks: Sequence[_BlockColumn]) -> tuple[float, int]:
    """Return sum of squares and degrees of freedom of the block means' residuals, in units of one example."""
    effects, _ = _fit_effects(candidates, blocks, _NO_SHRINKAGE)
    squares, cells, used_blocks = 0.0, 0, 0
    for block in blocks:
        if not block.scores:
            continue
        common = math.fsum(effects[index] for index in block.scores) / len(block.scores)
        # The variance of a mean of n examples is 1/n of one example's, hence the factor `size`.
        squares += block.size * math.fsum(
            (score - block.mean - effects[index] + common) ** 2 for index, score in block.scores.items()
        )
        cells, used_blocks = cells + len(block.scores), used_blocks + 1
    present = len({index for block in blocks for index in block.scores})
    return squares, max(cells - used_blocks - max(present - 1, 0), 0)


def _fit_effects(
    candidates: int, blocks: Sequence[_BlockColumn], ratio: float
) -> tuple[list[float], list[list[float]]]:
    """Return the candidate effects' posterior mean, and covariance in units of the interaction variance per example.

    Integrating the flat block effects out leaves the precision I/ratio + Σ_b n_b (diag(1_S) - 1_S 1_S'/|S|), with S the
    candidates known on block b and n_b its size.
    """
    precision = [[0.0] * candidates for _ in range(candidates)]
    target = [0.0] * candidates
    for index in range(candidates):
        precision[index][index] = 1 / ratio
    for block in blocks:
        if not block.scores:
            continue
        shared = block.size / len(block.scores)
        for index, score in block.scores.items():
            row = precision[index]
            row[index] += block.size
            target[index] += block.size * (score - block.mean)
            for other in block.scores:
                row[other] -= shared
    covariance = _inverse(precision)
    return [_dot(row, target) for row in covariance], covariance


def _predict(
    layout: RaceLayout,
    blocks: Sequence[_BlockColumn],
    effects: Sequence[float],
    spread: Sequence[Sequence[float]],
    variance: float,
) -> Posterior:
    """Return the posterior of the mean over all blocks.

    Known cells enter as they are; unknown ones are predicted from the effects and from the cells known on the block. A
    block without known cells adds a constant that all candidates share, which is left out.
    """
    count, examples = len(layout.candidates), sum(layout.blocks)
    means = [0.0] * count
    weights = [[0.0] * count for _ in range(count)]  # of the effects' uncertainty
    noise = [[0.0] * count for _ in range(count)]  # of the interaction on unknown cells
    for block in blocks:
        share, unknown = block.size / examples, [index for index in range(count) if index not in block.scores]
        common = math.fsum(effects[index] for index in block.scores) / max(len(block.scores), 1)
        for index, score in block.scores.items():
            means[index] += share * score
        for index in unknown:
            means[index] += share * (block.mean - common + effects[index])
            weights[index][index] += share
            noise[index][index] += share * share / block.size
            if block.scores:
                # The block's effect is estimated from the candidates known on it: their interaction is an error that
                # all unknown candidates of the block share.
                for other in block.scores:
                    weights[index][other] -= share / len(block.scores)
                for other in unknown:
                    noise[index][other] += share * share / (block.size * len(block.scores))
    half = [[_dot(row, column) for column in spread] for row in weights]
    covariance = tuple(
        tuple(variance * (_dot(half[i], weights[j]) + noise[i][j]) for j in range(count)) for i in range(count)
    )
    return Posterior(means=tuple(means), covariance=covariance)


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Invert a symmetric positive definite matrix by Gauss-Jordan elimination, which needs no pivoting for those.

    In plain Python: tables have some ten candidates, and numpy would be the engine's only heavy dependency.
    """
    size = len(matrix)
    work = [list(row) for row in matrix]
    for k in range(size):
        pivot = 1 / work[k][k]
        row_k = [value * pivot for value in work[k]]
        row_k[k] = pivot
        for i in range(size):
            if i != k:
                factor = work[i][k]
                row = [a - factor * b for a, b in zip(work[i], row_k, strict=True)]
                row[k] = -factor * pivot
                work[i] = row
        work[k] = row_k
    return work


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(map(mul, left, right))

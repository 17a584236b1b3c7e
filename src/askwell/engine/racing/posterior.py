"""What a partly filled table of block scores says about every candidate's score on the whole dev split.

The model: a block's mean score is block effect + candidate effect + interaction. Block effects are free (so only
candidates that share a block are compared: pairing), candidate effects are normal around zero, and the interaction has
one variance, pooled over candidates. What is asked for is the mean over *these* blocks, so cells that are known carry
no doubt and a finished candidate is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from statistics import NormalDist

BlockScore = float | Sequence[float]
"""Mean score of a candidate on a block, or its per-example scores there, in the same example order for everyone."""

Scores = Mapping[str, Mapping[int, BlockScore]]
"""Candidate -> block -> score; what is not there is not known yet."""

_INTERACTION = 0.27
"""Prior for interaction variance per example as a share of p(1-p): prompts of one run mostly agree on which examples
are hard. About the average of recorded prompt-optimization runs; the result hardly moves between 0.2 and 0.4."""
_PRIOR_FREEDOM = 8.0
"""How many residual degrees of freedom that prior is worth."""
_EFFECT_RATIO = 0.01
"""Prior variance of candidate effects over the interaction variance per example: σ/10, some two or three points."""
_NO_SHRINKAGE = 1e3
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Who races over what: candidates in order of proposal (ties go to the earlier), and the size of each block."""

    candidates: tuple[str, ...]
    blocks: tuple[int, ...]
    """Examples in each block, in the order the blocks are to be used; blocks are numbered by their place here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """Joint normal belief about full dev scores (0..1), up to a constant that all candidates share."""

    means: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    def lead(self, one: int, other: int) -> tuple[float, float]:
        """Mean and standard deviation of how much candidate `one` is better than `other`."""
        variance = self.covariance[one][one] + self.covariance[other][other] - 2 * self.covariance[one][other]
        return self.means[one] - self.means[other], math.sqrt(max(variance, 0.0))

    def expected_gain(self, one: int, other: int) -> float:
        """E[max(0, score of `one` - score of `other`)]: what is lost, on average, by never looking at `one` again."""
        mean, deviation = self.lead(one, other)
        if deviation < 1e-9:
            return max(mean, 0.0)
        z = mean / deviation
        return mean * _NORMAL.cdf(z) + deviation * _NORMAL.pdf(z)

    def probability_better(self, one: int, other: int, *, by: float = 0.0) -> float:
        """Probability that `one` beats `other` by more than `by`."""
        mean, deviation = self.lead(one, other)
        return float(mean > by) if deviation < 1e-9 else _NORMAL.cdf((mean - by) / deviation)


@dataclass(frozen=True, slots=True)
class _Block:
    size: int
    scores: dict[int, float]
    """Candidate index -> mean."""
    mean: float


def believe(field: Field, scores: Scores) -> Belief:
    """Condition the model on what is known. Pure, and blind to the order in which scores arrived."""
    blocks = _blocks(field, scores)
    variance = interaction_variance(field, scores)
    effects, spread = _fit(len(field.candidates), blocks, _EFFECT_RATIO)
    return _predict(field, blocks, effects, spread, variance)


def interaction_variance(field: Field, scores: Scores) -> float:
    """Variance per example of what remains after block and candidate effects, shrunk towards its binomial prior.

    Taken from per-example scores where blocks have them, else from residuals of the block means.
    """
    blocks = _blocks(field, scores)
    examples = sum(block.size * len(block.scores) for block in blocks)
    total = math.fsum(block.size * score for block in blocks for score in block.scores.values())
    p = min(max((total + 0.5) / (examples + 1), 0.0), 1.0)
    prior = max(_INTERACTION * p * (1 - p), 1e-6)
    squares, freedom = _example_residuals(field, scores)
    if freedom == 0:
        squares, freedom = _block_residuals(len(field.candidates), blocks)
    return (_PRIOR_FREEDOM * prior + squares) / (_PRIOR_FREEDOM + freedom)


def block_mean(score: BlockScore) -> float:
    """Mean of a block, however it was given."""
    return float(score) if isinstance(score, int | float) else math.fsum(score) / len(score)


def _blocks(field: Field, scores: Scores) -> list[_Block]:
    found: list[_Block] = []
    for number, size in enumerate(field.blocks):
        known = {
            index: block_mean(scores[name][number])
            for index, name in enumerate(field.candidates)
            if number in scores.get(name, {})
        }
        found.append(_Block(size, known, math.fsum(known.values()) / len(known) if known else 0.0))
    return found


def _example_residuals(field: Field, scores: Scores) -> tuple[float, int]:
    """Two-way residuals inside each block whose examples are known one by one: sum of squares, degrees of freedom."""
    squares, freedom = 0.0, 0
    for number in range(len(field.blocks)):
        cells = [scores[name][number] for name in field.candidates if number in scores.get(name, {})]
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


def _block_residuals(candidates: int, blocks: Sequence[_Block]) -> tuple[float, int]:
    effects, _ = _fit(candidates, blocks, _NO_SHRINKAGE)
    squares, cells, seen = 0.0, 0, 0
    for block in blocks:
        if not block.scores:
            continue
        common = math.fsum(effects[index] for index in block.scores) / len(block.scores)
        squares += block.size * math.fsum(
            (score - block.mean - effects[index] + common) ** 2 for index, score in block.scores.items()
        )
        cells, seen = cells + len(block.scores), seen + 1
    present = len({index for block in blocks for index in block.scores})
    return squares, max(cells - seen - max(present - 1, 0), 0)


def _fit(candidates: int, blocks: Sequence[_Block], ratio: float) -> tuple[list[float], list[list[float]]]:
    """Posterior mean of candidate effects, and their covariance in units of the interaction variance per example.

    Integrating the free block effects out leaves the precision I/ratio + Σ_b n_b (diag(1_S) - 1_S 1_S'/|S|).
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
    field: Field, blocks: Sequence[_Block], effects: Sequence[float], spread: Sequence[Sequence[float]], variance: float
) -> Belief:
    """Mean over all blocks: known cells as they are, unknown ones from effects and from who is known on the block.

    A block nobody has seen adds a constant that all candidates share, which is left out.
    """
    count, examples = len(field.candidates), sum(field.blocks)
    means = [0.0] * count
    weights = [[0.0] * count for _ in range(count)]
    noise = [[0.0] * count for _ in range(count)]
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
                for other in block.scores:
                    weights[index][other] -= share / len(block.scores)
                for other in unknown:
                    noise[index][other] += share * share / (block.size * len(block.scores))
    half = [[_dot(row, column) for column in spread] for row in weights]
    covariance = tuple(
        tuple(variance * (_dot(half[i], weights[j]) + noise[i][j]) for j in range(count)) for i in range(count)
    )
    return Belief(means=tuple(means), covariance=covariance)


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Invert a symmetric positive definite matrix (Gauss-Jordan; no pivoting is needed for such)."""
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

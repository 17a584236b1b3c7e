"""Fall back to the baseline prompt unless the predicted advantage exceeds a margin, tuned on unseen queries."""

from __future__ import annotations

import math
from collections.abc import Sequence

from askwell.policies.data.arrays import Floats, Ints, np
from askwell.policies.data.folds import split_folds
from askwell.policies.data.table import OutcomeTable
from askwell.policies.fallback_threshold import FallbackThreshold, never_switch
from askwell.policies.selection.base import FitScorer

MARGINS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.125, 0.15, 0.2, 0.3)
"""Margins tried, in units of the score."""

STANDARD_ERRORS = 2.0
"""The gain of a margin must exceed 0 by this many standard errors; otherwise every query gets the baseline prompt.
One is too few: the best of 13 margins is an optimistic choice, and on GSM8K such a policy lost 1.6 points on unseen
questions."""


def select_above_margin(advantages: Floats, *, baseline: int, margin: float) -> Ints:
    """Return the column of each query's best prompt if its advantage exceeds the margin, else the baseline column."""
    best = advantages.argmax(axis=1)
    gain = advantages[np.arange(len(best)), best]
    return np.where(gain > margin, best, baseline)


def tune_on_table(
    rounds: Sequence[Floats], table: OutcomeTable, *, baseline: int, margins: Sequence[float] = MARGINS
) -> FallbackThreshold:
    """Choose the margin with the best gain, if that gain is real (by `STANDARD_ERRORS`).

    `rounds` has one matrix of advantages per random partition into folds (a single one on dev queries), predicted
    without the query's own outcomes. A query's gain is its mean over the rounds. A query counts only if the selected
    prompt and the baseline prompt were both tried on it.
    """
    options = [_measure_on_table(rounds, table, baseline, margin) for margin in margins]
    best = max(options, key=lambda option: option.gain)
    if best.gain - STANDARD_ERRORS * best.error > 0.0:
        return best
    return never_switch(queries=best.queries)


def tune_on_gains(advantages: Sequence[float], gains: Sequence[float]) -> FallbackThreshold:
    """Choose the margin for written prompts from dev queries, given the predicted advantages and the measured gains.

    The margins tried are 0 and the deciles of the positive advantages, as a value head's unit may differ from the
    score's. If no margin has a real gain (by `STANDARD_ERRORS`), every query gets the baseline prompt.
    """
    predicted, measured = np.asarray(advantages, dtype=float), np.asarray(gains, dtype=float)
    above = predicted[predicted > 0.0]
    margins = [0.0, *(float(np.quantile(above, tenth / 10)) for tenth in range(1, 10) if above.size)]
    options = [_measure_on_gains(predicted, measured, margin) for margin in margins]
    best = max(options, key=lambda option: option.gain)
    if best.queries > 1 and best.gain - STANDARD_ERRORS * best.error > 0.0:
        return best
    return never_switch(queries=len(measured))


def cross_fit_gains(advantages: Sequence[float], gains: Sequence[float], *, seed: int, folds: int = 5) -> list[float]:
    """Return the policy's gain on each dev query with the margin tuned on the other folds, which makes it unbiased."""
    fitted = [0.0] * len(gains)
    for inside, outside in split_folds(len(gains), folds=folds, seed=seed):
        rows: list[int] = inside.tolist()
        margin = tune_on_gains([advantages[row] for row in rows], [gains[row] for row in rows]).margin
        for row in outside.tolist():
            fitted[row] = gains[row] if advantages[row] > margin else 0.0
    return fitted


def predict_out_of_fold(fit: FitScorer, table: OutcomeTable, *, baseline: int, seed: int, folds: int = 5) -> Floats:
    """Predict the advantages of every query by a scorer that was fitted without it; all folds share the baseline."""
    advantages = np.zeros(table.totals.shape)
    for inside, outside in split_folds(len(table.queries), folds=folds, seed=seed):
        scorer = fit(table.select_rows(inside), baseline=baseline, seed=seed)
        advantages[outside] = scorer.advantages(table.select_rows(outside).queries)
    return advantages


def _measure_on_gains(predicted: Floats, measured: Floats, margin: float) -> FallbackThreshold:
    switched = predicted > margin
    gains = np.where(switched, measured, 0.0)
    n = len(gains)
    return FallbackThreshold(
        margin=margin,
        gain=float(gains.mean()) if n else 0.0,
        error=float(gains.std(ddof=1) / math.sqrt(n)) if n > 1 else 0.0,
        switch_rate=float(switched.mean()) if n else 0.0,
        queries=n,
    )


def _measure_on_table(rounds: Sequence[Floats], table: OutcomeTable, baseline: int, margin: float) -> FallbackThreshold:
    rows = np.arange(len(table.queries))
    rates = np.nan_to_num(table.rates())
    sums, counts, switch_rate = np.zeros(len(rows)), np.zeros(len(rows)), 0.0
    for advantages in rounds:
        columns = select_above_margin(advantages, baseline=baseline, margin=margin)
        counted = table.tried[rows, columns] & table.tried[:, baseline]
        sums += np.where(counted, rates[rows, columns] - rates[:, baseline], 0.0)
        counts += counted
        switch_rate += float((columns != baseline).mean()) / len(rounds)
    differences = sums[counts > 0] / counts[counts > 0]
    n = len(differences)
    if n < 2:
        return FallbackThreshold(margin=margin, gain=0.0, error=0.0, switch_rate=0.0, queries=n)
    return FallbackThreshold(
        margin=margin,
        gain=float(differences.mean()),
        error=float(differences.std(ddof=1) / math.sqrt(n)),
        switch_rate=switch_rate,
        queries=n,
    )

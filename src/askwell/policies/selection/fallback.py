"""The fallback: the static prompt stays unless the predicted advantage exceeds a margin that paid on unseen queries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from askwell.policies.data.arrays import Floats, Ints, np
from askwell.policies.data.folds import split_folds
from askwell.policies.data.table import OutcomeTable
from askwell.policies.selection.base import FitScorer

MARGINS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.125, 0.15, 0.2, 0.3)
"""Margins tried, in units of the score."""

STANDARD_ERRORS = 2.0
"""A margin must have paid by this many standard errors, or the static prompt is kept for every query. One is too few:
the best of 13 margins is flattered, and on GSM8K such a policy lost 1.6 points on unseen questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackThreshold:
    """A margin, and what switching beyond it brought on the tuning queries."""

    margin: float
    """Infinite where no margin paid: the static prompt for every query."""
    gain: float
    """Mean gain over the static prompt on the tuning queries; flattered by the choice of the margin."""
    error: float
    switch_rate: float
    """Share of the tuning queries that got another prompt."""
    queries: int


def select_above_margin(advantages: Floats, *, baseline: int, margin: float) -> Ints:
    """Column of the best prompt where its advantage exceeds the margin, else the static one."""
    best = advantages.argmax(axis=1)
    gain = advantages[np.arange(len(best)), best]
    return np.where(gain > margin, best, baseline)


def tune_on_table(
    rounds: Sequence[Floats], table: OutcomeTable, *, baseline: int, margins: Sequence[float] = MARGINS
) -> FallbackThreshold:
    """Pick the margin with the best gain on queries that the advantages were not learnt from, if that gain is real.

    `rounds` holds one advantage matrix for each draw of the cross-validation folds (one in all, on dev queries): a
    query's gain is its mean over them. Queries on which the chosen or the static prompt was never tried don't count.
    """
    options = [_outcome(rounds, table, baseline, margin) for margin in margins]
    best = max(options, key=lambda option: option.gain)
    if best.gain - STANDARD_ERRORS * best.error > 0.0:
        return best
    return never_switch(queries=best.queries)


def tune_on_gains(advantages: Sequence[float], gains: Sequence[float]) -> FallbackThreshold:
    """Pick the margin for written prompts, from dev queries: predicted advantages, and the gains that were measured.

    Margins tried are 0 and the deciles of the advantages above it, as a value head's unit need not be the score's.
    Where no margin's gain is real (by `STANDARD_ERRORS`), the static prompt is kept for every query.
    """
    predicted, measured = np.asarray(advantages, dtype=float), np.asarray(gains, dtype=float)
    above = predicted[predicted > 0.0]
    margins = [0.0, *(float(np.quantile(above, tenth / 10)) for tenth in range(1, 10) if above.size)]
    options = [_switched(predicted, measured, margin) for margin in margins]
    best = max(options, key=lambda option: option.gain)
    if best.queries > 1 and best.gain - STANDARD_ERRORS * best.error > 0.0:
        return best
    return never_switch(queries=len(measured))


def cross_fit_gains(advantages: Sequence[float], gains: Sequence[float], *, seed: int, folds: int = 5) -> list[float]:
    """Gain of the guarded policy on each dev query, its margin tuned on the other folds (so it is not flattered)."""
    found = [0.0] * len(gains)
    for inside, outside in split_folds(len(gains), folds=folds, seed=seed):
        rows: list[int] = inside.tolist()
        margin = tune_on_gains([advantages[row] for row in rows], [gains[row] for row in rows]).margin
        for row in outside.tolist():
            found[row] = gains[row] if advantages[row] > margin else 0.0
    return found


def never_switch(*, queries: int = 0) -> FallbackThreshold:
    """Return the fallback that keeps the static prompt for every query."""
    return FallbackThreshold(margin=math.inf, gain=0.0, error=0.0, switch_rate=0.0, queries=queries)


ALWAYS_SWITCH = FallbackThreshold(margin=-math.inf, gain=0.0, error=0.0, switch_rate=1.0, queries=0)
"""No fallback: whatever the policy says is sent, as in the paper."""


def encode_fallback(fallback: FallbackThreshold) -> dict[str, float | str | None]:
    """Spell a fallback in JSON; an infinite margin is "never", its opposite "always"."""
    margin = fallback.margin if math.isfinite(fallback.margin) else ("never" if fallback.margin > 0 else "always")
    return {
        "margin": margin,
        "gain": fallback.gain,
        "error": fallback.error,
        "switched": fallback.switch_rate,
        "queries": fallback.queries,
    }


def decode_fallback(body: Mapping[str, float | str | None]) -> FallbackThreshold:
    """Read a fallback back."""
    margin = body["margin"]
    if isinstance(margin, str):
        margin = -math.inf if margin == "always" else math.inf
    return FallbackThreshold(
        margin=float(margin or 0.0),
        gain=float(body["gain"] or 0.0),
        error=float(body["error"] or 0.0),
        switch_rate=float(body["switched"] or 0.0),
        queries=int(body["queries"] or 0),
    )


def predict_out_of_fold(fit: FitScorer, table: OutcomeTable, *, baseline: int, seed: int, folds: int = 5) -> Floats:
    """Advantages of every query by a scorer that was fitted without it. `static` is the baseline in all folds."""
    found = np.zeros(table.totals.shape)
    for inside, outside in split_folds(len(table.queries), folds=folds, seed=seed):
        scorer = fit(table.select_rows(inside), baseline=baseline, seed=seed)
        found[outside] = scorer.advantages(table.select_rows(outside).queries)
    return found


def _switched(predicted: Floats, measured: Floats, margin: float) -> FallbackThreshold:
    switch = predicted > margin
    gains = np.where(switch, measured, 0.0)
    n = len(gains)
    return FallbackThreshold(
        margin=margin,
        gain=float(gains.mean()) if n else 0.0,
        error=float(gains.std(ddof=1) / math.sqrt(n)) if n > 1 else 0.0,
        switch_rate=float(switch.mean()) if n else 0.0,
        queries=n,
    )


def _outcome(rounds: Sequence[Floats], table: OutcomeTable, baseline: int, margin: float) -> FallbackThreshold:
    rows = np.arange(len(table.queries))
    rates = np.nan_to_num(table.rates())
    sums, counts, switch_rate = np.zeros(len(rows)), np.zeros(len(rows)), 0.0
    for advantages in rounds:
        pick = select_above_margin(advantages, baseline=baseline, margin=margin)
        counted = table.tried[rows, pick] & table.tried[:, baseline]
        sums += np.where(counted, rates[rows, pick] - rates[:, baseline], 0.0)
        counts += counted
        switch_rate += float((pick != baseline).mean()) / len(rounds)
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

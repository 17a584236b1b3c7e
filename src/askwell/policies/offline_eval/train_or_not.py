"""Advise whether a query-level policy is worth training: headroom, and a cheap selector's gain on unseen queries.

Without repeats, headroom has only bounds. But if a text classifier gains on queries it has not seen, the gain is real:
cross-validated over queries, it is a lower bound with an interval, and decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from askwell.core.errors import DataError
from askwell.core.stats import Interval, format_interval, paired_difference
from askwell.policies.data.arrays import Floats, np
from askwell.policies.data.folds import split_folds
from askwell.policies.data.table import OutcomeTable, find_baseline
from askwell.policies.offline_eval.headroom import MIN_GAIN, Headroom, measure_headroom
from askwell.policies.selection.fallback import select_above_margin
from askwell.policies.selection.registry import get_fit
from askwell.policies.selection.selection import MIN_QUERIES

SELECTORS = ("multitask", "trees")
"""Scorers that are tried: the default, and one that needs fewer queries and copes with many prompts. The interval of
the better one is corrected for the choice (Bonferroni)."""

TRIED_SHARES = (0.5, 0.8, 0.95)
"""Prompts are kept if tried on this share of the most-tried prompt's queries; the first share with enough complete
queries is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingAdvice:
    """The advice and its evidence."""

    headroom: Headroom
    selector_gain: Interval | None
    """Gain of a selection policy over the baseline prompt on queries it was not fitted on; None if not needed, or if
    there are too few queries."""
    is_worthwhile: bool
    verdict: str
    """One closing sentence."""


def advise_training(table: OutcomeTable, *, seed: int, level: float = 0.95) -> TrainingAdvice:
    """Measure headroom; if it has only bounds and there are enough queries, cross-validate the selectors too.

    Raises `DataError` if no two prompts were tried on the same query.
    """
    dense = drop_sparse_prompts(table)
    report = measure_headroom(dense, seed=seed, level=level)
    if report.gain.kind == "interval" or report.gain.high < MIN_GAIN or len(dense.queries) < MIN_QUERIES:
        return TrainingAdvice(
            headroom=report, selector_gain=None, is_worthwhile=report.is_worthwhile, verdict=report.verdict
        )
    corrected = 1 - (1 - level) / len(SELECTORS)
    gains = [cross_validate_selector(dense, seed=seed, scorer=name, level=corrected) for name in SELECTORS]
    gain = max(gains, key=lambda gain: gain.low)
    worth = gain.low > 0.0 and gain.estimate >= MIN_GAIN
    return TrainingAdvice(
        headroom=report, selector_gain=gain, is_worthwhile=worth, verdict=_format_verdict(report, gain, worth=worth)
    )


def cross_validate_selector(
    table: OutcomeTable, *, seed: int, scorer: str, folds: int = 5, level: float = 0.95
) -> Interval:
    """Measure a selector's gain on held-out queries; scorer and baseline prompt come from each fold's other queries.

    A query on which the selected or the baseline prompt was never tried is left out.
    """
    fit, rates = get_fit(scorer), np.nan_to_num(table.rates())
    ours, theirs, counted = (np.zeros(len(table.queries)) for _ in range(3))
    for inside, outside in split_folds(len(table.queries), folds=folds, seed=seed):
        training = table.select_rows(inside)
        baseline = find_baseline(training)
        columns = select_above_margin(
            fit(training, baseline=baseline, seed=seed).advantages(table.select_rows(outside).queries),
            baseline=baseline,
            margin=0.0,
        )
        ours[outside], theirs[outside] = rates[outside, columns], rates[outside, baseline]
        counted[outside] = table.tried[outside, columns] & table.tried[outside, baseline]
    kept = counted > 0
    if not kept.any():
        raise DataError("no held-out query was tried with both the selected and the baseline prompt; log more pairs")
    return paired_difference(_floats(ours[kept]), _floats(theirs[kept]), method="t", level=level)


def drop_sparse_prompts(table: OutcomeTable) -> OutcomeTable:
    """Keep the prompts that were tried widely enough for `measure_headroom` to have complete queries."""
    counts = table.tried.sum(axis=0)
    options = [_keep_columns(table, counts >= share * counts.max()) for share in TRIED_SHARES]
    complete = [int(option.tried.all(axis=1).sum()) if len(option.prompts) > 1 else 0 for option in options]
    for option, rows in zip(options, complete, strict=True):
        if rows >= MIN_QUERIES:
            return option
    return options[int(np.argmax(complete))]


def _keep_columns(table: OutcomeTable, kept: np.ndarray) -> OutcomeTable:
    return OutcomeTable(
        queries=table.queries,
        prompts=tuple(prompt for prompt, keep in zip(table.prompts, kept.tolist(), strict=True) if keep),
        totals=table.totals[:, kept],
        repeats=table.repeats[:, kept],
    )


def _format_verdict(report: Headroom, gain: Interval, *, worth: bool) -> str:
    if worth:
        return (
            f"Yes: a query-level policy is worth training here; merely choosing among the logged prompts by a query's "
            f"text already gains {format_interval(gain, signed=True)} points on unseen queries."
        )
    return (
        "Not shown: one prompt is enough for now; choosing by a query's text gains "
        f"{format_interval(gain, signed=True)} points on unseen queries, and without repeated draws the bounds are 0 "
        f"to {100 * report.gain.high:.1f}."
    )


def _floats(values: Floats) -> list[float]:
    return [float(value) for value in values]

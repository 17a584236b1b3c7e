"""Is a query-level policy worth training on these data? Headroom, and what a cheap chooser gains on unseen queries.

Without repeated draws headroom has only bounds. But a gain that a text classifier reaches on queries it has not seen is
a gain that is there: cross-validated over queries, it is a lower bound with an interval, and it settles the question.
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
"""Scorers that are tried: the default, and one that does with fewer queries and many prompts. The interval of the
better one allows for the choice (Bonferroni)."""

TRIED_SHARES = (0.5, 0.8, 0.95)
"""Prompts tried on at least this share of the most-tried prompt's queries are looked at; the first that will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingAdvice:
    """The answer and what it rests on."""

    headroom: Headroom
    selector_gain: Interval | None
    """Gain over the static prompt of a selection policy on queries it was not fitted on; None where not needed, or with
    too few queries."""
    is_worthwhile: bool
    verdict: str
    """One closing sentence."""


def advise_training(table: OutcomeTable, *, seed: int, level: float = 0.95) -> TrainingAdvice:
    """Measure headroom and, where it has only bounds and there are queries enough, choosers by cross-validation.

    Raises `DataError` where no two prompts were tried on the same query.
    """
    dense = drop_sparse_prompts(table)
    room = measure_headroom(dense, seed=seed, level=level)
    if room.gain.kind == "interval" or room.gain.high < MIN_GAIN or len(dense.queries) < MIN_QUERIES:
        return TrainingAdvice(headroom=room, selector_gain=None, is_worthwhile=room.is_worthwhile, verdict=room.verdict)
    each = 1 - (1 - level) / len(SELECTORS)
    gains = [cross_validate_selector(dense, seed=seed, scorer=name, level=each) for name in SELECTORS]
    gain = max(gains, key=lambda one: one.low)
    worth = gain.low > 0.0 and gain.estimate >= MIN_GAIN
    return TrainingAdvice(
        headroom=room, selector_gain=gain, is_worthwhile=worth, verdict=_verdict(room, gain, worth=worth)
    )


def cross_validate_selector(
    table: OutcomeTable, *, seed: int, scorer: str, folds: int = 5, level: float = 0.95
) -> Interval:
    """Gain on held-out queries of choosing by a scorer, static prompt and scorer learnt inside each fold.

    A query where the pick or the static prompt was never tried is left out.
    """
    fit, rates = get_fit(scorer), np.nan_to_num(table.rates())
    ours, theirs, counted = (np.zeros(len(table.queries)) for _ in range(3))
    for inside, outside in split_folds(len(table.queries), folds=folds, seed=seed):
        learnt = table.select_rows(inside)
        baseline = find_baseline(learnt)
        pick = select_above_margin(
            fit(learnt, baseline=baseline, seed=seed).advantages(table.select_rows(outside).queries),
            baseline=baseline,
            margin=0.0,
        )
        ours[outside], theirs[outside] = rates[outside, pick], rates[outside, baseline]
        counted[outside] = table.tried[outside, pick] & table.tried[outside, baseline]
    kept = counted > 0
    if not kept.any():
        raise DataError("no held-out query was tried with both the chosen and the static prompt; log more pairs")
    return paired_difference(_floats(ours[kept]), _floats(theirs[kept]), method="t", level=level)


def drop_sparse_prompts(table: OutcomeTable) -> OutcomeTable:
    """Keep the prompts that were tried widely enough for `headroom` to have complete queries to work on."""
    counts = table.tried.sum(axis=0)
    options = [_columns(table, counts >= share * counts.max()) for share in TRIED_SHARES]
    complete = [int(option.tried.all(axis=1).sum()) if len(option.prompts) > 1 else 0 for option in options]
    for option, rows in zip(options, complete, strict=True):
        if rows >= MIN_QUERIES:
            return option
    return options[int(np.argmax(complete))]


def _columns(table: OutcomeTable, kept: np.ndarray) -> OutcomeTable:
    return OutcomeTable(
        queries=table.queries,
        prompts=tuple(prompt for prompt, keep in zip(table.prompts, kept.tolist(), strict=True) if keep),
        totals=table.totals[:, kept],
        repeats=table.repeats[:, kept],
    )


def _verdict(room: Headroom, gain: Interval, *, worth: bool) -> str:
    if worth:
        return (
            f"Yes: a query-level policy is worth training here; merely choosing among the logged prompts by a query's "
            f"text already gains {format_interval(gain, signed=True)} points on unseen queries."
        )
    return (
        "Not shown: one prompt is enough for now; choosing by a query's text gains "
        f"{format_interval(gain, signed=True)} points on unseen queries, and without repeated draws the bounds are 0 "
        f"to {100 * room.gain.high:.1f}."
    )


def _floats(values: Floats) -> list[float]:
    return [float(value) for value in values]

"""Compare prompt policies on the same logged outcomes, cross-validated over queries, without a paid call.

    comparison = compare_policies(table, seed=0)
    comparison.rows            # baseline, random, oracle, each scorer, the default with its fallback threshold
    comparison.headroom        # the possible gain, without sampling noise

For each fold the baseline prompt, the scorer and (for the default) the margin are chosen on the other folds' queries
alone. A selected prompt without a logged outcome counts as the baseline prompt. A query on which the baseline prompt
was never tried is left out of all rows, so that all rows are on the same queries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from askwell.core.errors import DataError
from askwell.core.stats import Interval, mean_interval, paired_difference
from askwell.policies.data.arrays import Bools, Floats, Ints, np
from askwell.policies.data.folds import split_folds
from askwell.policies.data.table import OutcomeTable, find_baseline
from askwell.policies.offline_eval.headroom import Headroom, measure_headroom
from askwell.policies.selection.fallback import select_above_margin
from askwell.policies.selection.registry import get_fit
from askwell.policies.selection.selection import DEFAULT_SCORER, MIN_QUERIES, fit_selection

SCORERS = ("multitask", "trees", "knn")
"""Scorers that are compared by default."""

BASELINE = "baseline prompt"
RANDOM = "random prompt"
ORACLE = "naive oracle"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One policy, scored on queries on which it was not fitted; scores are 0..1."""

    name: str
    score: Interval
    gain: Interval | None
    """Gain over the baseline prompt, paired by query; None for this prompt itself and for the oracle (mostly noise)."""
    switch_rate: float | None = None
    """Share of the queries that get another prompt than the baseline prompt; None if that has no meaning."""
    unlogged: int = 0
    """Selected prompts without a logged outcome, counted as the baseline prompt."""
    is_deployed: bool = False
    """Whether `askwell train` deploys this policy if it has no target to label on: the default, with its fallback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyComparison:
    """All rows, on the same queries."""

    rows: tuple[PolicyRow, ...]
    headroom: Headroom
    queries: int
    prompts: int
    left_out: int
    """Queries on which the baseline prompt of their fold was never tried."""
    folds: int

    @property
    def deployed(self) -> PolicyRow:
        """Return the row of the default policy."""
        return next(row for row in self.rows if row.is_deployed)


def compare_policies(
    table: OutcomeTable,
    *,
    seed: int,
    scorers: Sequence[str] = SCORERS,
    folds: int = 5,
    level: float = 0.95,
    show: Callable[[str], None] = lambda _: None,
) -> PolicyComparison:
    """Score all baselines and scorers by cross-validation over the table's queries.

    `show` is called with the name of the policy that is fitted next. Raises `DataError` for fewer than `MIN_QUERIES`
    queries, or if no two prompts were tried on the same query; `ConfigError` for an unknown scorer.
    """
    if len(table.queries) < MIN_QUERIES:
        raise DataError(
            f"{len(table.queries)} queries were logged; a comparison on unseen queries needs {MIN_QUERIES} or more"
        )
    headroom = measure_headroom(table, seed=seed, level=level)
    selectors: dict[str, _Select] = {name: _select_by(name, seed) for name in scorers}
    selectors[f"{DEFAULT_SCORER}, guarded"] = lambda training, baseline, queries: np.array(
        fit_selection(training, seed=seed, baseline=baseline).select_columns(queries)
    )
    held_out = _hold_out(table, folds, seed)
    rows: list[PolicyRow] = []
    for name, select in selectors.items():
        show(name)
        rows.append(_score(name, table, held_out, select, level))
    baselines = _score_baselines(table, held_out, level)
    kept = held_out.counted
    return PolicyComparison(
        rows=(*baselines, *rows[:-1], replace(rows[-1], is_deployed=True)),
        headroom=headroom,
        queries=int(kept.sum()),
        prompts=len(table.prompts),
        left_out=int((~kept).sum()),
        folds=len(held_out.parts),
    )


_Select = Callable[[OutcomeTable, int, Sequence[str]], Ints]
"""(training table, its baseline column, unseen queries) -> the selected column for each of these queries."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _HeldOut:
    """The folds, and each query's baseline prompt, which was chosen without the query."""

    parts: tuple[tuple[Ints, Ints], ...]
    baseline: Ints
    counted: Bools
    """Whether the baseline prompt was tried on the query."""


def _hold_out(table: OutcomeTable, folds: int, seed: int) -> _HeldOut:
    parts = tuple(split_folds(len(table.queries), folds=folds, seed=seed))
    baseline = np.zeros(len(table.queries), dtype=np.int64)
    for inside, outside in parts:
        baseline[outside] = find_baseline(table.select_rows(inside))
    counted: Bools = table.tried[np.arange(len(baseline)), baseline]
    if int(counted.sum()) < 2:
        raise DataError("the baseline prompt was tried on fewer than two queries; log it on more of them")
    return _HeldOut(parts=parts, baseline=baseline, counted=counted)


def _select_by(name: str, seed: int) -> _Select:
    fit = get_fit(name)

    def select(training: OutcomeTable, baseline: int, queries: Sequence[str]) -> Ints:
        return select_above_margin(
            fit(training, baseline=baseline, seed=seed).advantages(queries), baseline=baseline, margin=0.0
        )

    return select


def _score(name: str, table: OutcomeTable, held_out: _HeldOut, select: _Select, level: float) -> PolicyRow:
    selected = np.zeros(len(table.queries), dtype=np.int64)
    for inside, outside in held_out.parts:
        baseline = int(held_out.baseline[outside[0]])
        selected[outside] = select(table.select_rows(inside), baseline, table.select_rows(outside).queries)
    rows, counted = np.arange(len(selected)), held_out.counted
    logged = table.tried[rows, selected]
    sent = np.where(logged, selected, held_out.baseline)
    rates = np.nan_to_num(table.rates())
    ours, theirs = _floats(rates[rows, sent][counted]), _floats(rates[rows, held_out.baseline][counted])
    return PolicyRow(
        name=name,
        score=mean_interval(ours, level=level),
        gain=paired_difference(ours, theirs, level=level),
        switch_rate=float((selected != held_out.baseline)[counted].mean()),
        unlogged=int((~logged & counted).sum()),
    )


def _score_baselines(table: OutcomeTable, held_out: _HeldOut, level: float) -> list[PolicyRow]:
    """Score the baseline prompt, a random prompt and the best observed prompt, over each query's logged prompts."""
    counted = held_out.counted
    rates, tried = np.nan_to_num(table.rates())[counted], table.tried[counted]
    baseline = _floats(rates[np.arange(len(rates)), held_out.baseline[counted]])
    random = _floats(np.where(tried, rates, 0.0).sum(axis=1) / tried.sum(axis=1))
    oracle = _floats(np.where(tried, rates, 0.0).max(axis=1))
    return [
        PolicyRow(name=BASELINE, score=mean_interval(baseline, level=level), gain=None, switch_rate=0.0),
        PolicyRow(
            name=RANDOM, score=mean_interval(random, level=level), gain=paired_difference(random, baseline, level=level)
        ),
        PolicyRow(name=ORACLE, score=mean_interval(oracle, level=level), gain=None),
    ]


def _floats(values: Floats) -> list[float]:
    return [min(max(float(value), 0.0), 1.0) for value in values]

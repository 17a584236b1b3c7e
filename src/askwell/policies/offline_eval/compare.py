"""Every way to send prompts on the same logged outcomes: one table, cross-validated over queries, no call paid.

    found = compare(table, seed=0)
    found.rows            # static, random, oracle, each scorer, the guarded default
    found.headroom        # what is to be had once luck is taken out

For each fold the static prompt, the scorer and (for the guarded default) the margin are chosen on the other folds'
queries alone. A pick that the log has no outcome of counts as the static prompt; a query on which that was never tried
is left out of all rows, so that every row is about the same queries.
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
"""Scorers that are compared unless others are named."""

BASELINE = "baseline prompt"
RANDOM = "random prompt"
ORACLE = "naive oracle"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One way to send prompts, scored on queries that it was not learnt from; scores are 0..1."""

    name: str
    score: Interval
    gain: Interval | None
    """Over the static prompt, paired by query; None for the static prompt and for the oracle, whose gain is luck."""
    switch_rate: float | None = None
    """Share of the queries that get another prompt than the static one; None where that has no meaning."""
    unlogged: int = 0
    """Picks that the log has no outcome of, counted as the static prompt."""
    is_deployed: bool = False
    """Whether this is what `askwell train` deploys where nothing can be labelled: the guarded default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyComparison:
    """All rows, on the same queries."""

    rows: tuple[PolicyRow, ...]
    headroom: Headroom
    queries: int
    prompts: int
    left_out: int
    """Queries on which the static prompt of their fold was never tried."""
    folds: int

    @property
    def deployed(self) -> PolicyRow:
        """The guarded default."""
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

    `show` is told the name of what is fitted next. Raises `DataError` for fewer than `MIN_QUERIES` queries or no two
    prompts that were tried on the same one, `ConfigError` for an unknown scorer.
    """
    if len(table.queries) < MIN_QUERIES:
        raise DataError(
            f"{len(table.queries)} queries were logged; a comparison on unseen queries needs {MIN_QUERIES} or more"
        )
    room = measure_headroom(table, seed=seed, level=level)
    ways: dict[str, _Picks] = {name: _scored_by(name, seed) for name in scorers}
    ways[f"{DEFAULT_SCORER}, guarded"] = lambda learnt, baseline, queries: np.array(
        fit_selection(learnt, seed=seed, baseline=baseline).select_columns(queries)
    )
    held_out = _held_out(table, folds, seed)
    rows: list[PolicyRow] = []
    for name, picks in ways.items():
        show(name)
        rows.append(_row(name, table, held_out, picks, level))
    baselines = _baselines(table, held_out, level)
    kept = held_out.known
    return PolicyComparison(
        rows=(*baselines, *rows[:-1], replace(rows[-1], is_deployed=True)),
        headroom=room,
        queries=int(kept.sum()),
        prompts=len(table.prompts),
        left_out=int((~kept).sum()),
        folds=len(held_out.parts),
    )


_Picks = Callable[[OutcomeTable, int, Sequence[str]], Ints]
"""(what may be learnt from, its static prompt, unseen queries) -> a column for each of these."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _HeldOut:
    """The folds, and each query's static prompt: the one chosen without it."""

    parts: tuple[tuple[Ints, Ints], ...]
    baseline: Ints
    known: Bools
    """Whether the static prompt was tried on the query."""


def _held_out(table: OutcomeTable, folds: int, seed: int) -> _HeldOut:
    parts = tuple(split_folds(len(table.queries), folds=folds, seed=seed))
    baseline = np.zeros(len(table.queries), dtype=np.int64)
    for inside, outside in parts:
        baseline[outside] = find_baseline(table.select_rows(inside))
    known: Bools = table.tried[np.arange(len(baseline)), baseline]
    if int(known.sum()) < 2:
        raise DataError("the best static prompt was tried on fewer than two queries; log it on more of them")
    return _HeldOut(parts=parts, baseline=baseline, known=known)


def _scored_by(name: str, seed: int) -> _Picks:
    fit = get_fit(name)

    def picks(learnt: OutcomeTable, baseline: int, queries: Sequence[str]) -> Ints:
        return select_above_margin(
            fit(learnt, baseline=baseline, seed=seed).advantages(queries), baseline=baseline, margin=0.0
        )

    return picks


def _row(name: str, table: OutcomeTable, held_out: _HeldOut, picks: _Picks, level: float) -> PolicyRow:
    chosen = np.zeros(len(table.queries), dtype=np.int64)
    for inside, outside in held_out.parts:
        baseline = int(held_out.baseline[outside[0]])
        chosen[outside] = picks(table.select_rows(inside), baseline, table.select_rows(outside).queries)
    at, known = np.arange(len(chosen)), held_out.known
    logged = table.tried[at, chosen]
    sent = np.where(logged, chosen, held_out.baseline)
    rates = np.nan_to_num(table.rates())
    ours, theirs = _floats(rates[at, sent][known]), _floats(rates[at, held_out.baseline][known])
    return PolicyRow(
        name=name,
        score=mean_interval(ours, level=level),
        gain=paired_difference(ours, theirs, level=level),
        switch_rate=float((chosen != held_out.baseline)[known].mean()),
        unlogged=int((~logged & known).sum()),
    )


def _baselines(table: OutcomeTable, held_out: _HeldOut, level: float) -> list[PolicyRow]:
    """The static prompt, a prompt at random, and the best observed one: over each query's logged prompts."""
    known = held_out.known
    rates, tried = np.nan_to_num(table.rates())[known], table.tried[known]
    baseline = _floats(rates[np.arange(len(rates)), held_out.baseline[known]])
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

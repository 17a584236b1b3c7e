"""How much a perfect choice of prompt for each query could add to the best single prompt: measured before training.

The naive oracle (best observed prompt per query) is mostly sampling luck: the best of six coin flips is usually heads.
With repeated draws the luck is taken out by *cross-fitting*: for every query one draw of each prompt is put aside, a
prompt is picked from the rest by its shrunken rate, and the pick is scored on the draw put aside. That is unbiased for
what a chooser who had seen this query's other draws would get, so it bounds what a policy that has never seen the query
can hope for. Without repeats only bounds under a model exist, and `method` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from askwell.core.errors import DataError
from askwell.core.stats import Interval, mean_interval, paired_difference
from askwell.policies.data.arrays import Floats, np
from askwell.policies.data.noise import predict_rates
from askwell.policies.data.table import OutcomeTable, find_baseline
from askwell.policies.offline_eval.chance_oracle import simulate_chance_oracle
from askwell.policies.offline_eval.variance_components import VarianceShares, estimate_variance_shares

Method = Literal["repeats", "model"]

MIN_REPEATED_QUERIES = 20
"""Fewer queries with repeats than this, and the bounds under a model are given instead."""

MIN_GAIN = 0.01
"""Gain below which a query-level policy isn't worth its upkeep: one point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Noise-corrected gain of a per-query choice over the static prompt, 0..1."""

    estimate: float
    low: float
    high: float
    n: int
    """Queries behind it."""
    prompts: int
    """Prompts that could be chosen: with repeats, those drawn twice or more on at least half of the queries."""
    kind: Literal["interval", "bounds"]
    """`bounds`: from "all of it is luck" to "none is", with an estimate under a model; not a confidence interval."""

    def __str__(self) -> str:
        return f"{100 * self.estimate:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """What choosing a prompt for each query can bring over the best single prompt; scores are 0..1."""

    queries: int
    prompts: int
    baseline_prompt: str
    baseline: Interval
    naive_oracle: float
    """Mean over queries of the best observed rate. Flattered by luck; for comparison only."""
    method: Method
    gain: Gain
    corrected_oracle: float
    """Score of the cross-fitted pick (`repeats`), or static + the estimate under the model (`model`)."""
    shares: VarianceShares
    is_worthwhile: bool
    verdict: str
    """One sentence: is a query-level policy worth training here?"""


def measure_headroom(table: OutcomeTable, *, seed: int, rounds: int = 60, level: float = 0.95) -> Headroom:
    """Measure headroom; `rounds` is how often draws are put aside at random. Raises `DataError` for no complete query.

    Queries on which a prompt of the table was never tried are left out: a maximum over fewer is another question.
    """
    full = table.select_rows(np.flatnonzero(table.tried.all(axis=1)))
    if not full.queries or len(full.prompts) < 2:
        raise DataError(
            f"{len(full.queries)} queries were tried with all of {len(full.prompts)} prompts: headroom needs at least "
            "one query and two prompts; leave out prompts that were tried on few queries (table_of(min_queries=))"
        )
    best, rates = find_baseline(full), full.rates()
    baseline = mean_interval(rates[:, best].tolist(), level=level)
    measured = _repeated(full)
    enough = len(measured.queries) >= MIN_REPEATED_QUERIES and len(measured.prompts) >= 2
    method: Method = "repeats" if enough else "model"
    gain = _cross_fitted(measured, seed, rounds, level) if enough else _bounds(full, best, seed)
    worth = gain.low > 0.0 and gain.estimate >= MIN_GAIN
    return Headroom(
        queries=len(full.queries),
        prompts=len(full.prompts),
        baseline_prompt=full.prompts[best],
        baseline=baseline,
        naive_oracle=float(rates.max(axis=1).mean()),
        method=method,
        gain=gain,
        corrected_oracle=baseline.estimate + gain.estimate,
        shares=estimate_variance_shares(full),
        is_worthwhile=worth,
        verdict=_verdict(gain, worth=worth),
    )


def _repeated(table: OutcomeTable) -> OutcomeTable:
    """The queries with two draws or more of at least two prompts, and the prompts that have them on half of those."""
    repeated = table.repeats >= 2
    rows = np.flatnonzero(repeated.sum(axis=1) >= 2)
    columns = np.flatnonzero(repeated[rows].mean(axis=0) >= 0.5) if rows.size else rows
    part = table.select_rows(rows)
    return OutcomeTable(
        queries=part.queries,
        prompts=tuple(table.prompts[place] for place in columns),
        totals=part.totals[:, columns],
        repeats=part.repeats[:, columns],
    )


def _cross_fitted(table: OutcomeTable, seed: int, rounds: int, level: float) -> Gain:
    """Gain of the cross-fitted pick over the static prompt on the draws put aside, paired by query.

    Where a query has a single draw of a prompt, nothing is left of it once that is put aside: it can't be picked there.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(len(table.queries))
    picked, fixed = np.zeros(len(rows)), np.zeros(len(rows))
    deals = int(np.median(table.repeats[table.repeats >= 2]))
    passes = max(1, round(rounds / deals))
    for aside in (aside for _ in range(passes) for aside in _dealt(table, deals, rng)):
        rest = OutcomeTable(
            queries=table.queries, prompts=table.prompts, totals=table.totals - aside, repeats=table.repeats - 1
        )
        seen = rest.repeats > 0
        baseline = find_baseline(rest)
        pick = np.where(seen, predict_rates(rest), -np.inf).argmax(axis=1)
        picked += aside[rows, pick] / (passes * deals)
        fixed += aside[rows, baseline] / (passes * deals)
    found = paired_difference(picked.tolist(), fixed.tolist(), method="t", level=level)
    return Gain(
        estimate=found.estimate, low=found.low, high=found.high, n=found.n, prompts=len(table.prompts), kind="interval"
    )


def _dealt(table: OutcomeTable, deals: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Put every cell's draws in a random order and deal them out one by one, round and round.

    Dealing without replacement makes the scores of a fixed prompt add up to its rate, so that little chance is added to
    what the draws themselves hold. A cell with a fractional score is dealt its mean.
    """
    most = int(table.repeats.max())
    places = np.arange(most)
    keys = rng.random((*table.repeats.shape, most))
    keys[places >= table.repeats[..., None]] = np.inf  # after the last draw of the cell
    right = np.argsort(keys, axis=-1) < table.totals[..., None]
    rates, whole = table.rates(), table.totals == np.round(table.totals)
    for deal in range(deals):
        at = (deal % np.maximum(table.repeats, 1)).astype(np.int64)
        drawn = np.take_along_axis(right, at[..., None], axis=-1)[..., 0]
        yield np.where(whole, drawn.astype(np.float64), rates)


def _bounds(table: OutcomeTable, best: int, seed: int) -> Gain:
    """Bounds without repeats: from 0 (all of it luck) to the naive gain (none of it luck).

    One 0/1 draw a cell can't say more: a rate that varies between queries and a coin's two sides look the same.
    The estimate is the naive gain less what luck alone would bring under the Rasch model (`chance_oracle`).
    """
    rates = table.rates()
    baseline = float(rates[:, best].mean())
    naive = float(rates.max(axis=1).mean()) - baseline
    luck = simulate_chance_oracle(table, seed=seed) - baseline
    return Gain(
        estimate=max(naive - max(luck, 0.0), 0.0),
        low=0.0,
        high=naive,
        n=len(table.queries),
        prompts=len(table.prompts),
        kind="bounds",
    )


def _verdict(gain: Gain, *, worth: bool) -> str:
    if gain.kind == "bounds":
        if gain.high < MIN_GAIN:
            return f"No: one prompt is enough here; even the naive oracle adds only {100 * gain.high:.1f} points."
        return (
            f"Undecided: without repeated draws the gain is anywhere from 0 to {100 * gain.high:.1f} points "
            f"({100 * gain.estimate:.1f} more than luck alone would show); draw some pairs again, and measure."
        )
    if worth:
        return f"Yes: a query-level policy is worth training here, with {gain} points of gain beyond luck to be had."
    if gain.high < MIN_GAIN:
        return f"No: one prompt is enough here; a per-query choice gains {gain} points once luck is taken out."
    return f"Not yet shown: a per-query choice gains {gain} points once luck is taken out; log more queries first."

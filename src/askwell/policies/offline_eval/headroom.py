"""Headroom: how much a perfect choice of prompt for each query could add to the baseline prompt, before any training.

The score of the naive oracle (best observed prompt per query) is mostly sampling noise: the best of six coin flips is
usually heads. With repeats the noise is removed by *cross-fitting*. For every query one sample of each prompt is held
out, a prompt is selected by its shrunken rate on the other samples, and it is scored on the held-out sample. That is an
unbiased estimate for a selector that has seen the query's other samples, and so an upper bound for a policy that has
not seen the query. Without repeats there are only bounds under a model; `method` is then "model".
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
"""With fewer queries with repeats, the bounds under a model are returned instead."""

MIN_GAIN = 0.01
"""Least gain for which a query-level policy is worth its maintenance: one point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Noise-corrected gain of per-query selection over the baseline prompt, 0..1."""

    estimate: float
    low: float
    high: float
    n: int
    """Queries on which it was measured."""
    prompts: int
    """Prompts that could be selected; with `repeats`, those with two samples or more on half of the queries."""
    kind: Literal["interval", "bounds"]
    """`bounds`: from "all of it is noise" to "none is", with an estimate under a model; not a confidence interval."""

    def __str__(self) -> str:
        return f"{100 * self.estimate:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """The possible gain of per-query selection over the baseline prompt; scores are 0..1."""

    queries: int
    prompts: int
    baseline_prompt: str
    baseline: Interval
    naive_oracle: float
    """Mean over queries of the best observed rate. Inflated by sampling noise; for comparison only."""
    method: Method
    gain: Gain
    corrected_oracle: float
    """Baseline score + estimated gain: cross-fitted (`repeats`), or under the model (`model`)."""
    shares: VarianceShares
    is_worthwhile: bool
    verdict: str
    """One sentence: whether a query-level policy is worth training on these data."""


def measure_headroom(table: OutcomeTable, *, seed: int, rounds: int = 60, level: float = 0.95) -> Headroom:
    """Measure headroom; `rounds` is about how often samples are held out at random.

    Queries on which a prompt of the table was never tried are left out: a maximum over fewer prompts is not comparable.
    Raises `DataError` if no query was tried with all prompts.
    """
    full = table.select_rows(np.flatnonzero(table.tried.all(axis=1)))
    if not full.queries or len(full.prompts) < 2:
        raise DataError(
            f"{len(full.queries)} queries were tried with all of {len(full.prompts)} prompts: headroom needs at least "
            "one query and two prompts; leave out prompts that were tried on few queries (build_table(min_queries=))"
        )
    best, rates = find_baseline(full), full.rates()
    baseline = mean_interval(rates[:, best].tolist(), level=level)
    measured = _select_repeated(full)
    enough = len(measured.queries) >= MIN_REPEATED_QUERIES and len(measured.prompts) >= 2
    method: Method = "repeats" if enough else "model"
    gain = _cross_fit(measured, seed, rounds, level) if enough else _compute_bounds(full, best, seed)
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
        verdict=_format_verdict(gain, worth=worth),
    )


def _select_repeated(table: OutcomeTable) -> OutcomeTable:
    """Keep the queries with repeats of two prompts or more, and the prompts with repeats on at least half of these."""
    repeated = table.repeats >= 2
    rows = np.flatnonzero(repeated.sum(axis=1) >= 2)
    columns = np.flatnonzero(repeated[rows].mean(axis=0) >= 0.5) if rows.size else rows
    part = table.select_rows(rows)
    return OutcomeTable(
        queries=part.queries,
        prompts=tuple(table.prompts[column] for column in columns),
        totals=part.totals[:, columns],
        repeats=part.repeats[:, columns],
    )


def _cross_fit(table: OutcomeTable, seed: int, rounds: int, level: float) -> Gain:
    """Measure the gain of cross-fitted selection over the baseline prompt on held-out samples, paired by query.

    A prompt with a single sample on a query has none left once it is held out, so it can't be selected there.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(len(table.queries))
    selected, fixed = np.zeros(len(rows)), np.zeros(len(rows))
    samples = int(np.median(table.repeats[table.repeats >= 2]))
    passes = max(1, round(rounds / samples))
    for held_out in (scores for _ in range(passes) for scores in _hold_out(table, samples, rng)):
        rest = OutcomeTable(
            queries=table.queries, prompts=table.prompts, totals=table.totals - held_out, repeats=table.repeats - 1
        )
        baseline = find_baseline(rest)
        columns = np.where(rest.tried, predict_rates(rest), -np.inf).argmax(axis=1)
        selected += held_out[rows, columns] / (passes * samples)
        fixed += held_out[rows, baseline] / (passes * samples)
    difference = paired_difference(selected.tolist(), fixed.tolist(), method="t", level=level)
    return Gain(
        estimate=difference.estimate,
        low=difference.low,
        high=difference.high,
        n=difference.n,
        prompts=len(table.prompts),
        kind="interval",
    )


def _hold_out(table: OutcomeTable, samples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Shuffle each pair's samples, and yield the scores of one sample per pair, `samples` times, cyclically.

    Sampling without replacement makes the scores of a fixed prompt add up to its rate, so that it adds little noise to
    that of the samples themselves. A pair with a fractional total yields its mean.
    """
    most = int(table.repeats.max())
    keys = rng.random((*table.repeats.shape, most))
    keys[np.arange(most) >= table.repeats[..., None]] = np.inf  # sorts after the last sample of the pair
    right = np.argsort(keys, axis=-1) < table.totals[..., None]
    rates, whole = table.rates(), table.totals == np.round(table.totals)
    for number in range(samples):
        index = (number % np.maximum(table.repeats, 1)).astype(np.int64)
        scores = np.take_along_axis(right, index[..., None], axis=-1)[..., 0]
        yield np.where(whole, scores.astype(np.float64), rates)


def _compute_bounds(table: OutcomeTable, best: int, seed: int) -> Gain:
    """Return bounds without repeats: from 0 (all of it is noise) to the naive gain (none of it is).

    One 0/1 sample per pair gives no more: a rate that varies between queries and coin flips look the same. The estimate
    is the naive gain minus the gain of the chance oracle (`simulate_chance_oracle`).
    """
    rates = table.rates()
    baseline = float(rates[:, best].mean())
    naive = float(rates.max(axis=1).mean()) - baseline
    chance = simulate_chance_oracle(table, seed=seed) - baseline
    return Gain(
        estimate=max(naive - max(chance, 0.0), 0.0),
        low=0.0,
        high=naive,
        n=len(table.queries),
        prompts=len(table.prompts),
        kind="bounds",
    )


def _format_verdict(gain: Gain, *, worth: bool) -> str:
    """Format the closing sentence; a training logs it, so its wording is part of the log."""
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

"""Estimate a policy's score from logged outcomes alone, before any target call is paid for it.

    estimates = estimate_off_policy(table, policy.prompts_for(table.queries), seed=0)
    estimates.doubly_robust              # the one to read; direct and ips show where it comes from

Three estimators (Dudík, Langford & Li 2011). A query is *matched* if the log has an outcome of the policy's prompt.

* *Direct*: the mean of a model of the outcomes, fitted without the query it predicts. All its odds are multiplied by
  one factor, so that its mean is right on matched queries (targeting: van der Laan & Rubin 2006). Without the factor it
  may be far off, most of all on the policy's prompts: it is fitted to few outcomes and shrinks towards the average.
* *IPS*: the logged outcomes on matched queries, weighted by 1 / the probability that each was logged (self-normalised:
  Swaminathan & Joachims 2015).
* *Doubly robust*: the mean of the model without the factor, plus its mean error on matched queries. It is right if the
  model or the propensities are.

The policy must not have been trained on the table's queries. Intervals are a bootstrap over queries, and at least as
wide as Jeffreys' for as many logged answers to the policy's prompts: if all of 24 answers are right, a bootstrap
interval has width 0; without any answer the interval is 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from askwell.core.errors import DataError
from askwell.core.stats import jeffreys_bounds
from askwell.core.types import Prompt
from askwell.policies.data.arrays import Floats, Ints, np
from askwell.policies.data.folds import split_folds
from askwell.policies.data.table import OutcomeTable, find_baseline
from askwell.policies.selection.registry import get_fit

Estimator = Literal["direct", "ips", "doubly-robust"]

RESAMPLES = 2_000
CHUNKS = 20
"""Resamples are drawn in chunks, to bound the memory: each has queries x resamples numbers."""
BISECTIONS = 30
"""They find the shift of the log-odds to 2 * MAX_SHIFT / 2³⁰."""
MIN_MATCHED = 10
"""IPS needs at least this many queries on which the policy's prompt was logged."""
MIN_PROBABILITY = 0.02
"""The model's probabilities are clipped to this distance from 0 and 1 before their odds are multiplied."""
MAX_SHIFT = 8.0
"""Largest shift of the log-odds: if every logged answer is right, no finite shift is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimated mean score, 0..1, with its bootstrap interval over queries."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPolicyEstimate:
    """All three estimates of one policy on one table."""

    direct: Estimate
    ips: Estimate | None
    """None if the policy's prompt was logged on fewer than `MIN_MATCHED` queries."""
    doubly_robust: Estimate
    queries: int
    matched: float
    """Share of the queries on which the policy's prompt was logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """One entry per query: the model's prediction for the policy's prompt, and its weighted logged outcome."""

    model: Floats
    weight: Floats
    reward: Floats
    """Weight times logged outcome."""
    residual: Floats
    """Weight times (outcome - model)."""


def estimate_off_policy(
    table: OutcomeTable,
    prompts: Sequence[Prompt] | Sequence[str],
    *,
    propensities: Floats | None = None,
    scorer: str = "multitask",
    seed: int,
    level: float = 0.95,
    folds: int = 5,
) -> OffPolicyEstimate:
    """Estimate the mean score of sending `prompts` (one for each of the table's queries, in order).

    `propensities` (queries, prompts) are the probabilities that each pair was logged, if they are known; otherwise all
    logged prompts of a query count as equally likely. A query without a logged outcome of the policy's prompt enters by
    the model alone. Raises `DataError` for a prompt that the table does not have.
    """
    columns = _find_columns(table, prompts)
    rows = _build_rows(table, columns, _predict_scores(table, scorer=scorer, seed=seed, folds=folds), propensities)
    matched = int((rows.weight > 0).sum())
    return OffPolicyEstimate(
        direct=_estimate("direct", rows, seed, level),
        ips=_estimate("ips", rows, seed, level) if matched >= MIN_MATCHED else None,
        doubly_robust=_estimate("doubly-robust", rows, seed, level),
        queries=len(columns),
        matched=matched / len(columns),
    )


def _find_columns(table: OutcomeTable, prompts: Sequence[Prompt] | Sequence[str]) -> Ints:
    if len(prompts) != len(table.queries):
        raise DataError(
            f"{len(prompts)} prompts for {len(table.queries)} queries: expected one per query, in their order"
        )
    column_of = {prompt: column for column, prompt in enumerate(table.prompts)}
    texts = [prompt.instruction if isinstance(prompt, Prompt) else prompt for prompt in prompts]
    unknown = [text for text in texts if text not in column_of]
    if unknown:
        raise DataError(
            f"{len(unknown)} prompts are not among the {len(column_of)} logged ones, such as {unknown[0]!r}: the "
            "log has no outcome of them; label some on the target"
        )
    return np.array([column_of[text] for text in texts], dtype=np.int64)


def _predict_scores(table: OutcomeTable, *, scorer: str, seed: int, folds: int) -> Floats:
    """Predict the score of every pair by a model fitted without its query."""
    fit, rates = get_fit(scorer), np.zeros(table.totals.shape)
    for inside, outside in split_folds(len(table.queries), folds=folds, seed=seed):
        training = table.select_rows(inside)
        baseline = find_baseline(training)
        mean = float(training.prompt_means()[baseline])
        fitted = fit(training, baseline=baseline, seed=seed)
        rates[outside] = mean + fitted.advantages(table.select_rows(outside).queries)
    return np.clip(rates, 0.0, 1.0)


def _build_rows(table: OutcomeTable, columns: Ints, model: Floats, propensities: Floats | None) -> _Rows:
    numbers = np.arange(len(columns))
    logged = table.tried[numbers, columns]
    rewards = np.where(logged, np.nan_to_num(table.rates()[numbers, columns]), 0.0)
    expected = model[numbers, columns]
    weight = logged.astype(float)
    if propensities is not None:
        given = propensities[numbers, columns]
        if bool((given[logged] <= 0.0).any()) or bool((given[logged] > 1.0).any()):
            raise DataError(
                "a propensity of a logged pair is 0 or outside 0..1; expected the probability that it was logged"
            )
        weight = np.where(logged, 1.0 / np.where(logged, given, 1.0), 0.0)
    return _Rows(model=expected, weight=weight, reward=weight * rewards, residual=weight * (rewards - expected))


def _estimate(name: Estimator, rows: _Rows, seed: int, level: float) -> Estimate:
    """Return the estimate, and its percentiles over bootstrap resamples of the queries."""
    n = len(rows.model)
    rng = np.random.default_rng(seed)
    values = np.concatenate(
        [_compute(name, rows, rng.integers(0, n, size=(RESAMPLES // CHUNKS, n))) for _ in range(CHUNKS)]
    )
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]).tolist()
    value = min(max(float(_compute(name, rows, np.arange(n)[None, :])[0]), 0.0), 1.0)
    floor_low, floor_high = jeffreys_bounds(value, _count_answers(rows), level)
    return Estimate(value=value, low=max(0.0, min(low, floor_low)), high=min(1.0, max(high, floor_high)))


def _count_answers(rows: _Rows) -> float:
    """Count the logged answers to the policy's prompts (Kish's effective number, if weights differ)."""
    return float(rows.weight.sum()) ** 2 / max(float((rows.weight**2).sum()), 1e-300)


def _compute(name: Estimator, rows: _Rows, resamples: Ints) -> Floats:
    """Return the estimate of each resample (a line of query numbers); the model's mean if it has no logged outcome."""
    if name == "direct":
        return _compute_direct(rows, resamples)
    direct: Floats = rows.model[resamples].mean(axis=1)
    weights: Floats = rows.weight[resamples].sum(axis=1)
    safe = np.where(weights > 0, weights, 1.0)
    if name == "ips":
        return np.where(weights > 0, rows.reward[resamples].sum(axis=1) / safe, direct)
    return direct + rows.residual[resamples].sum(axis=1) / safe


def _compute_direct(rows: _Rows, resamples: Ints) -> Floats:
    """Return the mean of the model, its log-odds shifted (by bisection) until it predicts the logged rewards."""
    probabilities = np.clip(rows.model, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    log_odds, weights, rewards = (
        np.log(probabilities / (1 - probabilities))[resamples],
        rows.weight[resamples],
        rows.reward[resamples].sum(axis=1),
    )
    low = np.where(weights.any(axis=1), -MAX_SHIFT, 0.0)
    high = -low
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        is_low = (weights * _shift(log_odds, middle)).sum(axis=1) < rewards
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    means: Floats = _shift(log_odds, (low + high) / 2).mean(axis=1)
    return means


def _shift(log_odds: Floats, shift: Floats) -> Floats:
    """Return probabilities from log-odds plus one shift per resample."""
    return 1.0 / (1.0 + np.exp(-log_odds - shift[:, None]))

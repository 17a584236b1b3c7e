"""What a policy would score, estimated from logged outcomes alone: before any target call is paid for it.

    found = off_policy(table, policy.prompts_for(table.queries), seed=0)
    found.doubly_robust                  # the one to read; direct and ips show where it comes from

Three estimators (Dudík, Langford & Li 2011). *Direct*: a model of the outcomes, fitted without the query it is asked
about, its odds all moved by one factor so that it is right on average where log and policy agree (targeting: van der
Laan & Rubin 2006). Unmoved it may be far off, on the policy's prompts most of all: it has seen few outcomes and shrinks
towards the average, and the policy was learnt from others. *IPS*: the logged outcomes where log and policy agree,
weighted by how likely each was to be logged (self-normalised: Swaminathan & Joachims 2015). *Doubly robust*: the model
as it is, plus what it gets wrong on average where log and policy agree; right where either model or propensities are.

The policy must not have been learnt from the table's queries. Intervals are a bootstrap over queries, and never
narrower than Jeffreys' for as many logged answers to the policy's prompts: where all of 24 are right, a bootstrap alone
would be sure; where there are none, nothing is known.
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
BISECTIONS = 30
MIN_MATCHED = 10
"""Queries whose logged prompts hold the policy's own, at least; with fewer there is no IPS."""
MIN_PROBABILITY = 0.02
"""The model's chances are kept this far from 0 and 1 before their odds are moved."""
MAX_SHIFT = 8.0
"""Most by which log-odds are moved: where every logged answer is right, no move is enough."""


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
    """None where the log and the policy agree on fewer than `MIN_MATCHED` queries."""
    doubly_robust: Estimate
    queries: int
    matched: float
    """Share of the queries on which the policy's prompt was logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """A query each: what the model says of the policy's prompt, and the weighted outcomes that bear on it."""

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

    `propensities` (queries, prompts) holds the chance of each logged pair to be logged for its query, where the logger
    knew it; without them a query's logged prompts count as equally likely, and a query whose log lacks the policy's
    prompt is one the model alone speaks for. Raises `DataError` where a prompt isn't one of the table's.
    """
    picks = _picks(table, prompts)
    rows = _rows(table, picks, _modelled(table, scorer=scorer, seed=seed, folds=folds), propensities)
    matched = int((rows.weight > 0).sum())
    return OffPolicyEstimate(
        direct=_estimate("direct", rows, seed, level),
        ips=_estimate("ips", rows, seed, level) if matched >= MIN_MATCHED else None,
        doubly_robust=_estimate("doubly-robust", rows, seed, level),
        queries=len(picks),
        matched=matched / len(picks),
    )


def _picks(table: OutcomeTable, prompts: Sequence[Prompt] | Sequence[str]) -> Ints:
    if len(prompts) != len(table.queries):
        raise DataError(f"{len(prompts)} prompts for {len(table.queries)} queries: expected one each, in their order")
    place = {prompt: column for column, prompt in enumerate(table.prompts)}
    texts = [one.instruction if isinstance(one, Prompt) else one for one in prompts]
    unknown = [text for text in texts if text not in place]
    if unknown:
        raise DataError(
            f"{len(unknown)} prompts are not among the {len(place)} logged ones, such as {unknown[0]!r}: nothing in "
            "the log speaks for them; label some on the target"
        )
    return np.array([place[text] for text in texts], dtype=np.int64)


def _modelled(table: OutcomeTable, *, scorer: str, seed: int, folds: int) -> Floats:
    """Expected score of every pair by a model fitted without its query."""
    fit, found = get_fit(scorer), np.zeros(table.totals.shape)
    for inside, outside in split_folds(len(table.queries), folds=folds, seed=seed):
        learnt = table.select_rows(inside)
        baseline = find_baseline(learnt)
        level = float(learnt.prompt_means()[baseline])
        found[outside] = level + fit(learnt, baseline=baseline, seed=seed).advantages(
            table.select_rows(outside).queries
        )
    return np.clip(found, 0.0, 1.0)


def _rows(table: OutcomeTable, picks: Ints, model: Floats, propensities: Floats | None) -> _Rows:
    at = np.arange(len(picks))
    logged = table.tried[at, picks]
    rewards = np.where(logged, np.nan_to_num(table.rates()[at, picks]), 0.0)
    expected = model[at, picks]
    weight = logged.astype(float)
    if propensities is not None:
        given = propensities[at, picks]
        if bool((given[logged] <= 0.0).any()) or bool((given[logged] > 1.0).any()):
            raise DataError("a propensity of a logged pair is outside 0..1 (or 0); expected its chance to be logged")
        weight = np.where(logged, 1.0 / np.where(logged, given, 1.0), 0.0)
    return _Rows(model=expected, weight=weight, reward=weight * rewards, residual=weight * (rewards - expected))


def _estimate(name: Estimator, rows: _Rows, seed: int, level: float) -> Estimate:
    """The estimate, and percentiles of it over queries drawn again with replacement."""
    n = len(rows.model)
    rng = np.random.default_rng(seed)
    values = np.concatenate(
        [_values(name, rows, rng.integers(0, n, size=(RESAMPLES // CHUNKS, n))) for _ in range(CHUNKS)]
    )
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]).tolist()
    value = min(max(float(_values(name, rows, np.arange(n)[None, :])[0]), 0.0), 1.0)
    floor_low, floor_high = jeffreys_bounds(value, _answers(rows), level)
    return Estimate(value=value, low=max(0.0, min(low, floor_low)), high=min(1.0, max(high, floor_high)))


def _answers(rows: _Rows) -> float:
    """How many logged answers speak for the policy's prompts (Kish's effective number, for weights that differ)."""
    return float(rows.weight.sum()) ** 2 / max(float((rows.weight**2).sum()), 1e-300)


def _values(name: Estimator, rows: _Rows, repeats: Ints) -> Floats:
    """The estimate of each line of `draws` (query numbers). Weights are self-normalised; where none is, the model's."""
    if name == "direct":
        return _targeted(rows, repeats)
    direct: Floats = rows.model[repeats].mean(axis=1)
    weights: Floats = rows.weight[repeats].sum(axis=1)
    safe = np.where(weights > 0, weights, 1.0)
    if name == "ips":
        return np.where(weights > 0, rows.reward[repeats].sum(axis=1) / safe, direct)
    return direct + rows.residual[repeats].sum(axis=1) / safe


def _targeted(rows: _Rows, repeats: Ints) -> Floats:
    """Mean of the model, its log-odds moved until it expects the rewards that were logged; found by bisection."""
    chances = np.clip(rows.model, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    odds, weights, rewards = (
        np.log(chances / (1 - chances))[repeats],
        rows.weight[repeats],
        rows.reward[repeats].sum(axis=1),
    )
    low = np.where(weights.any(axis=1), -MAX_SHIFT, 0.0)
    high = -low
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        is_low = (weights * _chance(odds, middle)).sum(axis=1) < rewards
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    moved: Floats = _chance(odds, (low + high) / 2).mean(axis=1)
    return moved


def _chance(odds: Floats, moved: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-odds - moved[:, None]))

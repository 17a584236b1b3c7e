from __future__ import annotations

import math

import numpy as np
import pytest

from askwell.core.errors import DataError
from askwell.policies.data.noise import estimate_noise, predict_rates
from askwell.policies.data.outcomes import merge
from askwell.policies.data.shrinkage import fit_prior
from askwell.policies.data.table import OutcomeTable, build_table, find_baseline
from askwell.policies.offline_eval.headroom import measure_headroom
from askwell.policies.offline_eval.variance_components import estimate_variance_shares
from tests.support.policy_worlds import outcomes, phrased, table

RNG = np.random.default_rng(0)


def no_interaction(n: int) -> np.ndarray:
    ease = RNG.uniform(-0.2, 0.2, size=(n, 1))
    return np.array([[0.6, 0.5, 0.4]]) + ease


def test_where_one_prompt_is_enough_the_naive_oracle_lies_and_the_corrected_one_does_not() -> None:
    found = measure_headroom(table(no_interaction(600), repeats=4, seed=1), seed=0)
    assert found.method == "repeats"
    assert found.naive_oracle - found.baseline.estimate > 0.1
    assert found.gain.low <= 0.0
    assert not found.is_worthwhile
    assert "one prompt is enough" in found.verdict or "Not yet shown" in found.verdict


def test_where_queries_differ_the_gain_is_found_and_never_above_the_truth() -> None:
    _, rates = phrased(400, seed=3)
    found = measure_headroom(table(rates, repeats=5, seed=2), seed=0)
    truth = float((rates.max(axis=1) - rates[:, find_baseline(table(rates, repeats=5, seed=2))]).mean())
    assert found.is_worthwhile
    assert found.verdict.startswith("Yes")
    assert 0.5 * truth < found.gain.estimate < truth + 0.03
    assert found.corrected_oracle < found.naive_oracle


def test_cross_fitted_interval_covers_nothing_to_gain() -> None:
    """A/A: with no interaction the interval must not claim a gain more often than it may."""
    claims = sum(
        measure_headroom(table(no_interaction(80), repeats=3, seed=seed), seed=seed, rounds=8).gain.low > 0
        for seed in range(60)
    )
    assert claims <= 5


def test_without_repeats_there_are_only_bounds_and_it_says_so() -> None:
    found = measure_headroom(table(no_interaction(300), repeats=1, seed=4), seed=0)
    assert found.method == "model"
    assert found.gain.kind == "bounds"
    assert found.gain.low == 0.0
    assert found.gain.high == pytest.approx(found.naive_oracle - found.baseline.estimate)
    assert found.gain.estimate < 0.03
    assert found.verdict.startswith("Undecided")
    assert math.isnan(found.shares.interaction)


def test_without_repeats_and_without_any_difference_one_prompt_is_enough() -> None:
    same = np.repeat((np.arange(100) % 2)[:, None], 3, axis=1).astype(float)
    found = measure_headroom(table(same, repeats=1, seed=0), seed=0)
    assert found.verdict.startswith("No")


def test_same_seed_same_answer() -> None:
    data = table(no_interaction(100), repeats=3, seed=5)
    assert measure_headroom(data, seed=1) == measure_headroom(data, seed=1)


def test_headroom_needs_complete_queries_and_two_prompts() -> None:
    with pytest.raises(DataError, match="at least one query and two prompts"):
        measure_headroom(table(np.full((5, 1), 0.5), repeats=2, seed=0), seed=0)


def test_variance_shares_find_the_parts_that_were_put_in() -> None:
    n = 4_000
    rng = np.random.default_rng(7)
    rates = 0.5 + rng.choice([-0.2, 0.2], (n, 1)) + np.array([[-0.1, 0.0, 0.1]]) + rng.choice([-0.1, 0.1], (n, 3))
    found = estimate_variance_shares(table(rates, repeats=4, seed=8))
    total = 0.04 + 0.01 + 0.01 + float((rates * (1 - rates)).mean())
    assert found.query == pytest.approx(0.04 / total, abs=0.02)
    assert found.prompt == pytest.approx(0.01 / total, abs=0.02)
    assert found.interaction == pytest.approx(0.01 / total, abs=0.02)
    assert found.query + found.prompt + found.interaction + found.noise == pytest.approx(1.0)


def test_a_prior_is_recovered_and_shrinks_few_draws_more_than_many() -> None:
    rng = np.random.default_rng(3)
    truth = rng.beta(2.0, 6.0, 3_000)
    repeats = rng.integers(2, 9, 3_000)
    prior = fit_prior(rng.binomial(repeats, truth).astype(float).tolist(), repeats.tolist())
    assert prior.estimated
    assert prior.mean == pytest.approx(0.25, abs=0.02)
    assert prior.a + prior.b == pytest.approx(8.0, rel=0.2)
    assert prior.mean < prior.posterior(2, 2) < prior.posterior(20, 20) < 1.0


def test_shrunken_rates_are_closer_to_the_truth_than_raw_ones() -> None:
    rng = np.random.default_rng(5)
    truth: list[float] = rng.beta(3.0, 3.0, 500).tolist()
    totals = [float(rng.binomial(3, rate)) for rate in truth]
    prior = fit_prior(totals, [3] * len(totals))
    raw = math.fsum((total / 3 - rate) ** 2 for total, rate in zip(totals, truth, strict=True))
    better = math.fsum((prior.posterior(total, 3) - rate) ** 2 for total, rate in zip(totals, truth, strict=True))
    assert better < 0.8 * raw


def test_without_repeats_the_strength_of_a_prior_is_assumed() -> None:
    alone = fit_prior([0.0, 1.0], [1, 1])
    assert not alone.estimated
    assert alone.a + alone.b == 2.0


def test_expected_rates_beat_raw_rates_by_borrowing_between_prompts() -> None:
    _, rates = phrased(500, seed=5)
    data = table(rates, repeats=2, seed=6)
    assert np.mean((predict_rates(data) - rates) ** 2) < 0.7 * np.mean((data.rates() - rates) ** 2)
    assert estimate_noise(data) == pytest.approx((rates * (1 - rates)).mean(axis=0), abs=0.02)


def test_prompts_that_were_drawn_once_do_not_spoil_what_repeats_say() -> None:
    """With their draw put aside nothing is left of them: they can't be picked, nor disturb the others."""
    _, rates = phrased(400, seed=3)
    twice = table(rates, repeats=4, seed=2)
    rng = np.random.default_rng(11)
    once = rng.binomial(1, 0.5, (400, 8)).astype(float)
    mixed = OutcomeTable(
        queries=twice.queries,
        prompts=(*twice.prompts, *(f"once {j}" for j in range(8))),
        totals=np.hstack([twice.totals, once]),
        repeats=np.hstack([twice.repeats, np.ones((400, 8))]),
    )
    alone, beside = measure_headroom(twice, seed=0).gain, measure_headroom(mixed, seed=0).gain
    assert beside.estimate == pytest.approx(alone.estimate, abs=0.03)


def test_tables_are_laid_out_from_cells_and_know_what_is_missing() -> None:
    data = table(np.full((6, 3), 0.5), repeats=2, seed=0)
    rows = outcomes(data)[:-2]
    found = build_table(merge(rows))
    assert found.tried.sum() == 16
    assert np.isnan(found.rates()[5, 1:]).all()
    assert build_table(merge(rows), min_queries=6).prompts == data.prompts[:1]
    with pytest.raises(DataError, match="no prompt was tried on 7 queries"):
        build_table(merge(rows), min_queries=7)


def test_a_prompt_with_one_lucky_query_is_not_the_static_one() -> None:
    repeats = np.ones((50, 2))
    repeats[1:, 1] = 0
    totals = np.column_stack([(np.arange(50) % 5 > 0).astype(float), repeats[:, 1]])
    data = OutcomeTable(queries=tuple(map(str, range(50))), prompts=("a", "b"), totals=totals, repeats=repeats)
    assert find_baseline(data) == 0

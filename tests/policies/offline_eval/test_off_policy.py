from __future__ import annotations

import numpy as np
import pytest

from askwell.core.errors import DataError
from askwell.policies.data.table import OutcomeTable
from askwell.policies.offline_eval.off_policy import estimate_off_policy
from tests.support.policy_worlds import PROMPTS, phrased, table


def logged(n: int, seed: int, *, kept: int = 2) -> tuple[OutcomeTable, np.ndarray]:
    """A log in which each query was tried with `kept` prompts at random, one draw each; and the true rates."""
    queries, rates = phrased(n, seed=seed)
    whole = table(rates, repeats=1, seed=seed, queries=queries)
    rng = np.random.default_rng(1_000 + seed)  # not the draws' own dice
    shown = np.argsort(rng.random(rates.shape), axis=1) < kept
    return OutcomeTable(
        queries=queries, prompts=PROMPTS, totals=whole.totals * shown, repeats=whole.repeats * shown
    ), rates


def fitting(queries: tuple[str, ...]) -> list[str]:
    """A policy learnt elsewhere: the right prompt for each kind."""
    return [PROMPTS[1] if query.startswith("Suppose") else PROMPTS[0] for query in queries]


def test_estimates_are_near_the_truth_and_doubly_robust_covers_it() -> None:
    covered, misses = 0, 0.0
    trials = 12
    for seed in range(trials):
        data, _ = logged(80, seed)
        found = estimate_off_policy(data, fitting(data.queries), seed=seed, scorer="knn")
        assert found.ips is not None
        covered += found.doubly_robust.low <= 0.8 <= found.doubly_robust.high
        misses += (found.doubly_robust.value - 0.8) / trials
    assert covered >= 10
    assert abs(misses) < 0.05


def test_a_bad_model_is_corrected_by_the_log() -> None:
    """The model has seen another world, so direct is wrong; doubly robust and IPS are not."""
    data, _ = logged(300, seed=3)
    always_third = [PROMPTS[2]] * 300
    found = estimate_off_policy(data, always_third, seed=0, scorer="knn")
    assert found.doubly_robust.value == pytest.approx(0.1, abs=0.06)
    assert found.ips is not None
    assert found.ips.value == pytest.approx(0.1, abs=0.06)


def test_the_direct_method_is_set_right_where_log_and_policy_agree() -> None:
    """The model shrinks towards the average; the policy knows better, and a few logged answers to it say so."""
    covered, misses = 0, 0.0
    for seed in range(12):
        data, _ = logged(60, seed)
        found = estimate_off_policy(data, fitting(data.queries), seed=seed, scorer="knn").direct
        covered += found.low <= 0.8 <= found.high
        misses += (found.value - 0.8) / 12
    assert covered >= 10
    assert abs(misses) < 0.05


def test_where_every_logged_answer_is_right_intervals_stay_open_below_and_reach_the_top() -> None:
    queries, rates = phrased(60, seed=1)
    shown = np.argsort(np.random.default_rng(0).random(rates.shape), axis=1) < 2
    right = np.array([[prompt == best for prompt in PROMPTS] for best in fitting(queries)]) * shown
    data = OutcomeTable(
        queries=queries, prompts=PROMPTS, totals=right.astype(np.float64), repeats=shown.astype(np.float64)
    )
    found = estimate_off_policy(data, fitting(queries), seed=0, scorer="knn")
    assert found.ips is not None
    for one in (found.direct, found.ips):
        assert one.high == 1.0
        assert one.value > 0.97
        assert 0.85 < one.low < 0.96


def test_without_a_logged_answer_to_the_policys_prompts_nothing_is_known() -> None:
    data, _ = logged(60, seed=1)
    repeats = data.repeats.copy()
    repeats[:, 2] = 0
    none = OutcomeTable(queries=data.queries, prompts=PROMPTS, totals=data.totals * (repeats > 0), repeats=repeats)
    found = estimate_off_policy(none, [PROMPTS[2]] * 60, seed=0, scorer="knn")
    assert found.matched == 0.0
    for one in (found.direct, found.doubly_robust):
        assert (one.low, one.high) == (0.0, 1.0)


def test_given_propensities_undo_a_log_that_preferred_what_works() -> None:
    rng = np.random.default_rng(1_005)
    queries, rates = phrased(600, seed=5)
    whole = table(rates, repeats=1, seed=5, queries=queries)
    easy = np.array([not query.startswith("Suppose") for query in queries])
    chance = np.where(easy, 0.9, 0.2)[:, None] * np.ones((1, 3))
    shown = rng.random(rates.shape) < chance
    data = OutcomeTable(queries=queries, prompts=PROMPTS, totals=whole.totals * shown, repeats=whole.repeats * shown)
    always = [PROMPTS[0]] * len(queries)
    truth = float(rates[:, 0].mean())
    rows = data.tried.any(axis=1)
    kept = data.select_rows(np.flatnonzero(rows))
    plain = estimate_off_policy(kept, always[: len(kept.queries)], seed=0, scorer="knn")
    given = estimate_off_policy(data, always, seed=0, scorer="knn", propensities=chance)
    assert plain.ips is not None
    assert given.ips is not None
    assert plain.ips.value - truth > 0.05
    assert abs(given.ips.value - truth) < 0.08
    assert given.ips.low < truth < given.ips.high


def test_where_log_and_policy_hardly_agree_only_the_model_speaks() -> None:
    data, _ = logged(60, seed=1)
    repeats = data.repeats.copy()
    repeats[5:, 2] = 0
    few = OutcomeTable(queries=data.queries, prompts=PROMPTS, totals=data.totals * (repeats > 0), repeats=repeats)
    found = estimate_off_policy(few, [PROMPTS[2]] * 60, seed=0, scorer="knn")
    assert found.ips is None
    assert found.matched < 0.1


def test_prompts_that_were_never_logged_can_not_be_estimated() -> None:
    data, _ = logged(30, seed=1)
    with pytest.raises(DataError, match="not among the 3 logged ones"):
        estimate_off_policy(data, ["Sing."] * 30, seed=0)
    with pytest.raises(DataError, match="expected one each"):
        estimate_off_policy(data, [PROMPTS[0]], seed=0)
    with pytest.raises(DataError, match="propensity"):
        estimate_off_policy(data, [PROMPTS[0]] * 30, seed=0, propensities=np.zeros((30, 3)), scorer="knn")


def test_same_seed_same_estimates() -> None:
    data, _ = logged(60, seed=2)
    assert estimate_off_policy(data, fitting(data.queries), seed=1) == estimate_off_policy(
        data, fitting(data.queries), seed=1
    )

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from askwell.core.errors import ConfigError, DataError
from askwell.policies.data.table import OutcomeTable, find_baseline
from askwell.policies.selection.fallback import predict_out_of_fold, select_above_margin, tune_on_table
from askwell.policies.selection.kernel import KernelTerm, fit_kernel, restore_kernel
from askwell.policies.selection.multitask import (
    cross_fit_multitask,
    estimate_covariances,
    find_directions,
    solve_ridges,
)
from askwell.policies.selection.registry import FITS, get_fit
from askwell.policies.selection.selection import fit_selection, load_selection
from askwell.policies.selection.surface_features import extract_surface_facts
from tests.support.policy_worlds import PROMPTS, phrased, table

pytest.importorskip("sklearn")

PHRASED = (KernelTerm(features="word", width=0.4),)
FACTS = KernelTerm(features="surface", width=0.25, multiplies=True)
NAMES = ("multitask", "trees", "knn")
QUERIES, RATES = phrased(160, seed=0)
TRAIN = table(RATES[:120], repeats=3, seed=1, queries=QUERIES[:120])
TEST, TRUTH = QUERIES[120:], RATES[120:]
BASELINE = find_baseline(TRAIN)


def gain(picks: list[int]) -> float:
    rows = np.arange(len(TRUTH))
    return float((TRUTH[rows, picks] - TRUTH[:, BASELINE]).mean())


def test_every_scorer_is_tested_here() -> None:
    assert set(FITS) == set(NAMES)
    with pytest.raises(ConfigError, match="did you mean 'trees'"):
        get_fit("tress")


@pytest.mark.parametrize("name", NAMES)
def test_a_scorer_learns_which_prompt_suits_which_query_and_is_the_same_after_saving(name: str, tmp_path: Path) -> None:
    best = float((TRUTH.max(axis=1) - TRUTH[:, BASELINE]).mean())
    policy = fit_selection(TRAIN, dev=table(TRUTH, repeats=3, seed=3, queries=TEST), scorer=name, seed=0)
    assert policy.baseline == BASELINE
    found = policy.advantages(TEST)
    assert np.all(found[:, BASELINE] == 0.0)
    assert gain(found.argmax(axis=1).tolist()) > 0.8 * best
    policy.save(tmp_path / "policy")
    again = load_selection(tmp_path / "policy")
    assert np.array_equal(again.advantages(TEST), found)
    assert again.prompts_for(TEST) == policy.prompts_for(TEST)
    assert again.fallback == policy.fallback
    assert sorted(path.name for path in (tmp_path / "policy").iterdir()) == ["arrays.npz", "policy.json"]


def test_the_default_serves_prompts_in_order_and_the_same_twice() -> None:
    policy = fit_selection(TRAIN, seed=0)
    prompts = policy.prompts_for(TEST)
    assert [prompt.instruction for prompt in prompts] == [PROMPTS[place] for place in policy.select_columns(TEST)]
    assert policy.prompts_for(list(TEST)[::-1]) == prompts[::-1]
    assert policy.prompts_for([]) == []
    assert gain(policy.select_columns(TEST)) > 0.1
    assert fit_selection(TRAIN, seed=0).select_columns(TEST) == policy.select_columns(TEST)


def test_without_a_possible_gain_the_fallback_keeps_the_baseline_prompt_nearly_always() -> None:
    """The others are worse by 20 and 60 points for every query: a policy that switched at will would lose that."""
    rates = np.array([0.7, 0.5, 0.1])
    losses: list[float] = []
    for seed in range(3):
        data = table(np.repeat(rates[None], 100, axis=0), repeats=2, seed=seed, queries=QUERIES[:100])
        picks = fit_selection(data, seed=seed, scorer="knn").select_columns(TEST)
        losses.append(0.7 - float(rates[picks].mean()))
    assert max(losses) < 0.01


def test_too_little_data_gives_the_baseline_prompt() -> None:
    policy = fit_selection(TRAIN.select_rows(range(10)), seed=0)
    assert policy.scorer is None
    assert math.isinf(policy.fallback.margin)
    assert set(policy.select_columns(TEST)) == {policy.baseline}


def test_pairs_never_tried_are_no_obstacle() -> None:
    rng = np.random.default_rng(0)
    repeats = TRAIN.repeats * (rng.random(TRAIN.repeats.shape) < 0.8)
    sparse = OutcomeTable(
        queries=TRAIN.queries, prompts=TRAIN.prompts, totals=TRAIN.totals * (repeats > 0), repeats=repeats
    )
    assert gain(fit_selection(sparse, seed=0, baseline=BASELINE).select_columns(TEST)) > 0.1


def test_the_margin_is_tuned_on_what_was_tried() -> None:
    data = table(RATES, repeats=50, seed=9, queries=QUERIES)
    truth = RATES - RATES[:, BASELINE : BASELINE + 1]
    threshold = tune_on_table([truth], data, baseline=BASELINE)
    assert threshold.gain == pytest.approx(float(truth.max(axis=1).mean()), abs=0.02)
    lies = -truth
    lies[:, BASELINE] = 0.0
    assert math.isinf(tune_on_table([lies], data, baseline=BASELINE).margin)


def test_a_gain_that_may_be_noise_is_not_enough() -> None:
    """If all prompts are equal, selections by noise seldom pass, though the best of many margins is optimistic."""
    rng = np.random.default_rng(4)
    passed = 0
    for seed in range(60):
        data = table(np.full((80, 3), 0.5), repeats=2, seed=seed)
        noise = rng.normal(0.0, 0.1, (80, 3))
        passed += math.isfinite(tune_on_table([noise - noise[:, :1]], data, baseline=0).margin)
    assert passed <= 8


def test_the_baseline_is_selected_up_to_the_margin() -> None:
    advantages = np.array([[0.0, 0.05, -1.0], [0.0, 0.2, 0.3], [0.0, -0.2, -0.1]])
    assert select_above_margin(advantages, baseline=0, margin=0.1).tolist() == [0, 2, 0]


def test_out_of_fold_predictions_never_saw_their_query() -> None:
    """A scorer that looks up its training queries finds none of the queries that it predicts."""

    class Lookup:
        def __init__(self, known: tuple[str, ...]) -> None:
            self.known = known

        def advantages(self, queries: list[str]) -> np.ndarray:
            return np.array([[float(query in self.known)] * len(PROMPTS) for query in queries])

    def fit(data: OutcomeTable, *, baseline: int, seed: int) -> Lookup:
        return Lookup(data.queries)

    found = predict_out_of_fold(fit, TRAIN, baseline=0, seed=0)  # pyright: ignore[reportArgumentType]
    assert found.shape == (120, 3)
    assert not found.any()


def test_the_defaults_cross_fit_never_saw_the_outcomes_of_its_query() -> None:
    (found,) = cross_fit_multitask(TRAIN, baseline=BASELINE, seed=0, rounds=1)
    totals = TRAIN.totals.copy()
    totals[7] = TRAIN.repeats[7] - totals[7]
    turned = OutcomeTable(queries=TRAIN.queries, prompts=TRAIN.prompts, totals=totals, repeats=TRAIN.repeats)
    (again,) = cross_fit_multitask(turned, baseline=BASELINE, seed=0, rounds=1)
    assert np.array_equal(found[7], again[7])
    assert not np.array_equal(found, again)


def test_dev_overlap_and_foreign_prompts_are_refused() -> None:
    with pytest.raises(DataError, match="dev queries are in the training table"):
        fit_selection(TRAIN, dev=TRAIN.select_rows([0, 1]), seed=0)
    other = OutcomeTable(queries=TEST, prompts=("x", "y", "z"), totals=np.ones((40, 3)), repeats=np.ones((40, 3)))
    with pytest.raises(ConfigError, match="other prompts"):
        fit_selection(TRAIN, dev=other, seed=0)


def test_a_folder_that_holds_no_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no readable policy"):
        load_selection(tmp_path)
    (tmp_path / "policy.json").write_text('{"format": 99}', encoding="utf-8")
    np.savez(tmp_path / "arrays.npz")
    with pytest.raises(DataError, match="not a selection policy of format 1"):
        load_selection(tmp_path)


def test_conjugate_gradients_solve_every_ridge() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(30, 30))
    kernel, targets, ridges = root @ root.T, rng.normal(size=(30, 2)), np.array([0.5, 20.0])
    found = solve_ridges(kernel, targets, ridges, tolerance=1e-9)
    for place, ridge in enumerate(ridges.tolist()):
        left = (kernel + ridge * np.eye(30)) @ found[:, place] - targets[:, place]
        assert float(np.abs(left).max()) < 1e-6


def test_a_multiplying_kernel_makes_queries_alike_only_where_both_say_so() -> None:
    texts = ["Ann has 2 pens.", "Ann has 9731 pens.", "How much is left of 2 dollars?"]
    plain = fit_kernel((KernelTerm(features="word", width=0.4),), texts).cross_matrix(texts)
    both = fit_kernel((*PHRASED, FACTS), texts)
    facts = fit_kernel((KernelTerm(features="surface", width=0.25),), texts).gram_matrix()
    assert both.gram_matrix() == pytest.approx(plain * facts)
    assert np.diagonal(both.gram_matrix()) == pytest.approx(np.ones(3))
    assert plain[0, 1] == pytest.approx(1.0)
    assert both.gram_matrix()[0, 1] < 1.0
    assert restore_kernel(both.state()).cross_matrix(texts) == pytest.approx(both.gram_matrix())


def test_surface_facts_are_as_many_for_every_text_and_finite() -> None:
    texts = ["", "?", "Half of 0 and 0.0 is 0", "1,250 pens cost $3.50 each. How much in total?", "9" * 400]
    facts = np.array([extract_surface_facts(text) for text in texts])
    assert np.isfinite(facts).all()


def test_covariances_of_a_simulated_field_are_found_on_the_side_of_caution() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(600, 20)) / math.sqrt(20)
    kernel = rows @ rows.T
    wanted = np.array([[1.0, 0.6], [0.6, 0.8]])
    field = rows @ rng.normal(size=(20, 2)) @ np.linalg.cholesky(wanted).T
    noise = rng.normal(size=(600, 2)) * 0.7
    centred = field + noise
    centred -= centred.mean(axis=0)
    signal, rest = estimate_covariances(kernel.copy(), centred)
    own = float(np.var(rows, axis=0).sum())
    share = own * signal / np.cov(field.T)  # it stops early, on purpose
    assert 0.5 < share.min() < share.max() < 1.1
    assert rest == pytest.approx(0.49 * np.eye(2), abs=0.12)
    to_directions, strengths = find_directions(signal, rest)
    assert to_directions.T @ rest @ to_directions == pytest.approx(np.eye(2), abs=1e-8)
    assert to_directions.T @ signal @ to_directions == pytest.approx(np.diag(strengths), abs=1e-8)

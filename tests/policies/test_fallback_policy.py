"""Policies that generate prompts with a fallback: thresholds, ranking, saving, and the selector behind them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from askwell.core.errors import ConfigError, DataError
from askwell.core.protocols import Policy
from askwell.core.types import Example, Experience, Prompt
from askwell.policies.data.outcomes import merge
from askwell.policies.fallback_policy import FallbackPolicy
from askwell.policies.fallback_threshold import (
    ALWAYS_SWITCH,
    FallbackThreshold,
    decode_fallback,
    encode_fallback,
    never_switch,
)
from askwell.policies.fixed import FixedPolicy
from askwell.policies.saved_policy import load_policy, save_policy
from askwell.policies.selection.fallback import cross_fit_gains, tune_on_gains
from askwell.policies.selection.selection import SelectionPolicy, fit_selection
from askwell.policies.selector_writer import SelectorWriter, fit_selector
from tests.support.policy_worlds import PROMPTS, outcomes, phrased, table
from tests.support.prompt_writers import TableTrainer, read_table

BASELINE = Prompt(instruction=PROMPTS[0])
DEMO = Example(id="d", input="1+1", target="2")


def experiences(n: int = 80, seed: int = 0) -> list[Experience]:
    queries, rates = phrased(n, seed=seed)
    return [
        Experience(query=query, prompt=prompt, reward=float(rate))
        for query, row in zip(queries, rates, strict=True)
        for prompt, rate in zip(PROMPTS, row, strict=True)
    ]


def policy(fallback: FallbackThreshold, *, samples: int = 0) -> FallbackPolicy:
    writer = TableTrainer().fit(experiences(), [])
    return FallbackPolicy(writer=writer, baseline=BASELINE, fallback=fallback, samples=samples)


def selector(n: int) -> SelectorWriter:
    queries, rates = phrased(n, seed=1)
    fitted = fit_selector(
        merge(outcomes(table(rates, repeats=4, seed=1, queries=queries))), baseline=PROMPTS[0], seed=0
    )
    assert fitted is not None
    return fitted


def at(margin: float) -> FallbackThreshold:
    return replace(never_switch(), margin=margin)


def test_each_query_gets_the_prompt_that_suits_it_or_the_baseline_prompt() -> None:
    queries, rates = phrased(40, seed=9)
    prompts = policy(at(0.1)).prompts_for(queries)
    columns: list[int] = rates.argmax(axis=1).tolist()
    assert [prompt.instruction for prompt in prompts] == [PROMPTS[column] for column in columns]


def test_a_margin_above_every_advantage_keeps_the_baseline_prompt() -> None:
    queries, _ = phrased(20, seed=9)
    assert policy(at(0.9)).prompts_for(queries) == [BASELINE] * 20
    assert policy(never_switch()).prompts_for(queries) == [BASELINE] * 20
    assert policy(at(0.1)).prompts_for([]) == []


def test_samples_are_ranked_by_the_value_head_and_never_do_worse_by_it_than_greedy() -> None:
    queries, _ = phrased(30, seed=4)
    greedy, ranked = policy(at(0.0)).generate(queries), policy(at(0.0), samples=6).generate(queries)
    assert all(best.advantage >= only.advantage for only, best in zip(greedy, ranked, strict=True))


def test_without_a_fallback_every_generated_prompt_is_sent() -> None:
    queries, _ = phrased(10, seed=4)
    bare = policy(ALWAYS_SWITCH)
    assert bare.prompts_for(queries) == [generated.prompt for generated in bare.generate(queries)]


def test_generated_prompts_keep_the_demonstrations() -> None:
    queries, _ = phrased(10, seed=4)
    shots = replace(policy(at(0.1)), baseline=Prompt(instruction=PROMPTS[0], demos=(DEMO,)))
    assert {prompt.demos for prompt in shots.prompts_for(queries)} == {(DEMO,)}


@pytest.mark.parametrize("kind", ["fixed", "selection", "writer", "selector"])
def test_every_policy_is_saved_and_loaded_the_same_way(tmp_path: Path, kind: str) -> None:
    queries, rates = phrased(60, seed=1)
    made: dict[str, Policy] = {
        "fixed": FixedPolicy(prompt=Prompt(instruction="Think.", demos=(DEMO,))),
        "selection": fit_selection(table(rates, repeats=4, seed=1, queries=queries), seed=0),
        "writer": policy(at(0.05), samples=3),
        "selector": replace(policy(at(0.05)), writer=selector(40)),
    }
    save_policy(made[kind], tmp_path / "p")
    loaded = load_policy(tmp_path / "p", read_writer=read_table)
    fresh, _ = phrased(15, seed=2)
    assert type(loaded) is type(made[kind])
    assert loaded.prompts_for(fresh) == made[kind].prompts_for(fresh)


def test_a_selector_takes_the_logged_prompt_that_suits_and_values_logged_prompts_only() -> None:
    fresh, rates = phrased(20, seed=2)
    fitted = selector(60)
    written = fitted.write(fresh, samples=2)
    assert {len(texts) for texts in written} == {2}
    columns: list[int] = rates.argmax(axis=1).tolist()
    best = [PROMPTS[column] for column in columns]
    assert sum(texts[0] == text for texts, text in zip(written, best, strict=True)) >= 18
    values = fitted.value([(query, prompt) for query in fresh for prompt in PROMPTS])
    assert values[::3] == [0.0] * 20, "the baseline prompt has no advantage over itself"
    assert max(values) > 0.1
    with pytest.raises(DataError, match="not among the 3 logged prompts"):
        fitted.value([(fresh[0], "Sing.")])


def test_no_selector_is_fitted_on_too_few_outcomes_or_without_the_baseline_prompt() -> None:
    queries, rates = phrased(30, seed=1)
    data = outcomes(table(rates, repeats=2, seed=1, queries=queries))
    assert fit_selector(merge(data), baseline="Sing.", seed=0) is None
    assert fit_selector(merge(data[:30]), baseline=PROMPTS[0], seed=0) is None


def test_other_policies_and_folders_are_refused(tmp_path: Path) -> None:
    class Own:
        def prompts_for(self, queries: object) -> list[Prompt]:
            return []

    with pytest.raises(ConfigError, match="Own"):
        save_policy(Own(), tmp_path)
    with pytest.raises(DataError, match="no readable policy"):
        load_policy(tmp_path / "nothing", read_writer=read_table)
    (tmp_path / "policy.json").write_text('{"format": 99, "kind": "writer"}', encoding="utf-8")
    with pytest.raises(DataError, match="not a policy of format"):
        load_policy(tmp_path, read_writer=read_table)


def test_the_margin_is_tuned_to_where_predicted_gains_are_real() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(-1, 1, 400)
    gains = np.where(predicted > 0.4, rng.choice([0.0, 1.0], 400, p=[0.3, 0.7]), rng.choice([0.0, -1.0], 400))
    fallback = tune_on_gains(predicted.tolist(), gains.tolist())
    assert 0.3 < fallback.margin < 0.55
    assert fallback.gain > 0.1


def test_no_query_is_switched_if_switching_does_not_pay() -> None:
    rng = np.random.default_rng(1)
    losses = [tune_on_gains(rng.normal(size=60).tolist(), rng.choice([-1.0, 0.0, 1.0], 60).tolist()) for _ in range(40)]
    assert sum(not math.isinf(fallback.margin) for fallback in losses) <= 8
    assert tune_on_gains([], []).margin == math.inf


def test_cross_fitted_gains_are_not_flattered_by_the_margin() -> None:
    rng = np.random.default_rng(2)
    on_same: list[float] = []
    on_other: list[float] = []
    for seed in range(60):
        predicted, gains = rng.normal(size=40).tolist(), rng.choice([-1.0, 0.0, 1.0], 40).tolist()
        on_same.append(tune_on_gains(predicted, gains).gain)
        on_other.append(float(np.mean(cross_fit_gains(predicted, gains, seed=seed))))
    assert np.mean(on_same) > 0.01
    assert abs(np.mean(on_other)) < np.mean(on_same)


@pytest.mark.parametrize("fallback", [never_switch(queries=3), ALWAYS_SWITCH, at(0.25)])
def test_a_threshold_is_the_same_after_json(fallback: FallbackThreshold) -> None:
    assert decode_fallback(encode_fallback(fallback)) == fallback


def test_saved_selection_policies_keep_their_threshold(tmp_path: Path) -> None:
    queries, rates = phrased(10, seed=1)
    few = fit_selection(table(rates, repeats=2, seed=1, queries=queries), seed=0)
    save_policy(few, tmp_path)
    loaded = load_policy(tmp_path, read_writer=read_table)
    assert isinstance(loaded, SelectionPolicy)
    assert loaded.fallback == few.fallback

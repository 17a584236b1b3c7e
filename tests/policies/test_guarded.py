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
from askwell.policies.fixed import FixedPolicy
from askwell.policies.guarded import FallbackPolicy, load_policy, save_policy
from askwell.policies.selection.fallback import (
    ALWAYS_SWITCH,
    FallbackThreshold,
    cross_fit_gains,
    decode_fallback,
    encode_fallback,
    never_switch,
    tune_on_gains,
)
from askwell.policies.selection.selection import SelectionPolicy, fit_selection
from askwell.policies.selection_writer import SelectorWriter, fit_selector
from tests.support.policy_worlds import PROMPTS, outcomes, phrased, table
from tests.support.prompt_writers import TableTrainer, read_table

STATIC = Prompt(instruction=PROMPTS[0])
DEMO = Example(id="d", input="1+1", target="2")


def experiences(n: int = 80, seed: int = 0) -> list[Experience]:
    queries, rates = phrased(n, seed=seed)
    return [
        Experience(query=query, prompt=prompt, reward=float(rate))
        for query, row in zip(queries, rates, strict=True)
        for prompt, rate in zip(PROMPTS, row, strict=True)
    ]


def policy(guard: FallbackThreshold, *, samples: int = 0) -> FallbackPolicy:
    writer = TableTrainer().fit(experiences(), [])
    return FallbackPolicy(writer=writer, baseline=STATIC, guard=guard, samples=samples)


def chooser(n: int) -> SelectorWriter:
    queries, rates = phrased(n, seed=1)
    found = fit_selector(merge(outcomes(table(rates, repeats=4, seed=1, queries=queries))), baseline=PROMPTS[0], seed=0)
    assert found is not None
    return found


def at(margin: float) -> FallbackThreshold:
    return replace(never_switch(), margin=margin)


def test_each_query_gets_the_prompt_that_suits_it_or_the_static_one() -> None:
    queries, rates = phrased(40, seed=9)
    prompts = policy(at(0.1)).prompts_for(queries)
    places: list[int] = rates.argmax(axis=1).tolist()
    assert [prompt.instruction for prompt in prompts] == [PROMPTS[place] for place in places]


def test_a_margin_beyond_every_advantage_keeps_the_static_prompt() -> None:
    queries, _ = phrased(20, seed=9)
    assert policy(at(0.9)).prompts_for(queries) == [STATIC] * 20
    assert policy(never_switch()).prompts_for(queries) == [STATIC] * 20
    assert policy(at(0.1)).prompts_for([]) == []


def test_samples_are_ranked_by_the_value_head_and_never_do_worse_by_it_than_greedy() -> None:
    queries, _ = phrased(30, seed=4)
    greedy, ranked = policy(at(0.0)).written(queries), policy(at(0.0), samples=6).written(queries)
    assert all(more.advantage >= one.advantage for one, more in zip(greedy, ranked, strict=True))


def test_without_a_guard_what_is_written_is_sent() -> None:
    queries, _ = phrased(10, seed=4)
    bare = policy(ALWAYS_SWITCH)
    assert bare.prompts_for(queries) == [one.prompt for one in bare.written(queries)]


def test_demonstrations_stay_whatever_is_written() -> None:
    queries, _ = phrased(10, seed=4)
    shots = replace(policy(at(0.1)), baseline=Prompt(instruction=PROMPTS[0], demos=(DEMO,)))
    assert {prompt.demos for prompt in shots.prompts_for(queries)} == {(DEMO,)}


@pytest.mark.parametrize("kind", ["fixed", "selection", "writer", "chooser"])
def test_every_policy_is_saved_and_loaded_the_same_way(tmp_path: Path, kind: str) -> None:
    queries, rates = phrased(60, seed=1)
    made: dict[str, Policy] = {
        "fixed": FixedPolicy(prompt=Prompt(instruction="Think.", demos=(DEMO,))),
        "selection": fit_selection(table(rates, repeats=4, seed=1, queries=queries), seed=0),
        "writer": policy(at(0.05), samples=3),
        "chooser": replace(policy(at(0.05)), writer=chooser(40)),
    }
    save_policy(made[kind], tmp_path / "p")
    loaded = load_policy(tmp_path / "p", read_writer=read_table)
    fresh, _ = phrased(15, seed=2)
    assert type(loaded) is type(made[kind])
    assert loaded.prompts_for(fresh) == made[kind].prompts_for(fresh)


def test_a_chooser_takes_the_logged_prompt_that_suits_and_judges_logged_prompts_only() -> None:
    fresh, rates = phrased(20, seed=2)
    found = chooser(60)
    written = found.write(fresh, samples=2)
    assert {len(texts) for texts in written} == {2}
    places: list[int] = rates.argmax(axis=1).tolist()
    best = [PROMPTS[place] for place in places]
    assert sum(texts[0] == text for texts, text in zip(written, best, strict=True)) >= 18
    values = found.value([(query, prompt) for query in fresh for prompt in PROMPTS])
    assert values[::3] == [0.0] * 20, "the static prompt has no advantage over itself"
    assert max(values) > 0.1
    with pytest.raises(DataError, match="not among the 3 logged prompts"):
        found.value([(fresh[0], "Sing.")])


def test_nothing_is_chosen_where_too_little_was_logged_or_the_static_prompt_was_not() -> None:
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


def test_the_margin_is_where_predicted_gains_are_real() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(-1, 1, 400)
    gains = np.where(predicted > 0.4, rng.choice([0.0, 1.0], 400, p=[0.3, 0.7]), rng.choice([0.0, -1.0], 400))
    found = tune_on_gains(predicted.tolist(), gains.tolist())
    assert 0.3 < found.margin < 0.55
    assert found.gain > 0.1


def test_where_switching_does_not_pay_nothing_is_switched() -> None:
    rng = np.random.default_rng(1)
    losses = [tune_on_gains(rng.normal(size=60).tolist(), rng.choice([-1.0, 0.0, 1.0], 60).tolist()) for _ in range(40)]
    assert sum(not math.isinf(guard.margin) for guard in losses) <= 8
    assert tune_on_gains([], []).margin == math.inf


def test_cross_fitted_gains_are_not_flattered_by_the_margin() -> None:
    rng = np.random.default_rng(2)
    own: list[float] = []
    apart: list[float] = []
    for seed in range(60):
        predicted, gains = rng.normal(size=40).tolist(), rng.choice([-1.0, 0.0, 1.0], 40).tolist()
        own.append(tune_on_gains(predicted, gains).gain)
        apart.append(float(np.mean(cross_fit_gains(predicted, gains, seed=seed))))
    assert np.mean(own) > 0.01
    assert abs(np.mean(apart)) < np.mean(own)


@pytest.mark.parametrize("guard", [never_switch(queries=3), ALWAYS_SWITCH, at(0.25)])
def test_a_guard_is_the_same_after_json(guard: FallbackThreshold) -> None:
    assert decode_fallback(encode_fallback(guard)) == guard


def test_selection_policies_keep_their_guard(tmp_path: Path) -> None:
    queries, rates = phrased(10, seed=1)
    few = fit_selection(table(rates, repeats=2, seed=1, queries=queries), seed=0)
    save_policy(few, tmp_path)
    loaded = load_policy(tmp_path, read_writer=read_table)
    assert isinstance(loaded, SelectionPolicy)
    assert loaded.guard == few.guard

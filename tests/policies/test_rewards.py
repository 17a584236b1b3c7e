from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import ConfigError, DataError
from askwell.policies.data.outcomes import PairOutcome, PairOutcomes
from askwell.policies.rewards import (
    advantages,
    choice_reward,
    few_shot_reward,
    free_text_reward,
    min_max,
    paper_rewards,
    prompt_accuracy,
    rewarded,
    shrunken_accuracy,
)


def cell(query: str, prompt: str, total: float, *, repeats: int = 1, confidence: float | None = None) -> PairOutcome:
    return PairOutcome(query=query, prompt=prompt, total=total, repeats=repeats, confidence=confidence)


CELLS = [cell("a", "p", 1), cell("a", "q", 0), cell("b", "p", 0), cell("b", "q", 0), cell("c", "p", 1)]


def test_the_three_formulas() -> None:
    assert choice_reward(correct=1, task_accuracy=0.5, label_logprob=-0.3) == pytest.approx(14.7)
    assert choice_reward(correct=1, task_accuracy=0.5) == 15.0
    assert few_shot_reward(demo_accuracies=[1, 0], task_accuracy=0.8) == pytest.approx(13.0)
    assert free_text_reward(correct=0, task_accuracy=0.2, reply_logprob=-1.5) == pytest.approx(0.5)


def test_rewards_of_cells_take_task_accuracy_from_all_of_a_prompts_cells() -> None:
    found = paper_rewards(CELLS, formula="free-text")
    two_thirds = 20 / 3
    assert found.values == pytest.approx((10 + two_thirds, 0, two_thirds, 0, 10 + two_thirds))
    assert not found.confidence_used
    assert found.missing_confidence == 5


def test_confidence_counts_only_where_all_cells_have_it() -> None:
    sure = [cell("a", "p", 1, confidence=-0.5), cell("b", "p", 0, confidence=-2.0)]
    used = paper_rewards(sure, formula="choice")
    assert used.confidence_used
    assert used.values == pytest.approx((14.5, 3.0))
    mixed = paper_rewards([*sure, cell("c", "p", 1)], formula="choice")
    assert not mixed.confidence_used
    assert mixed.missing_confidence == 1
    assert not paper_rewards(sure, formula="few-shot").confidence_used


def test_min_max_keeps_the_order_and_fills_the_range() -> None:
    scaled = min_max(paper_rewards(CELLS, formula="free-text"))
    assert min(scaled.values) == 0.0
    assert max(scaled.values) == 100.0
    assert min_max(paper_rewards(CELLS[:1], formula="choice")).values == (50.0,)
    with pytest.raises(ConfigError, match="low < high"):
        min_max(scaled, low=1.0, high=1.0)


def test_advantage_over_static_is_none_where_static_was_not_tried() -> None:
    assert advantages(CELLS, [1, 0, 0, 0, 1], baseline="q") == [1, 0, 0, 0, None]


def test_impossible_values_are_refused() -> None:
    with pytest.raises(DataError, match=r"1\.2 is outside 0\.\.1"):
        choice_reward(correct=1.2, task_accuracy=0.5)
    with pytest.raises(DataError, match=r"log-probability of 0\.1"):
        choice_reward(correct=1, task_accuracy=0.5, label_logprob=0.1)
    with pytest.raises(DataError, match="no demonstration set"):
        few_shot_reward(demo_accuracies=[], task_accuracy=0.5)
    with pytest.raises(DataError, match="no task accuracy for prompt 'q'"):
        paper_rewards(CELLS, formula="choice", task_accuracy={"p": 0.5})


def test_dev_is_rewarded_on_the_same_scale_as_train_and_says_what_went_in() -> None:
    train = PairOutcomes(pairs=(cell("a", "p", 1, confidence=-0.5), cell("a", "q", 0, confidence=-1.0)))
    dev = PairOutcomes(pairs=(cell("b", "p", 0, confidence=-2.0), cell("b", "r", 1, confidence=-0.1)))
    learnt, tuned, told = rewarded(train, dev, formula="choice", scaled=False, baseline="p")
    assert [one.reward for one in learnt] == pytest.approx([10 + 20 / 3 - 0.5, 10 / 3 - 1.0])
    assert [one.reward for one in tuned] == pytest.approx([20 / 3 - 2.0, 10 + 20 / 3 - 0.1]), (
        "p's accuracy is train's, r's is dev's"
    )
    assert [one.advantage for one in tuned] == pytest.approx([0.0, 11.9])
    assert "log-probability" in told
    scaled, more, told = rewarded(train, dev, formula="choice", scaled=True, baseline="p", confident=False)
    assert max(one.reward for one in [*scaled, *more]) == 100.0
    assert "is left out" in told
    assert "0–100" in told


def test_a_prompt_that_was_right_once_is_not_the_best_of_all() -> None:
    """Loops label a new prompt on one query: with accuracy 1 it would have the top reward, which writing aims at."""
    best = [cell(f"q{place}", "best", float(place % 10 < 8)) for place in range(60)]
    worse = [cell(f"q{place}", "worse", float(place % 10 < 4)) for place in range(60)]
    new = [cell("q61", "lucky", 1.0), cell("q62", "unlucky", 0.0)]
    found = shrunken_accuracy([*best, *worse, *new])
    assert found["worse"] < found["lucky"] < found["best"]
    assert 0.3 < found["unlucky"] < found["lucky"]
    assert found["best"] == pytest.approx(0.8, abs=0.05), "60 queries say nearly all"
    train, _, _ = rewarded(
        PairOutcomes(pairs=(*best, *worse, *new)),
        PairOutcomes(pairs=()),
        formula="free-text",
        scaled=False,
        baseline="best",
    )
    rewards = {one.prompt: one.reward for one in train if one.reward > 10.0}
    assert max(rewards, key=lambda prompt: rewards[prompt]) == "best"


@given(st.lists(st.tuples(st.sampled_from("pqr"), st.integers(0, 1)), min_size=1, max_size=40))
def test_shrunken_accuracies_lie_between_the_plain_ones_and_that_of_all(rows: list[tuple[str, int]]) -> None:
    cells = [cell(f"q{place}", prompt, float(right)) for place, (prompt, right) in enumerate(rows)]
    plain, found = prompt_accuracy(cells), shrunken_accuracy(cells)
    overall = math.fsum(right for _, right in rows) / len(rows)
    for prompt, value in found.items():
        low, high = sorted((plain[prompt], overall))
        assert low - 0.5 / len(rows) <= value <= high + 0.5 / len(rows), "the prior's mean keeps off 0 and 1"
    assert shrunken_accuracy([]) == {}

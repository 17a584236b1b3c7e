"""ProTeGi's selection rules on arms with known means."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.optimizers.baselines.bandit import SELECTORS, BanditPlan


class Machine:
    """Arms with fixed scores on a shared order of examples; counts the pulls."""

    def __init__(self, chances: Sequence[float], examples: int, seed: int) -> None:
        luck = random.Random(seed)
        difficulty = [luck.random() for _ in range(examples)]
        self.table = [[float(0.5 * hard + 0.5 * luck.random() < chance) for hard in difficulty] for chance in chances]
        self.calls = 0
        self.asked: set[tuple[int, int]] = set()

    async def pull(self, trials: Sequence[tuple[int, range]]) -> list[list[float]]:
        for arm, places in trials:
            for place in places:
                assert (arm, place) not in self.asked, "an answer it has is not asked for again"
                self.asked.add((arm, place))
        self.calls += sum(len(places) for _, places in trials)
        return [[self.table[arm][place] for place in places] for arm, places in trials]


def chances_of(seed: int, arms: int = 24) -> list[float]:
    dice = random.Random(f"chances {seed}")
    return [dice.uniform(0.2, 0.8) for _ in range(arms)]


async def regret(rule: str, seed: int, *, calls: int) -> float:
    """Return the mean regret of the selected four arms against the best four."""
    chances = chances_of(seed)
    plan = BanditPlan(arms=len(chances), keep=4, calls=calls, examples=48, per_pull=4)
    chosen = await SELECTORS[rule](Machine(chances, 48, seed).pull, plan)
    return mean(sorted(chances)[-4:]) - mean(chances[arm] for arm in chosen)


@pytest.mark.parametrize("rule", ["ucb", "successive-rejects"])
async def test_the_published_rules_have_less_regret_than_uniform_at_equal_calls(rule: str) -> None:
    ours = [await regret(rule, seed, calls=24 * 12) for seed in range(150)]
    even = [await regret("uniform", seed, calls=24 * 12) for seed in range(150)]
    assert mean(ours) < 0.9 * mean(even)


@pytest.mark.parametrize("rule", sorted(SELECTORS))
async def test_with_calls_for_everything_the_best_arms_are_found(rule: str) -> None:
    machine = Machine(chances_of(1, arms=9), 30, seed=1)
    sums = [sum(row) for row in machine.table]
    chosen = await SELECTORS[rule](machine.pull, BanditPlan(arms=9, keep=3, calls=10_000, examples=30))
    assert sorted(sums[arm] for arm in chosen) == sorted(sums)[-3:]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(SELECTORS)), st.integers(1, 12), st.integers(1, 12), st.integers(0, 90), st.integers(1, 9)
)
async def test_calls_and_examples_are_never_exceeded(
    rule: str, arms: int, keep: int, calls: int, examples: int
) -> None:
    machine = Machine(chances_of(arms, arms), examples, seed=calls)
    keep = min(keep, arms)
    chosen = await SELECTORS[rule](machine.pull, BanditPlan(arms=arms, keep=keep, calls=calls, examples=examples))
    assert machine.calls <= min(calls, arms * examples)
    assert len(set(chosen)) == len(chosen) == keep


async def test_an_arm_without_an_answer_ranks_last() -> None:
    async def pull(trials: Sequence[tuple[int, range]]) -> list[list[float]]:
        return [[] if arm == 0 else [0.0] * len(places) for arm, places in trials]

    chosen = await SELECTORS["ucb"](pull, BanditPlan(arms=3, keep=2, calls=30, examples=10))
    assert 0 not in chosen

"""The contract of `Scorer`, and of the `FitScorer` that makes one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import numpy as np

from askwell.policies.data.table import OutcomeTable
from askwell.policies.selection.base import FitScorer, Scorer, ScorerState

Restore = Callable[[ScorerState], Scorer]
"""Build a fitted scorer from its state."""
PROMPTS = ("Add the numbers.", "Think step by step.", "Guess.")
BASELINE = 1
RATES = {"sum": (0.9, 0.5, 0.1), "puzzle": (0.1, 0.5, 0.1)}
"""Kind of query -> success rate of each prompt."""


class ScorerContract:
    """Inherit this class and give it the fixtures `fit` and `restore`."""

    def test_the_advantage_is_higher_where_a_prompt_does_better(self, fit: FitScorer) -> None:
        advantages = fit(make_table(), baseline=BASELINE, seed=0).advantages(make_queries(20, seed=1))
        # Every second query is a sum, which the first prompt suits.
        assert advantages[::2, 0].mean() > advantages[1::2, 0].mean() + 0.1
        assert advantages[::2, 0].mean() > advantages[::2, 2].mean()

    def test_each_query_has_a_row_and_the_baseline_prompt_is_0(self, fit: FitScorer) -> None:
        scorer = fit(make_table(), baseline=BASELINE, seed=0)
        asked = [*make_queries(5, seed=1), "", "数 \U0001f600"]
        advantages = scorer.advantages(asked)
        assert advantages.shape == (len(asked), len(PROMPTS))
        assert np.isfinite(advantages).all()
        assert (advantages[:, BASELINE] == 0).all()
        np.testing.assert_allclose(scorer.advantages(asked[::-1]), advantages[::-1], atol=1e-9)

    def test_the_same_table_and_seed_give_the_same_scorer(self, fit: FitScorer) -> None:
        asked = make_queries(5, seed=1)
        first, second = (fit(make_table(), baseline=BASELINE, seed=3).advantages(asked) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_the_state_is_plain_and_restores_the_scorer(self, fit: FitScorer, restore: Restore) -> None:
        scorer, asked = fit(make_table(), baseline=BASELINE, seed=0), make_queries(5, seed=1)
        state = scorer.state()
        values = json.loads(json.dumps(state.values))
        assert all(array.dtype.kind in "fiub" for array in state.arrays.values()), "only arrays of numbers are saved"
        restored = restore(ScorerState(kind=state.kind, values=values, arrays=state.arrays))
        np.testing.assert_array_equal(restored.advantages(asked), scorer.advantages(asked))


def make_queries(count: int, *, seed: int) -> list[str]:
    """Make up queries of both kinds in turn."""
    rng = random.Random(seed)
    forms = ("Ann has {} pens and buys {} more. How many in all?", "Suppose {} cups weigh as much as {} stones, why?")
    return [forms[index % 2].format(rng.randint(2, 999), rng.randint(2, 999)) for index in range(count)]


def make_table() -> OutcomeTable:
    """Sample four outcomes of each prompt on 80 queries; some pairs were never tried."""
    rng = np.random.default_rng(0)
    asked = tuple(make_queries(80, seed=0))
    rates = np.array([list(RATES.values())[index % 2] for index in range(len(asked))])
    repeats = np.where(rng.random(rates.shape) < 0.9, 4.0, 0.0)
    totals = rng.binomial(repeats.astype(int), rates).astype(float)
    return OutcomeTable(queries=asked, prompts=PROMPTS, totals=totals, repeats=repeats)

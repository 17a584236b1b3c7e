from __future__ import annotations

import numpy as np
import pytest

from askwell.core.errors import DataError
from askwell.policies.data.table import Table
from askwell.policies.offline_eval.train_or_not import advise_training, chooser_gain, dense_part
from tests.support.policy_worlds import phrased, table


def single_draws(seed: int = 0) -> Table:
    queries, rates = phrased(100, seed=seed)
    return table(rates, draws=1, seed=seed, queries=queries)


def test_without_repeats_a_choosers_gain_on_unseen_queries_settles_it() -> None:
    found = advise_training(single_draws(), seed=0)
    assert found.headroom.gain.kind == "bounds"
    assert found.headroom.verdict.startswith("Undecided")
    assert found.worth_it
    assert found.chooser is not None
    assert found.chooser.low > 0
    assert found.verdict.startswith("Yes")


def test_where_nothing_can_be_read_off_a_query_one_prompt_stays() -> None:
    queries, _ = phrased(80, seed=1)
    rates = np.full((80, 3), 0.5) + np.array([[0.1, 0.0, -0.1]])
    claims = [
        advise_training(table(rates, draws=1, seed=seed, queries=queries), seed=seed).worth_it for seed in range(4)
    ]
    assert sum(claims) <= 1
    assert advise_training(table(rates, draws=1, seed=0, queries=queries), seed=0).verdict.startswith("Not shown")


def test_with_repeats_headroom_itself_answers() -> None:
    queries, rates = phrased(120, seed=2)
    found = advise_training(table(rates, draws=4, seed=2, queries=queries), seed=0)
    assert found.chooser is None
    assert (found.worth_it, found.verdict) == (True, found.headroom.verdict)


def test_the_chooser_never_sees_the_query_it_is_scored_on() -> None:
    """Outcomes that a lookup would know by heart, and nobody else can: no gain."""
    rng = np.random.default_rng(0)
    totals = rng.integers(0, 2, size=(200, 4)).astype(float)
    alone = Table(
        queries=tuple(f"{word} {place}" for place, word in enumerate(rng.permutation(200).tolist())),
        prompts=("a", "b", "c", "d"),
        totals=totals,
        draws=np.ones_like(totals),
    )
    assert not chooser_gain(alone, seed=0, scorer="trees").low > 0


def test_prompts_tried_on_few_queries_are_left_out_of_the_measurement() -> None:
    whole = single_draws()
    draws = whole.draws.copy()
    draws[:90, 2] = 0
    sparse = Table(queries=whole.queries, prompts=whole.prompts, totals=whole.totals * (draws > 0), draws=draws)
    assert dense_part(sparse).prompts == whole.prompts[:2]
    assert advise_training(sparse, seed=0).headroom.queries == 100


def test_one_prompt_can_not_be_judged() -> None:
    with pytest.raises(DataError, match="two prompts"):
        advise_training(table(np.full((30, 1), 0.5), draws=1, seed=0), seed=0)

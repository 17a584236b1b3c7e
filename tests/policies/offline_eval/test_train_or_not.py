from __future__ import annotations

import numpy as np
import pytest

from askwell.core.errors import DataError
from askwell.policies.data.table import OutcomeTable
from askwell.policies.offline_eval.train_or_not import advise_training, cross_validate_selector, drop_sparse_prompts
from tests.support.policy_worlds import phrased, table


def single_draws(seed: int = 0) -> OutcomeTable:
    queries, rates = phrased(100, seed=seed)
    return table(rates, repeats=1, seed=seed, queries=queries)


def test_without_repeats_a_choosers_gain_on_unseen_queries_settles_it() -> None:
    found = advise_training(single_draws(), seed=0)
    assert found.headroom.gain.kind == "bounds"
    assert found.headroom.verdict.startswith("Undecided")
    assert found.is_worthwhile
    assert found.selector_gain is not None
    assert found.selector_gain.low > 0
    assert found.verdict.startswith("Yes")


def test_where_nothing_can_be_read_off_a_query_one_prompt_stays() -> None:
    queries, _ = phrased(80, seed=1)
    rates = np.full((80, 3), 0.5) + np.array([[0.1, 0.0, -0.1]])
    claims = [
        advise_training(table(rates, repeats=1, seed=seed, queries=queries), seed=seed).is_worthwhile
        for seed in range(4)
    ]
    assert sum(claims) <= 1
    assert advise_training(table(rates, repeats=1, seed=0, queries=queries), seed=0).verdict.startswith("Not shown")


def test_with_repeats_headroom_itself_answers() -> None:
    queries, rates = phrased(120, seed=2)
    found = advise_training(table(rates, repeats=4, seed=2, queries=queries), seed=0)
    assert found.selector_gain is None
    assert (found.is_worthwhile, found.verdict) == (True, found.headroom.verdict)


def test_the_chooser_never_sees_the_query_it_is_scored_on() -> None:
    """Outcomes that a lookup would know by heart, and nobody else can: no gain."""
    rng = np.random.default_rng(0)
    totals = rng.integers(0, 2, size=(200, 4)).astype(float)
    alone = OutcomeTable(
        queries=tuple(f"{word} {place}" for place, word in enumerate(rng.permutation(200).tolist())),
        prompts=("a", "b", "c", "d"),
        totals=totals,
        repeats=np.ones_like(totals),
    )
    assert not cross_validate_selector(alone, seed=0, scorer="trees").low > 0


def test_prompts_tried_on_few_queries_are_left_out_of_the_measurement() -> None:
    whole = single_draws()
    repeats = whole.repeats.copy()
    repeats[:90, 2] = 0
    sparse = OutcomeTable(
        queries=whole.queries, prompts=whole.prompts, totals=whole.totals * (repeats > 0), repeats=repeats
    )
    assert drop_sparse_prompts(sparse).prompts == whole.prompts[:2]
    assert advise_training(sparse, seed=0).headroom.queries == 100


def test_one_prompt_can_not_be_judged() -> None:
    with pytest.raises(DataError, match="two prompts"):
        advise_training(table(np.full((30, 1), 0.5), repeats=1, seed=0), seed=0)

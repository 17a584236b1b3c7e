"""Word budgets by schedule, and batches of an epoch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import ConfigError
from askwell.core.types import Example
from askwell.optimizers.gpo.schedule import (
    SCHEDULES,
    compute_budget,
    count_steps_per_epoch,
    count_warmup_steps,
    select_train_batch,
)

KINDS = st.sampled_from(sorted(SCHEDULES))


def test_cosine_gives_the_sequences_of_the_specification():
    eighteen = [49, 48, 47, 45, 42, 40, 36, 33, 30, 26, 23, 20, 17, 14, 12, 11, 10, 10]
    assert [compute_budget("cosine", step, 18) for step in range(18)] == eighteen
    assert [compute_budget("cosine", step, 9) for step in range(9)] == [48, 45, 40, 33, 26, 20, 14, 11, 10]


def test_fixed_and_linear():
    assert {compute_budget("fixed", step, 18) for step in range(18)} == {50}
    assert [compute_budget("linear", step, 8) for step in range(8)] == [45, 40, 35, 30, 25, 20, 15, 10]
    assert [compute_budget("linear", step, 3, first=20, final=0) for step in range(3)] == [13, 6, 0]


def test_warmup_rises_then_decays_over_the_remaining_steps():
    warmed = [compute_budget("cosine", step, 12, warmup=3) for step in range(12)]
    assert warmed[:2] == [16, 33]
    assert warmed[2] == 50
    assert warmed[3:] == [compute_budget("cosine", step, 9) for step in range(9)]
    assert [compute_budget("linear", step, 10, warmup=2) for step in range(3)] == [25, 50, 45]
    assert [compute_budget("fixed", step, 4, warmup=2) for step in range(4)] == [25, 50, 50, 50]


def test_a_warmup_as_long_as_the_run_ends_at_the_first_budget():
    assert [compute_budget("cosine", step, 4, warmup=4) for step in range(4)] == [12, 25, 37, 50]
    assert compute_budget("linear", 3, 4, warmup=9) == int(50 * 4 / 9)


def test_warmup_share_rounds_up():
    assert [count_warmup_steps(0.05, total) for total in (9, 18, 20, 21, 60)] == [1, 1, 1, 2, 3]
    assert count_warmup_steps(0.0, 18) == 0


@given(KINDS, st.integers(0, 60), st.integers(1, 40), st.integers(0, 80), st.integers(0, 80), st.integers(0, 45))
def test_stays_between_zero_and_the_larger_end(kind: str, step: int, total: int, first: int, final: int, warmup: int):
    budget = compute_budget(kind, step, total, first, final, warmup)
    assert 0 <= budget <= max(first, final)
    if warmup == 0:
        assert budget >= min(first, final)


@given(KINDS, st.integers(1, 40))
def test_falls_monotonically_and_clamps_beyond_the_end(kind: str, total: int):
    budgets = [compute_budget(kind, step, total) for step in range(total + 5)]
    assert budgets == sorted(budgets, reverse=True)
    assert set(budgets[total:]) == {budgets[total - 1]} == {50 if kind == "fixed" else 10}


@pytest.mark.parametrize("kind", ["cosin", "none", ""])
def test_refuses_an_unknown_kind(kind: str):
    with pytest.raises(ConfigError, match="unknown budget schedule"):
        compute_budget(kind, 0, 9)


@pytest.mark.parametrize(("step", "total"), [(-1, 9), (0, 0)])
def test_refuses_impossible_steps(step: int, total: int):
    with pytest.raises(ConfigError, match="at least"):
        compute_budget("cosine", step, total)


@pytest.mark.parametrize(("n", "steps"), [(48, 6), (35, 4), (27, 3), (33, 4), (36, 5), (20, 3), (100, 13), (3, 1)])
def test_steps_per_epoch_keeps_a_last_batch_that_is_half_full(n: int, steps: int):
    assert count_steps_per_epoch(n, 8) == steps


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 5), st.integers(0, 3))
def test_batches_of_an_epoch_are_disjoint_and_of_the_train_split(n: int, size: int, seed: int, epoch: int):
    train = [Example(id=str(i), input=str(i), target="") for i in range(n)]
    steps = count_steps_per_epoch(n, size)
    batches = [select_train_batch(train, epoch * steps + place, size, seed) for place in range(steps)]
    ids = [example.id for batch in batches for example in batch]
    assert len(ids) == len(set(ids))
    assert all(batches)
    assert all(len(batch) <= size for batch in batches)
    assert len(ids) >= n - size // 2 - 1
    assert batches[0] == select_train_batch(train, epoch * steps, size, seed)

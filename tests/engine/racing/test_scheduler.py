"""Handing out a race's units: a function of the results alone, never twice, never too far ahead."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.engine.racing.posterior import Field
from askwell.engine.racing.rules import RACINGS, ExpectedGain
from askwell.engine.racing.scheduler import Lookahead, Unit

SIZE = 4
Table = list[list[float]]
TABLES = st.integers(1, 5).flatmap(
    lambda blocks: st.lists(
        st.lists(st.sampled_from([i / 4 for i in range(5)]), min_size=blocks, max_size=blocks), min_size=1, max_size=6
    )
)


def race_over(
    table: Table,
    *,
    method: str = "askwell",
    lookahead: int = 0,
    void: frozenset[Unit] = frozenset(),
    barred: frozenset[Unit] = frozenset(),
    dice: random.Random | None = None,
) -> tuple[list[Unit], Lookahead]:
    """Play a race, its results coming back in an order drawn by `dice`; return what was asked for, in order."""
    field = Field(candidates=tuple(str(i) for i in range(len(table))), blocks=(SIZE,) * len(table[0]))
    plan = Lookahead(RACINGS[method](), field, {}, lookahead=lookahead, barred=barred)
    asked: list[Unit] = []
    waiting: list[Unit] = []
    taken: set[Unit] = set()
    while True:
        while (unit := plan.next_unit()) is not None:
            asked.append(unit)
            waiting.append(unit)
        if not waiting:
            break
        first_out = next(index for index, unit in enumerate(asked) if unit not in taken)
        assert SIZE * (len(asked) - first_out - 1) <= max(0, lookahead), "too far ahead of the evidence"
        unit = waiting.pop(dice.randrange(len(waiting)) if dice else 0)
        taken.add(unit)
        plan.result(unit, None if unit in void else table[int(unit.candidate)][unit.block])
    assert plan.over
    return asked, plan


@pytest.mark.parametrize("method", sorted(RACINGS))
@given(table=TABLES, lookahead=st.integers(0, 40), seed=st.integers(0, 99), hole=st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_what_is_asked_for_depends_on_the_results_and_not_on_their_order(
    method: str, table: Table, lookahead: int, seed: int, hole: int
) -> None:
    void = frozenset({Unit(str(hole % len(table)), hole % len(table[0]))})
    asked, plan = race_over(table, method=method, lookahead=lookahead, void=void)
    shuffled, _ = race_over(table, method=method, lookahead=lookahead, void=void, dice=random.Random(seed))
    assert shuffled == asked
    assert len(set(asked)) == len(asked) <= len(table) * len(table[0])
    assert any(plan.is_complete(str(candidate)) for candidate in range(len(table)))


@given(table=TABLES)
@settings(max_examples=40, deadline=None)
def test_full_evaluation_asks_for_everything(table: Table) -> None:
    asked, _ = race_over(table, method="full", lookahead=7)
    assert len(asked) == len(table) * len(table[0])


def test_a_unit_whose_calls_all_failed_voids_its_block_for_everybody() -> None:
    table = [[0.5, 0.5, 0.5], [0.5, 0.9, 0.5], [0.5, 0.1, 0.5]]
    asked, _ = race_over(table, lookahead=0, void=frozenset({Unit("0", 0)}))
    assert asked[:4] == [Unit("0", 0), Unit("0", 1), Unit("1", 1), Unit("2", 1)]
    assert Unit("2", 0) not in asked


def test_a_barred_unit_is_never_asked_for_and_its_block_judges_nobody() -> None:
    asked, plan = race_over([[1.0, 0.0], [0.0, 1.0]], barred=frozenset({Unit("0", 0)}))
    assert Unit("0", 0) not in asked
    assert asked[:2] == [Unit("0", 1), Unit("1", 1)]
    assert plan.is_complete("0")


def test_without_lookahead_every_decision_knows_all_results_and_with_it_slots_are_fed() -> None:
    field = Field(candidates=("a", "b", "c"), blocks=(SIZE,) * 5)
    patient, eager = (Lookahead(ExpectedGain(), field, {}, lookahead=ahead) for ahead in (0, 6 * SIZE))
    assert patient.next_unit() == Unit("a", 0)
    assert patient.next_unit() is None
    assert not patient.over
    fed = [eager.next_unit() for _ in range(7)]
    assert fed[:3] == [Unit("a", 0), Unit("b", 0), Unit("c", 0)]
    assert None not in fed[:6]
    assert fed[6] is None

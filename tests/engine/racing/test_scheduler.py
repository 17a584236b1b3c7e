"""Handing out a race's cells: a function of the results alone, never twice, never too far ahead."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.engine.racing import RACING_RULES, BlockCell, ExpectedGain, RaceLayout, RaceScheduler

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
    void: frozenset[BlockCell] = frozenset(),
    excluded: frozenset[BlockCell] = frozenset(),
    dice: random.Random | None = None,
) -> tuple[list[BlockCell], RaceScheduler]:
    """Play a race, its results coming back in an order drawn by `dice`; return what was asked for, in order."""
    layout = RaceLayout(candidates=tuple(str(i) for i in range(len(table))), blocks=(SIZE,) * len(table[0]))
    scheduler = RaceScheduler(RACING_RULES[method](), layout, {}, lookahead=lookahead, excluded=excluded)
    asked: list[BlockCell] = []
    waiting: list[BlockCell] = []
    taken: set[BlockCell] = set()
    while True:
        while (cell := scheduler.next_cell()) is not None:
            asked.append(cell)
            waiting.append(cell)
        if not waiting:
            break
        first_out = next(index for index, cell in enumerate(asked) if cell not in taken)
        assert SIZE * (len(asked) - first_out - 1) <= max(0, lookahead), "too far ahead of the evidence"
        cell = waiting.pop(dice.randrange(len(waiting)) if dice else 0)
        taken.add(cell)
        scheduler.record(cell, None if cell in void else table[int(cell.candidate)][cell.block])
    assert scheduler.finished
    return asked, scheduler


@pytest.mark.parametrize("method", sorted(RACING_RULES))
@given(table=TABLES, lookahead=st.integers(0, 40), seed=st.integers(0, 99), hole=st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_what_is_asked_for_depends_on_the_results_and_not_on_their_order(
    method: str, table: Table, lookahead: int, seed: int, hole: int
) -> None:
    void = frozenset({BlockCell(str(hole % len(table)), hole % len(table[0]))})
    asked, scheduler = race_over(table, method=method, lookahead=lookahead, void=void)
    shuffled, _ = race_over(table, method=method, lookahead=lookahead, void=void, dice=random.Random(seed))
    assert shuffled == asked
    assert len(set(asked)) == len(asked) <= len(table) * len(table[0])
    assert any(scheduler.is_complete(str(candidate)) for candidate in range(len(table)))


@given(table=TABLES)
@settings(max_examples=40, deadline=None)
def test_full_evaluation_asks_for_everything(table: Table) -> None:
    asked, _ = race_over(table, method="full", lookahead=7)
    assert len(asked) == len(table) * len(table[0])


def test_a_cell_whose_calls_all_failed_voids_its_block_for_everybody() -> None:
    table = [[0.5, 0.5, 0.5], [0.5, 0.9, 0.5], [0.5, 0.1, 0.5]]
    asked, _ = race_over(table, lookahead=0, void=frozenset({BlockCell("0", 0)}))
    assert asked[:4] == [BlockCell("0", 0), BlockCell("0", 1), BlockCell("1", 1), BlockCell("2", 1)]
    assert BlockCell("2", 0) not in asked


def test_an_excluded_cell_is_never_asked_for_and_its_block_judges_nobody() -> None:
    asked, scheduler = race_over([[1.0, 0.0], [0.0, 1.0]], excluded=frozenset({BlockCell("0", 0)}))
    assert BlockCell("0", 0) not in asked
    assert asked[:2] == [BlockCell("0", 1), BlockCell("1", 1)]
    assert scheduler.is_complete("0")


def test_without_lookahead_every_decision_knows_all_results_and_with_it_slots_are_fed() -> None:
    layout = RaceLayout(candidates=("a", "b", "c"), blocks=(SIZE,) * 5)
    patient, eager = (RaceScheduler(ExpectedGain(), layout, {}, lookahead=ahead) for ahead in (0, 6 * SIZE))
    assert patient.next_cell() == BlockCell("a", 0)
    assert patient.next_cell() is None
    assert not patient.finished
    fed = [eager.next_cell() for _ in range(7)]
    assert fed[:3] == [BlockCell("a", 0), BlockCell("b", 0), BlockCell("c", 0)]
    assert None not in fed[:6]
    assert fed[6] is None

"""Marks never say no wrongly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from askwell.marks import KeyMarks


@given(st.sets(st.text()), st.sets(st.text()))
def test_an_added_key_may_be_held_and_most_others_not(first: set[str], second: set[str]) -> None:
    marks = KeyMarks(first)
    marks.add(second)
    assert all(marks.may_hold(key) for key in first | second)


def test_new_keys_are_told_from_a_hundred_thousand_known_ones() -> None:
    marks = KeyMarks(f"known {number}" for number in range(100_000))
    taken_for_known = sum(marks.may_hold(f"new {number}") for number in range(10_000))
    assert taken_for_known < 300

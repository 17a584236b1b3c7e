"""Which rows are copies, and which are the same question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.types import Example
from askwell.tasks.questions import RowCounts, count_rows, drop_copies, identify_question, normalize_question


def example(identity: str, text: str, target: str | tuple[str, ...] = "t") -> Example:
    return Example(id=identity, input=text, target=target)


DIFFERENT = [
    ("Compute 5²", "Compute 52"), ("① + 1", "1 + 1"), ("How much CO₂?", "How much CO2?"),
    ('Is "Bar" capitalised?', 'Is "bar" capitalised?'), ("How many dots? a.", "How many dots? a.."),
    ("Count spaces: a b", "Count spaces: a  b"), ("Count marks: wow!", "Count marks: wow!!"),
    ("Roman: Ⅳ", "Roman: IV"), ("Width of ＡＢＣ?", "Width of ABC?"), ("Straße", "STRASSE"), ("x½", "x1⁄2"),
    ("Upper: ABC", "Upper: abc"), ("a\nb", "a b"), ("ﬁ", "fi"), ("“Yes”", "Yes"), ("tab\there", "tab here"),
    ("m²", "m2"), ("Is it 'x'?", "Is it x?"), ("ſ", "s"), ("µ", "μ"),
]  # fmt: skip
"""Pairs that a loose comparison takes for one question."""

SAME = [("café", "cafe\u0301"), (" What? ", "What?"), ("\u00a0What?\n", "What?"), ("한국", "한국"), ("x", "x\t")]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_rows_that_differ_in_their_target_are_never_copies(one: str, other: str) -> None:
    rows = [example("a", one, "1"), example("b", other, "2")]
    assert drop_copies(rows) == tuple(rows)
    assert identify_question(one) != identify_question(other)
    assert count_rows(rows) == RowCounts(read=2, copies=0, contradicting=0)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_unicode_form_and_outer_white_space_make_no_other_question(one: str, other: str) -> None:
    assert identify_question(one) == identify_question(other)
    assert drop_copies([example("a", one), example("b", other)]) == (example("a", one),)
    assert count_rows([example("a", one, "1"), example("b", other, "2")]).contradicting == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("What is it?", "what  is it"), ("“Yes.”", "yes"), ("a\r\nb", "A b"), ("Straße", "STRASSE"), *DIFFERENT[:2]],
)
def test_likely_copies_with_the_same_target_are_copies(one: str, other: str) -> None:
    assert drop_copies([example("a", one), example("b", other)]) == (example("a", one),)


def test_the_same_question_with_several_targets_is_kept_and_counted() -> None:
    rows = [example(f"{number}{target}", f"q{number}", target) for number in range(10) for target in "01"]
    assert drop_copies(rows) == tuple(rows)
    assert count_rows([*rows, *rows[:3]]) == RowCounts(read=23, copies=3, contradicting=10)


@pytest.mark.parametrize(
    ("one", "other", "copies"),
    [
        ("t", " t ", 1), ("café", "cafe\u0301", 1), (("a", "b"), ("b", "a"), 1), ("t", ("t",), 1),
        ("t", "T", 0), ("t", ("t", "u"), 0), ("1", "1.0", 0),
    ],
)  # fmt: skip
def test_targets_agree_up_to_form_and_order(
    one: str | tuple[str, ...], other: str | tuple[str, ...], copies: int
) -> None:
    assert count_rows([example("a", "q", one), example("b", "q", other)]).copies == copies


def test_a_third_row_may_be_the_copy_of_the_first() -> None:
    rows = [example("a", "What?", "1"), example("b", "what", "2"), example("c", "WHAT", "1")]
    assert drop_copies(rows) == tuple(rows[:2])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is it?", "what  is it"), ("“Yes.”", "yes"), ("ＡＢＣ ½", "abc 1⁄2"), ("a\r\nb", "A b"),
        ("Straße", "STRASSE"), ("e\u0301", "é"),
    ],
)  # fmt: skip
def test_equal_questions(one: str, other: str) -> None:
    assert normalize_question(one) == normalize_question(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("-1 + 2", "1 + 2"), ("[ [", "[ [ ["), ("?", "!"), ("(a) b", "a) b"), ("5 %", "5"), ("a b", "ab")],
)
def test_different_questions(one: str, other: str) -> None:
    assert normalize_question(one) != normalize_question(other)


@given(st.text(max_size=30))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    assert normalize_question(normalize_question(text)) == normalize_question(text)


@given(st.text(max_size=30))
def test_identifying_twice_changes_nothing(text: str) -> None:
    assert identify_question(identify_question(text)) == identify_question(text)


@given(st.lists(st.tuples(st.text("aAb .é\u0301²2", min_size=1, max_size=4), st.sampled_from("12")), max_size=12))
def test_no_row_with_a_target_of_its_own_is_lost(pairs: list[tuple[str, str]]) -> None:
    rows = [example(str(number), text, target) for number, (text, target) in enumerate(pairs)]
    kept = drop_copies(rows)
    assert len(rows) - len(kept) == count_rows(rows).copies
    assert {(normalize_question(row.input), row.target) for row in kept} == {
        (normalize_question(row.input), row.target) for row in rows
    }

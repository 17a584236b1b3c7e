"""Grading of the table of cases, and the contract of metrics made from names and callables."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example, Score
from askwell.tasks.grading.overlap import longest_common_subsequence
from askwell.tasks.metrics import ANSWER_TYPES, extract, from_callable, grade, metric
from tests.tasks.grading_cases import CASES

EXAMPLE = Example(id="1", input="Which?\nOptions:\n(A) circle\n(B) a red hexagon", target="(B)")


@pytest.mark.parametrize(("answer_type", "reply", "target", "mark"), CASES)
def test_a_reply_gets_the_right_score(answer_type: str, reply: str, target: str | tuple[str, ...], mark: float) -> None:
    assert math.isclose(grade(answer_type, reply, target), mark)


def test_the_table_covers_every_answer_type() -> None:
    labels_need_a_question = {"label"}  # their cases stand in grading/test_label.py
    assert {answer_type for answer_type, *_ in CASES} == set(ANSWER_TYPES) - labels_need_a_question
    assert len(CASES) >= 300


@pytest.mark.parametrize(
    ("answer_type", "reply", "answer"),
    [
        ("number", "so it is $1,234.", "$1,234"),
        ("number", "nothing", None),
        ("choice", "The answer is (b).", "B"),
        ("choice", "A or B", None),
        ("boolean", "The argument is not valid.", "invalid"),
        ("yesno", "Yes, it is not plausible.", "yes"),
        ("words", "Sorted: b, a", "b a"),
        ("brackets", "The answer is ]>", "] >"),
        ("exact", "The answer is Paris.", "Paris."),
        ("f1", " some text ", "some text"),
        ("rouge-l", "", None),
    ],
)
def test_extract_reads_the_answer_without_knowing_the_target(answer_type: str, reply: str, answer: str | None) -> None:
    assert extract(answer_type, reply) == answer


def test_extract_uses_the_vocabulary_of_a_target_but_not_the_target() -> None:
    assert extract("yesno", "True", "No") == "yes"
    assert extract("contains", "a cat", "cat") == "cat"
    assert extract("contains", "a dog", "cat") is None
    assert extract("regex", "order 66", r"\d+") == "66"


@pytest.mark.parametrize(
    ("answer_type", "reply", "target", "note"),
    [
        ("number", "no idea", "5", "no number found"),
        ("number", "42 or 43 is the answer: 42 or 43", "42", "two numbers offered: 42 and 43"),
        ("choice", "A and B", "(A)", "several options named: A, B"),
        ("boolean", "hm", "True", "no verdict found"),
        ("words", "hm", "a b", "no list of the expected words found"),
        ("brackets", "hm", "] )", "no bracket sequence found"),
        ("exact", "", "Paris", "empty reply"),
        ("number", "12", "13", "read '12', expected '13'; last number of the reply"),
    ],
)
def test_a_zero_has_a_note(answer_type: str, reply: str, target: str, note: str) -> None:
    score = metric(answer_type)(reply, Example(id="1", input="", target=target))
    assert (score.value, score.note) == (0.0, note)


def test_a_named_metric_knows_the_options_of_the_question() -> None:
    choice = metric("choice")
    assert choice("It is a red hexagon.", EXAMPLE).value == 1.0
    assert choice("Answer: a circle", EXAMPLE) == Score(value=0.0, answer="A", note="read 'A', expected 'B'")


def test_a_named_metric_knows_the_brackets_of_the_question() -> None:
    example = Example(id="1", input="Complete the sequence. Input: [ [ ]", target="]")
    assert metric("brackets")("[ [ ] ]", example).value == 1.0
    assert metric("brackets")("[ ] ]", example).value == 0.0


@pytest.mark.parametrize("name", ["numbr", "nubmer", "Number"])
def test_an_unknown_metric_names_the_nearest(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"unknown metric '{name}'; did you mean 'number'\? choose one of \["):
        metric(name)
    with pytest.raises(ConfigError, match=f"unknown answer type '{name}'"):
        grade(name, "1", "1")


@pytest.mark.parametrize(
    ("answer_type", "target", "message"),
    [
        ("exact", "", "empty"), ("exact", "  ", "empty"), ("exact", (), "empty"), ("f1", ("a", ""), "empty"),
        ("number", "none", "contains no number"), ("boolean", "maybe", "no verdict"), ("brackets", "abc", "no bracket"),
        ("words", ".", "no word"), ("regex", "(", "not a regular expression"),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_read_is_a_data_error(
    answer_type: str, target: str | tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        grade(answer_type, "reply", target)


def test_a_runaway_pattern_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("askwell.tasks.grading.free_text.PATTERN_TIMEOUT_S", 0.5)
    with pytest.raises(DataError, match=r"took longer than 0\.5 s"):
        grade("regex", "a" * 40 + "!", r"(a+)+$")


def test_longest_common_subsequence_agrees_with_the_textbook() -> None:
    first, second = [str(i * 7 % 5) for i in range(60)], [str(i * 3 % 4) for i in range(80)]
    row = [0] * (len(second) + 1)
    for token in first:
        above = row
        row = [0]
        for place, (left, right) in enumerate(pairwise(above)):
            row.append(left + 1 if token == second[place] else max(row[-1], right))
    assert longest_common_subsequence(first, second) == row[-1]


def _whole(reply: str, example: Example) -> float:
    return 0.5 if isinstance(example, Example) else 0.0  # pyright: ignore[reportUnnecessaryIsInstance] - the point here


def _target(reply: str, target: str) -> bool:
    return target in reply


def _annotated(reply: str, wanted: str) -> int:
    return int(wanted in reply)


def _feedback(reply: str, example: Example) -> tuple[float, str]:
    return 0.25, f"too short: {reply}"


def _keyword(reply: str, *, target: str) -> float:
    return float(target in reply)


def _pair(reply: str, example: Example) -> tuple[int, None]:
    return 1, None


def _variadic(*both: object) -> bool:
    return True


def _three(a: str, b: str, c: str) -> float:
    return 1.0


class _Callable:
    def __call__(self, reply: str, gold: str) -> Score:
        return Score(value=1.0, answer=gold, note="ok")


@pytest.mark.parametrize(
    ("function", "score"),
    [
        (_whole, Score(value=0.5)),
        (_target, Score(value=1.0)),
        (_annotated, Score(value=1.0)),
        (_feedback, Score(value=0.25, note="too short: I say (B)")),
        (_keyword, Score(value=1.0)),
        (_Callable(), Score(value=1.0, answer="(B)", note="ok")),
        (_pair, Score(value=1.0)),
        (_variadic, Score(value=1.0)),
    ],
)
def test_any_callable_becomes_a_metric(function: Callable[..., object], score: Score) -> None:
    assert from_callable(function)("I say (B)", EXAMPLE) == score


@pytest.mark.parametrize("value", [1.5, -0.1, math.nan, math.inf, None, "1", (1, 2, 3), [1]])
def test_a_value_outside_0_to_1_is_a_data_error(value: object) -> None:
    def broken(reply: str, example: Example) -> object:
        return value

    with pytest.raises(DataError, match="metric 'broken' returned"):
        from_callable(broken)("x", EXAMPLE)


def test_a_callable_of_the_wrong_shape_is_refused_at_once() -> None:
    async def slow(reply: str, example: Example) -> float:
        return 1.0

    with pytest.raises(ConfigError, match="takes 1 arguments"):
        from_callable(len)
    with pytest.raises(ConfigError, match="takes 3 arguments"):
        from_callable(_three)
    with pytest.raises(ConfigError, match="async"):
        from_callable(slow)

"""Lists of options in a template become lettered lines, and a target that is an index of one the letter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from askwell.core.errors import DataError
from askwell.tasks.load import load
from askwell.tasks.metrics import metric

TEMPLATE = "{question}\n{choices}"
CITIES = ["Rome", "Paris", "Oslo"]
LINES = "Which?\n(A) Rome\n(B) Paris\n(C) Oslo"


def one(choices: object, answer: object, template: str = TEMPLATE) -> tuple[str, object]:
    [example] = load([{"question": "Which?", "choices": choices, "answer": answer}], fields={"input": template})
    return example.input, example.target


@pytest.mark.parametrize(
    ("choices", "answer", "shown", "target"),
    [
        (CITIES, 1, LINES, "B"), (CITIES, 0, LINES, "A"), (CITIES, 2, LINES, "C"), (CITIES, "1", LINES, "B"),
        (CITIES, 1.0, LINES, "B"), (CITIES, np.int64(1), LINES, "B"), (tuple(CITIES), 1, LINES, "B"),
        (np.array(CITIES), 1, LINES, "B"), (CITIES, "B", LINES, "B"), (CITIES, "Paris", LINES, "Paris"),
        (CITIES, "(B)", LINES, "(B)"), (CITIES, ["Paris"], LINES, ("Paris",)), (CITIES, True, LINES, "True"),
        ({"A": "Rome", "B": "Paris", "C": "Oslo"}, "B", LINES, "B"),
        ({"A": "Rome", "B": "Paris", "C": "Oslo"}, 1, LINES, "B"),
        ({"label": ["A", "B", "C"], "text": CITIES}, "B", LINES, "B"),
        ([{"label": "A", "text": "Rome"}, {"label": "B", "text": "Paris"}], "B", "Which?\n(A) Rome\n(B) Paris", "B"),
        ({"label": ["1", "2"], "text": ["Rome", "Paris"]}, "2", "Which?\n(1) Rome\n(2) Paris", "2"),
        # a number among options that are texts is an index; among numbers it is one of them
        (["2", "4", "1"], 1, "Which?\n(A) 2\n(B) 4\n(C) 1", "B"),
        (["2", "4", "1"], "1", "Which?\n(A) 2\n(B) 4\n(C) 1", "1"),
        ([2, 4, 1], 1, "Which?\n(A) 2\n(B) 4\n(C) 1", "1"),
        ([2, 4, 8], 1, "Which?\n(A) 2\n(B) 4\n(C) 8", "B"),
        ([" Rome ", "Paris\n"], 0, "Which?\n(A) Rome\n(B) Paris", "A"),
    ],
)  # fmt: skip
def test_options_and_target(choices: object, answer: object, shown: str, target: object) -> None:
    assert one(choices, answer) == (shown, target)


@pytest.mark.parametrize("index", [3, 4, "7", 3.0])
def test_an_index_beyond_the_options_is_refused(index: object) -> None:
    with pytest.raises(DataError, match=r"row 1: target field 'answer' is \d, but an index of the 3 options is 0\.\.2"):
        one(CITIES, index)


@pytest.mark.parametrize(
    "choices",
    [["one"], [], [["a"], ["b"]], ["a", ""], ["a", None], {"title": "x", "more": "y"}, {}, list("abc") * 9, {1}],
)
def test_other_values_are_no_options(choices: object) -> None:
    with pytest.raises(DataError, match="row 1: field 'choices' of the template is"):
        one(choices, "a")


@pytest.mark.parametrize("name", ["contexts", "passages", "documents", "history", "messages", "supporting_facts"])
def test_lists_of_other_things_are_not_lettered(name: str) -> None:
    with pytest.raises(DataError, match=f"field '{name}' of the template is a list"):
        load([{"question": "q", name: ["a", "b"], "answer": "a"}], fields={"input": f"{{{name}}}\n{{question}}"})


@pytest.mark.parametrize("name", ["choices", "options", "endings", "candidates", "alternatives", "mc.choices"])
def test_the_name_of_the_list_does_not_matter(name: str) -> None:
    rows: list[dict[str, Any]] = [{"question": "q", "answer": 1, "mc": {"choices": ["x", "y"]}, name: ["x", "y"]}]
    [example] = load(rows, fields={"input": f"{{question}}\n{{{name}}}"})
    assert (example.input, example.target) == ("q\n(A) x\n(B) y", "B")


def test_a_file_in_the_shape_of_mmlu_is_graded_right(tmp_path: Path) -> None:
    path = tmp_path / "mmlu.jsonl"
    path.write_text('{"question": "Which?", "choices": ["x", "y", "z", "w"], "answer": 1}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r'--field input="\{question\}\\n\{choices\}"'):
        load(path)
    [example] = load(path, fields={"input": r"{question}\n{choices}"})
    assert metric("choice")("The answer is (B).", example).value == 1.0
    assert metric("choice")("The answer is (C).", example).value == 0.0


ALPACA = {"instruction": "Add.", "input": "1 and 2", "output": "3"}


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (ALPACA, "Add.\n1 and 2"),
        ({**ALPACA, "input": ""}, "Add."),
        ({**ALPACA, "input": "  "}, "Add."),
        ({**ALPACA, "instruction": ""}, "1 and 2"),
    ],
)
def test_an_empty_field_beside_a_full_one_is_left_out(row: dict[str, object], shown: str) -> None:
    assert load([row], fields={"input": "{instruction}\\n{input}", "target": "output"})[0].input == shown


@pytest.mark.parametrize("row", [{**ALPACA, "input": None}, {**ALPACA, "input": "", "instruction": " "}])
def test_a_missing_field_and_an_input_without_text_are_refused(row: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"row 1: field '\w+' of the template is empty or missing"):
        load([row], fields={"input": "{instruction}\n{input}", "target": "output"})

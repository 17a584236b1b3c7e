"""What a metric function receives, by the names of its parameters; what it may return; how it may fail."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import pytest

import askwell
from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example, Score
from askwell.tasks.metrics import from_callable

EXAMPLE = Example(id="e7", input="Capital of France?", target="Paris", meta={"level": "1", "title": "cities"})
SEVERAL = Example(id="e8", input="Capital?", target=("Paris", "Lutetia"))


def equality(signature: str, body: str = "") -> Callable[..., object]:
    """Make `def f(SIGNATURE)` that compares its first two parameters."""
    names = [
        part.split("=")[0].split(":")[0].strip() for part in signature.split(",") if part.strip() not in ("*", "/")
    ]
    scope: dict[str, Any] = {"Example": Example, "askwell": askwell}
    exec(f"def f({signature}):\n    return {body or f'float({names[0]} == {names[1]})'}", scope)
    return cast("Callable[..., object]", scope["f"])


def returning(value: object) -> Callable[[str, str], object]:
    def metric(reply: str, target: str) -> object:
        return value

    return metric


REPLY_FIRST = [
    "reply, target", "reply, ground_truth", "output, expected_output", "pred, truth", "y_pred, y_true",
    "response, correct_answer", "output, reference_answer", "completion, solution", "output, ideal",
    "reply, expectations", "reply, answer", "reply, gold", "reply, label", "reply, labels", "reply, references",
    "prediction, groundTruth", "modelOutput, expectedOutput", "outputs, reference_outputs", "predicted_label, label",
    "model_answer, answer", "hypothesis, ref", "answer, target", "answer, solution", "actual, desired", "got, wanted",
    "generated_text, gold_label", "x, expected", "text, target", "answer, expected_answer", "llm_answer, right_answer",
    "reply, target=None", "reply, *, target", "reply, *, expected", "reply, /, target", "reply, wanted: str",
    "reply, wanted: 'str | tuple[str, ...]'", "response, target, threshold=0.5", "reply, target, **options",
]  # fmt: skip
UNKNOWN_SECOND = ["a, b", "x, y", "r, t", "reply, thing", "reply, z=None", "pred, output", "one, two"]
TARGET_FIRST = [
    "target, reply", "expected, actual", "gold, pred", "reference, prediction", "answer, reply", "y_true, y_pred",
    "label, prediction", "ground_truth, completion", "expected_output, output", "solution, response",
    "correct_answer, model_answer", "dataset_item, llm_output", "example, pred, trace=None", "gold, pred, trace=None",
    "gold, pred, trace=None, pred_name=None, pred_trace=None", "example, prediction", "gold, pred, trace",
    "gold, pred, trace, pred_name, pred_trace", "item, output", "row, response",
]  # fmt: skip


@pytest.mark.parametrize("signature", [*REPLY_FIRST, *UNKNOWN_SECOND, *TARGET_FIRST])
def test_equality_is_right_for_a_right_reply_and_wrong_for_a_wrong_one(signature: str) -> None:
    metric = from_callable(equality(signature))
    assert metric("Paris", EXAMPLE).value == 1.0
    assert metric("Rome", EXAMPLE).value == 0.0


@pytest.mark.parametrize("signature", [*REPLY_FIRST, *UNKNOWN_SECOND, *TARGET_FIRST])
def test_membership_of_several_targets(signature: str) -> None:
    names = [
        part.split("=")[0].split(":")[0].strip() for part in signature.split(",") if part.strip() not in ("*", "/")
    ]
    reply, right = (names[1], names[0]) if signature in TARGET_FIRST else (names[0], names[1])
    metric = from_callable(equality(signature, f"float({reply} in {right})"))
    assert metric("Lutetia", SEVERAL).value == 1.0
    assert metric("Rome", SEVERAL).value == 0.0


@pytest.mark.parametrize(
    ("signature", "body"),
    [
        ("reply, example", "float(example.target == reply)"),
        ("reply, ex", "float(ex.target == reply)"),
        ("reply, e", "float(e.target == reply)"),
        ("r, thing", "float(thing.target == r)"),
        ("reply, thing: Example", "float(thing.target == reply)"),
        ("reply, wanted: 'Example'", "float(wanted.target == reply)"),
        ("reply, *, example", "float(example.target == reply)"),
        ("reply, row", "float(row.target == reply)"),
        ("example, reply", "float(example.target == reply)"),
        ("reply, question, target", "float(question.startswith('Capital') and target == reply)"),
        ("input, output, expected", "float('France' in input and output == expected)"),
        ("inputs, outputs, reference_outputs", "float('France' in inputs and outputs == reference_outputs)"),
        ("question, reply, target", "float('France' in question and reply == target)"),
        ("example, pred, trace=None", "float(example.answer == pred.answer)"),
        ("example, pred, trace=None", "float(example.answer.lower() == pred.answer.strip().lower())"),
        ("gold, pred, trace=None", "float(gold.label == pred.label and gold.question == 'Capital of France?')"),
        ("gold, pred, trace=None", "float(gold['answer'] == pred['answer'] and gold.title == 'cities')"),
        ("dataset_item, llm_output", "float(dataset_item['answer'] == llm_output)"),
        ("item: dict[str, str], output: str", "float(item['target'] == output)"),
    ],
)
def test_examples_and_the_order_of_dspy_and_gepa(signature: str, body: str) -> None:
    metric = from_callable(equality(signature, body))
    assert metric("Paris", EXAMPLE).value == 1.0
    assert metric("Rome", EXAMPLE).value == 0.0


def test_in_the_usual_order_the_reply_is_plain_text_and_the_example_an_example() -> None:
    seen: list[object] = []

    def keep(reply: str, example: Example) -> bool:
        seen.extend((reply, example))
        return True

    from_callable(keep)("Paris", EXAMPLE)
    assert seen == ["Paris", EXAMPLE]
    assert type(seen[0]) is str
    assert seen[1] is EXAMPLE


def test_a_function_that_ignores_its_second_parameter_gets_the_example() -> None:
    assert from_callable(equality("reply, _", "len(reply) < 9"))("Paris", EXAMPLE).value == 1.0


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("reply", "takes 1 arguments"),
        ("target, answer", "looks swapped: its first parameter is 'target'"),
        ("expected, text", "looks swapped"),
        ("gold, x", "looks swapped"),
        ("reference, y", "looks swapped"),
        ("example, text", "looks swapped"),
        ("target, expected", "looks swapped"),
        ("a, b, c", r"takes 3 arguments \(a, b, c\); expected \(reply, target\)"),
        ("reply, target, extra", r"takes 3 arguments \(reply, target, extra\)"),
        ("reply, target, expected", "takes"),
    ],
)
def test_a_signature_that_cannot_be_read_is_refused_at_once(signature: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_callable(equality(signature, "1.0"))


@pytest.mark.parametrize("metric", [None, 3, 0.5, ["exact"], {"metric": "exact"}])
def test_what_is_no_function_is_refused(metric: object) -> None:
    with pytest.raises(ConfigError, match=r"metric is .*expected an answer type"):
        from_callable(cast("Callable[..., object]", metric))
    with pytest.raises(ConfigError, match="metric is"):
        askwell.evaluate("x", data=[{"question": "q", "answer": "a"}], target=str.upper, metric=cast("Any", metric))


@pytest.mark.parametrize(
    ("returned", "score"),
    [
        (True, Score(value=1.0)),
        (Fraction(1, 4), Score(value=0.25)),
        (1.0000000001, Score(value=1.0)),
        (-1e-17, Score(value=0.0)),
        (1 + 5e-10, Score(value=1.0)),
        ((1.0000000001, "fine"), Score(value=1.0, note="fine")),
        ({"score": 0.5, "feedback": "half"}, Score(value=0.5, note="half")),
        ({"score": 1}, Score(value=1.0)),
        (SimpleNamespace(score=0.5, feedback="half"), Score(value=0.5, note="half")),
        (Score(value=1.0000000001, answer="a"), Score(value=1.0, answer="a")),
    ],
)
def test_returned_values(returned: object, score: Score) -> None:
    assert from_callable(returning(returned))("x", EXAMPLE) == score


@pytest.mark.parametrize(
    "returned", [1.001, -0.001, 1 + 1e-8, math.nan, math.inf, None, "1", b"1", (1, 2, 3), [1], {"value": 1}, {}, 2, -1]
)
def test_other_values_are_refused(returned: object) -> None:
    with pytest.raises(DataError, match="metric 'metric' returned"):
        from_callable(returning(returned))("x", EXAMPLE)


def raising(reply: str, target: str) -> float:
    if reply == "Rome":
        raise KeyError("population")
    return 1 / len(reply)


@pytest.mark.parametrize(
    ("function", "reply", "error"),
    [
        (raising, "Rome", "KeyError: 'population'"),
        (raising, "", "ZeroDivisionError: division by zero"),
        (
            equality("reply, target", "target.missing"),
            "Rome",
            "AttributeError: 'str' object has no attribute 'missing'",
        ),
        (equality("gold, pred, trace=None", "gold.missing"), "Rome", "AttributeError"),
        (equality("gold, pred, trace=None", 'gold["missing"]'), "Rome", "KeyError: 'missing'"),
        (equality("reply, target", "next(iter(()))"), "Rome", "StopIteration"),
        (equality("reply, target", 'askwell.grade("number", reply, target)'), "Rome", "DataError: "),
    ],
)
def test_a_metric_that_raises_names_the_example_and_the_reply(
    function: Callable[..., object], reply: str, error: str
) -> None:
    with pytest.raises(DataError) as caught:
        from_callable(function)(reply, EXAMPLE)
    message = str(caught.value)
    assert error in message
    assert "example 'e7'" in message
    assert f"the reply {reply!r}" in message


def test_an_interrupt_in_a_metric_stays_an_interrupt() -> None:
    def interrupted(reply: str, target: str) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_callable(interrupted)("x", EXAMPLE)


def test_a_partial_and_a_bound_method_are_functions_too() -> None:
    def scaled(reply: str, target: str, *, weight: float) -> float:
        return weight * (reply == target)

    class Judge:
        def score(self, output: str, expected: str) -> bool:
            return output == expected

    assert from_callable(functools.partial(scaled, weight=0.5))("Paris", EXAMPLE).value == 0.5
    assert from_callable(Judge().score)("Paris", EXAMPLE).value == 1.0


def test_feedback_of_any_kind_becomes_text() -> None:
    feedback: Mapping[str, object] = {"score": 0, "feedback": None}
    assert from_callable(returning(feedback))("x", EXAMPLE) == Score(value=0.0)

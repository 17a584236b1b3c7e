"""The score of always giving the commonest target."""

from __future__ import annotations

import pytest

from askwell.core.types import Example
from askwell.engine.replies.commonest import find_commonest_target
from askwell.engine.replies.grading import Grading

CASES: list[tuple[str | None, list[str | tuple[str, ...]], tuple[str, float] | None]] = [
    ("exact", ["a", "b", "a", "c"], ("a", 0.5)),
    ("exact", ["a", "A", " a", "b"], ("a", 0.75)),
    ("exact", ["a", "b", "c"], None),
    ("exact", ["a"], None),
    ("exact", [], None),
    ("exact", ["b", "a", "a", "b"], ("b", 0.5)),  # of equally common ones, the first
    ("exact", [("a", "b"), "b", ("c", "b")], ("b", 1.0)),
    ("exact", [("a", "A"), "b", "c"], None),  # twice in one example is once
    ("number", ["1,000", "1000", "1000", "7"], ("1000", 0.75)),
    ("boolean", ["True", "False", "True"], ("True", 2 / 3)),
    ("f1", ["red car", "red car", "red bus"], ("red car", (1 + 1 + 0.5) / 3)),
    ("regex", [r"\d", r"\d", "x"], (r"\d", 2 / 3)),
    ("choice", ["(A)", "(B)", "(A)"], ("(A)", 2 / 3)),
    ("my_metric", ["a", "a", "b"], ("a", 2 / 3)),
    ("", ["a", "a", "b"], ("a", 2 / 3)),
    (None, ["a", "a", "b"], ("a", 2 / 3)),
]


@pytest.mark.parametrize(("metric", "targets", "expected"), CASES)
def test_the_commonest_target(
    metric: str | None, targets: list[str | tuple[str, ...]], expected: tuple[str, float] | None
) -> None:
    examples = [Example(id=str(index), input="q", target=target) for index, target in enumerate(targets)]
    found = find_commonest_target(examples, Grading(metric=metric))
    assert (found and (found.target, found.score)) == (expected and (expected[0], pytest.approx(expected[1])))

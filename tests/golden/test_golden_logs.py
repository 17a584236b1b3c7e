"""The same job and seed give the same log as before the refactoring, event by event."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest

from tests.golden.conversion import upgrade_event
from tests.golden.jobs import JOBS, Row, read_golden

TOLERANCE = 1e-6


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in JOBS])
def test_a_log_equals_the_golden_one(name: str, tmp_path: Path) -> None:
    golden = [upgraded(row) for row in read_golden(name)]
    rows = JOBS[name](tmp_path)
    for expected, actual in zip(golden, rows, strict=False):
        difference = next(differences(expected, actual), None)
        assert difference is None, f"event {expected['position']} ({expected['kind']}): {difference}"
    assert len(rows) == len(golden)


def test_a_difference_is_noticed_and_its_place_named() -> None:
    one = {"position": 3, "body": {"score": [0.5, "a"], "step": 1}}
    assert list(differences(one, {"position": 3, "body": {"score": [0.5 + 1e-9, "a"], "step": 1}})) == []
    assert list(differences(one, {"position": 3, "body": {"score": [0.6, "a"], "draw": 1}})) == [
        ".body: keys ['score', 'step'] before, ['draw', 'score'] now",
        ".body.score[0]: 0.5 before, 0.6 now",
    ]
    assert list(differences(one, one | {"position": 4})) == [".position: 3 before, 4 now"]


def upgraded(row: Row) -> Row:
    """Return a golden event in the current log format."""
    kind, body = upgrade_event(row["kind"], row["body"])
    return {**row, "kind": kind, "body": body}


def differences(expected: object, actual: object, path: str = "") -> Iterator[str]:
    """Yield where two JSON values differ; floats may differ by rounding."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        yield from _in_objects(cast("Mapping[str, object]", expected), cast("Mapping[str, object]", actual), path)
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from _in_lists(cast("list[object]", expected), cast("list[object]", actual), path)
    elif isinstance(expected, float) and isinstance(actual, float):
        if not math.isclose(expected, actual, rel_tol=0, abs_tol=TOLERANCE):
            yield f"{path}: {expected!r} before, {actual!r} now"
    elif type(expected) is not type(actual) or expected != actual:
        yield f"{path}: {expected!r} before, {actual!r} now"


def _in_objects(expected: Mapping[str, object], actual: Mapping[str, object], path: str) -> Iterator[str]:
    if expected.keys() != actual.keys():
        yield f"{path}: keys {sorted(expected)} before, {sorted(actual)} now"
    for key in expected.keys() & actual.keys():
        yield from differences(expected[key], actual[key], f"{path}.{key}")


def _in_lists(expected: Sequence[object], actual: Sequence[object], path: str) -> Iterator[str]:
    if len(expected) != len(actual):
        yield f"{path}: {len(expected)} elements before, {len(actual)} now"
    for index, (left, right) in enumerate(zip(expected, actual, strict=False)):
        yield from differences(left, right, f"{path}[{index}]")

"""Where two JSON values differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

JsonObject = dict[str, Any]
TOLERANCE = 1e-6
"""Most by which two floats may differ."""


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """Yield where two JSON values differ; floats may differ by rounding."""
    is_close = isinstance(expected, float) and isinstance(actual, float) and abs(expected - actual) <= TOLERANCE
    if type(expected) is type(actual) is dict:
        yield from _in_objects(cast("JsonObject", expected), cast("JsonObject", actual), path)
    elif type(expected) is type(actual) is list:
        yield from _in_lists(cast("list[Any]", expected), cast("list[Any]", actual), path)
    elif not is_close and (type(expected) is not type(actual) or expected != actual):
        yield f"{path}: {expected!r} before, {actual!r} now"


def _in_objects(expected: JsonObject, actual: JsonObject, path: str) -> Iterator[str]:
    if expected.keys() != actual.keys():
        yield f"{path}: keys {sorted(expected)} before, {sorted(actual)} now"
    for key in expected.keys() & actual.keys():
        yield from differences(expected[key], actual[key], f"{path}.{key}")


def _in_lists(expected: list[Any], actual: list[Any], path: str) -> Iterator[str]:
    if len(expected) != len(actual):
        yield f"{path}: {len(expected)} elements before, {len(actual)} now"
    for index, (left, right) in enumerate(zip(expected, actual, strict=False)):
        yield from differences(left, right, f"{path}[{index}]")

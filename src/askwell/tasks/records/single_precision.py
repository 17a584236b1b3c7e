"""Numbers of single and half precision, which a Python float shows with too many digits: 0.1 as 0.10000000149011612."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

Precision: TypeAlias = Literal["f", "e"]
"""Single or half precision: their format codes of `struct`."""

_DIGITS: Mapping[Precision, range] = {"e": range(3, 6), "f": range(6, 10)}
"""Precision -> numbers of digits among which the shortest decimal of such a number is found."""


def shorten(value: object, code: Precision) -> object:
    """Return the number with the fewest digits that has the same single (f) or half (e) precision value.

    Lists and objects are converted inside; any other value stays.
    """
    if isinstance(value, float):
        return _shortest(value, code)
    if isinstance(value, list):
        return [shorten(item, code) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: shorten(item, code) for key, item in cast("dict[str, object]", value).items()}
    return value


def _shortest(value: float, code: Precision) -> float:
    if value % 1 == 0 or _rounded(value, code) != value:
        return value  # a whole number, whose digits are all right, or one of double precision; also NaN
    return next(
        (short for digits in _DIGITS[code] if _rounded(short := float(f"{value:.{digits}g}"), code) == value), value
    )


def _rounded(value: float, code: Precision) -> float | None:
    try:
        return cast("float", struct.unpack(code, struct.pack(code, value))[0])
    except OverflowError:
        return None

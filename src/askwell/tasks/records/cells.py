"""Convert the value of a cell to text, as a user would write it; what has no such text is refused."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import math
import uuid
from collections.abc import Iterable, Mapping
from typing import Protocol, cast, runtime_checkable

from askwell.tasks.records.single_precision import Precision, shorten

_MISSING = frozenset({"NAType", "NaTType"})
"""Types of pandas' missing values, which compare as nothing else does."""
_PRECISIONS: Mapping[str, Precision] = {"float32": "f", "float16": "e"}
_TEXTUAL = (dt.date, dt.time, dt.timedelta, fractions.Fraction, uuid.UUID)
_EXACT_INTEGERS = 1e16
"""From here on a float is not every whole number, and is shown with its exponent."""


@runtime_checkable
class _Array(Protocol):
    """An array, tensor or series, or one of their scalars."""

    def tolist(self) -> object: ...


@runtime_checkable
class _ArrowScalar(Protocol):
    def as_py(self) -> object: ...


def to_text(value: object) -> str:
    """Convert a scalar to text: 51.0 is "51", True is "True"; None, NaN, NA and NaT are "" (missing).

    Raises `TypeError`, with the type's name, for a list, an object, or a value without a usual text.
    """
    plain = to_plain(value)
    match plain:
        case None:
            return ""
        case str():
            return repair_surrogates(plain)
        case bool():
            return str(plain)
        case int():
            return _text(int(plain))  # int: the text of an IntEnum may be its name
        case float():
            return _decimal(plain)
        case _:
            raise TypeError(type(plain).__name__)


def to_plain(value: object) -> object:
    """Return what JSON could hold: text, a number, a list or an object; None for a missing value.

    Arrays and tensors become lists, and their scalars numbers. Lists are not converted inside. Raises `TypeError`,
    with the type's name, for anything else.
    """
    if isinstance(value, enum.Enum) and not isinstance(value, str | int):
        raise TypeError(f"{type(value).__name__} (an Enum; give its .name or .value)")
    match value:
        case None:
            return None
        case str():
            return str.__str__(value.value if isinstance(value, enum.Enum) else value)
        case bool() | int() | float() | list() | tuple() | dict():
            return cast("object", value)
        case bytes() | bytearray() | memoryview():
            raise TypeError(f"{type(cast('object', value)).__name__} (decode it to text)")
        case Mapping():
            return dict(cast("Mapping[str, object]", value))
        case decimal.Decimal():
            return None if value.is_nan() else str(value)
        case _ if type(value).__name__ in _MISSING:
            return None
        case _ if isinstance(value, _TEXTUAL):
            return _text(value)
        case _:
            return _from_array(value)


def _from_array(value: object) -> object:
    dtype = str(getattr(value, "dtype", "")).rpartition(".")[2]  # "torch.float32" is float32
    if dtype.startswith(("datetime64", "timedelta64")):  # `tolist` makes bare numbers of nanoseconds
        if getattr(value, "shape", ()):
            return [to_plain(item) for item in cast("Iterable[object]", value)]
        return None if str(value) == "NaT" else str(value)
    try:
        if isinstance(value, _Array):
            plain = value.tolist()
        elif isinstance(value, _ArrowScalar):
            plain = value.as_py()
        else:
            raise TypeError(type(value).__name__)
    except (ValueError, RuntimeError, NotImplementedError, AttributeError) as error:
        raise TypeError(type(value).__name__) from error
    if isinstance(plain, bytes):
        raise TypeError("bytes (decode it to text)")
    if isinstance(plain, _TEXTUAL):
        return _text(plain)
    if plain is not None and not isinstance(plain, bool | int | float | str | list | dict):
        raise TypeError(type(value).__name__)
    return shorten(cast("object", plain), _PRECISIONS[dtype]) if dtype in _PRECISIONS else cast("object", plain)


def _text(value: object) -> str:
    try:
        return str(value)
    except ValueError as error:  # Python converts no whole number of more than 4300 digits
        raise TypeError(f"{type(value).__name__} of too many digits") from error


def _decimal(number: float) -> str:
    if math.isnan(number):
        return ""
    if number.is_integer() and abs(number) < _EXACT_INTEGERS:
        return str(int(number))
    return float.__repr__(number)


def show_value(value: object, at_most: int) -> str:
    """Return the beginning of a value in Python's notation, for a message."""
    try:
        return repr(value)[:at_most]
    except (ValueError, RecursionError):  # a number of thousands of digits, also inside a list
        return f"<{type(value).__name__}>"


def repair_surrogates(text: str) -> str:
    """Join surrogate pairs and replace unpaired surrogates: JSON can contain them, UTF-8 cannot."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text

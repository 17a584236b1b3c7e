"""Read the value that a metric function returns as a score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol, cast, runtime_checkable

from askwell.core.errors import DataError
from askwell.core.types import Score


@runtime_checkable
class _WithFeedback(Protocol):
    """A value with a score and feedback as attributes."""

    score: object
    feedback: object


_ROUNDING = 1e-9
"""How far outside 0..1 a value may be: a mean of floats is 1.0000000001 now and then."""


def read_score(returned: object, name: str) -> Score:
    """Return a number, (number, feedback), {"score": …, "feedback": …} or an object with these as a `Score`.

    Raises `DataError` for any other value, and for a number outside 0..1.
    """
    if isinstance(returned, Score):
        return Score(value=_checked(returned.value, name), answer=returned.answer, note=returned.note)
    value, note = _parts(returned, name)
    return Score(value=_checked(value, name), note="" if note is None else str(note))


def _parts(returned: object, name: str) -> tuple[object, object]:
    match returned:
        case tuple():
            parts = cast("tuple[object, ...]", returned)
            if len(parts) != 2:
                raise _refusal(parts, name)
            return parts[0], parts[1]
        case Mapping():
            fields = cast("Mapping[object, object]", returned)
            if "score" not in fields:
                raise _refusal(fields, name)
            return fields["score"], fields.get("feedback")
        case _WithFeedback():  # dspy.Prediction, as GEPA's metrics return it
            return returned.score, returned.feedback
        case _:
            return returned, ""


def _checked(value: object, name: str) -> float:
    try:
        number = float(cast("float", value)) if not isinstance(value, str | bytes) else math.nan
    except (TypeError, ValueError, OverflowError, RuntimeError):  # RuntimeError: a tensor of several values
        number = math.nan
    if not -_ROUNDING <= number <= 1.0 + _ROUNDING:
        raise _refusal(value, name)
    return min(1.0, max(0.0, number))


def _refusal(returned: object, name: str) -> DataError:
    return DataError(f"metric {name!r} returned {returned!r}; expected a number from 0 to 1, or (number, feedback)")

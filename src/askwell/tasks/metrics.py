"""Metrics: score a reply to an example.

A named metric grades by answer type. `from_callable` turns any callable into a metric.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import cast

from askwell.core.errors import ConfigError, DataError, nearest
from askwell.core.protocols import Metric
from askwell.core.types import Example, Score
from askwell.tasks.grading.context import GradingContext
from askwell.tasks.grading.grade import ANSWER_TYPES, AnswerType, extract, grade, score_reply

__all__ = ["ANSWER_TYPES", "AnswerType", "Metric", "extract", "from_callable", "grade", "metric"]

_TARGET_NAMES = frozenset(
    {"target", "targets", "answer", "answers", "gold", "label", "expected", "reference", "references"}
)


def metric(name: str, *, labels: Sequence[str] = ()) -> Metric:
    """Return the metric of an answer type; raise `ConfigError` with the nearest match for an unknown name.

    `labels` are all answers that the task allows, for "label"; a task that is built from data gives its targets.
    """
    if name not in ANSWER_TYPES:
        raise ConfigError(f"unknown metric {name!r}; {nearest(name, ANSWER_TYPES)}")

    known = tuple(labels)

    def by_type(reply: str, example: Example) -> Score:
        return score_reply(name, reply, example.target, GradingContext(question=example.input, labels=known))

    by_type.__name__ = by_type.__qualname__ = name
    return by_type


def from_callable(function: Callable[..., object]) -> Metric:
    """Make a metric from a callable `(reply, example)` or `(reply, target)` -> float, bool, int or (score, feedback).

    The signature decides what the second parameter receives; the callable is not called to find out. If the parameter
    has an annotation, that decides (`Example`, or `str`, `tuple`, … for the target). Otherwise the names `target`,
    `answer`, `gold`, `label`, `expected`, `reference` and their plurals receive the target, and any other name the
    whole Example. A keyword-only `example` or `target` also works. The target is a tuple if the example has several.
    The callable may also return a `Score`. Feedback becomes `Score.note`.

    Raises:
        ConfigError: The signature fits neither form (raised here, not at the first reply), or the function is async.
        DataError: The returned value is no finite number in 0..1 (raised when the metric is called).

    """
    call = _caller(function)
    name = getattr(function, "__name__", type(function).__name__)

    def by_callable(reply: str, example: Example) -> Score:
        return _score(call(reply, example), name)

    by_callable.__name__ = by_callable.__qualname__ = name
    return by_callable


def _caller(function: Callable[..., object]) -> Callable[[str, Example], object]:
    name = getattr(function, "__name__", repr(function))
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004 - reads the code of __call__
        raise ConfigError(f"metric {name!r} is async; give a plain function of (reply, example)")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some builtins have no signature
        return function
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keyword = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name in ("example", *_TARGET_NAMES)]
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(positional) == 1 and len(keyword) == 1 and len(required) <= 2:
        named, whole = keyword[0].name, not _wants_target(keyword[0])
        return lambda reply, example: function(reply, **{named: example if whole else example.target})
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if any(p not in positional[:2] for p in required) or (len(positional) < 2 and not variadic):
        raise ConfigError(
            f"metric {name!r} takes {len(required)} arguments; expected (reply, example) or (reply, target)"
        )
    if len(positional) > 1 and _wants_target(positional[1]):
        return lambda reply, example: function(reply, example.target)
    return function


def _wants_target(parameter: inspect.Parameter) -> bool:
    note: object = parameter.annotation
    if note is not parameter.empty and note not in (object, "object", "Any"):
        text = note if isinstance(note, str) else getattr(note, "__name__", "") or repr(note)
        if "Example" in text:
            return False
        if any(word in text for word in ("str", "tuple", "Sequence", "list")):
            return True
    return parameter.name in _TARGET_NAMES


def _score(returned: object, name: str) -> Score:
    if isinstance(returned, Score):
        return Score(value=_checked(returned.value, name), answer=returned.answer, note=returned.note)
    parts = cast("tuple[object, ...]", returned) if isinstance(returned, tuple) else (returned, "")
    if len(parts) != 2:
        raise DataError(f"metric {name!r} returned {returned!r}; expected a number from 0 to 1, or (number, feedback)")
    value, note = parts
    return Score(value=_checked(value, name), note="" if note is None else str(note))


def _checked(value: object, name: str) -> float:
    try:
        number = float(cast("float", value)) if not isinstance(value, str) else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and 0.0 <= number <= 1.0):
        raise DataError(f"metric {name!r} returned {value!r}; expected a number from 0 to 1, or (number, feedback)")
    return number

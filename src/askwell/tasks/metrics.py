"""Metrics: score a reply to an example.

A named metric grades by answer type. `from_callable` turns any callable into a metric.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from askwell.core.errors import ConfigError, DataError, nearest
from askwell.core.protocols import Metric
from askwell.core.types import Example, Score
from askwell.tasks.functions.binding import bind
from askwell.tasks.functions.returned import read_score
from askwell.tasks.grading.context import GradingContext
from askwell.tasks.grading.grade import ANSWER_TYPES, AnswerType, extract, grade, score_reply

__all__ = ["ANSWER_TYPES", "AnswerType", "Metric", "extract", "from_callable", "grade", "metric"]


def metric(name: str, *, labels: Sequence[str] = ()) -> Metric:
    """Return the metric of an answer type; raise `ConfigError` with the nearest match for an unknown name.

    `labels` are all answers that the task allows, for "label"; a task that is built from data gives its targets.
    """
    if name not in ANSWER_TYPES:
        raise ConfigError(f"unknown metric {name!r}; {nearest(name, ANSWER_TYPES)}")

    all_labels = tuple(labels)

    def by_type(reply: str, example: Example) -> Score:
        return score_reply(name, reply, example.target, GradingContext(question=example.input, labels=all_labels))

    by_type.__name__ = by_type.__qualname__ = name
    return by_type


def from_callable(function: Callable[..., object]) -> Metric:
    """Make a metric from a function of a reply and a target or example.

    The names of the parameters decide what each receives: `reply`, `output`, `prediction`, … the reply; `target`,
    `answer`, `expected_output`, `ground_truth`, `y_true`, … the target (a tuple if the example has several);
    `example`, `row`, … the whole `Example`; `question`, `input` its input. So the order does not matter where both
    names are known. An annotation (`Example`, or `str`, `tuple`, …) decides before a name. In the order of DSPy and
    GEPA, `(example, pred, trace=None)`, the example equals its target and has the fields of the data, and every field
    of `pred` is the reply. If the second name says nothing, `function` is called once with a target as reply, to see
    which of the two it expects.

    The function returns a float, bool or int in 0..1, (score, feedback), {"score": …, "feedback": …}, an object with
    these two attributes, or a `Score`. Feedback becomes `Score.note`.

    Raises:
        ConfigError: The signature fits none of these forms (raised here, not at the first reply), the function is
            async, or it is no function.
        DataError: The function raised an exception, or the value is no number in 0..1 (raised when the metric is
            called; the message has the example and the reply).

    """
    if not callable(function):
        raise ConfigError(
            f"metric is {function!r}; expected an answer type {list(ANSWER_TYPES)} or a function of (reply, target)"
        )
    name = getattr(function, "__name__", type(function).__name__)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004 - reads the code of __call__
        raise ConfigError(f"metric {name!r} is async; give a plain function of (reply, target)")
    call = bind(function, name)

    def by_callable(reply: str, example: Example) -> Score:
        with _NamesExample(name, reply, example):
            returned = call(reply, example)
        return read_score(returned, name)

    by_callable.__name__ = by_callable.__qualname__ = name
    return by_callable


@dataclass(frozen=True, slots=True)
class _NamesExample:
    """A context in which the exception of a metric function becomes a `DataError` with the example and the reply."""

    metric: str
    reply: str
    example: Example

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            raise DataError(
                f"metric {self.metric!r} raised {type(error).__name__}: {error} on example {self.example.id!r} "
                f"(target {self.example.target!r:.200}) with the reply {self.reply!r:.500}; correct the metric"
            ) from error

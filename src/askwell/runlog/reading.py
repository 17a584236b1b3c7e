"""Read events whose bodies have the right shape.

A log may come from a stranger, from a damaged disk, or from somebody's editor. Every reader takes its events from
`read_events`, so that a wrong body is one `StoreError` that names the run, the position and the field.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from askwell.core.errors import StoreError
from askwell.core.types import Event, EventKind
from askwell.runlog.bodies import BODIES
from askwell.runlog.store import RunStore

_Value = TypeVar("_Value")
_LONGEST_SHOWN = 60


def read_events(store: RunStore, *, after: int = -1, kinds: Collection[EventKind] = ()) -> Iterator[Event]:
    """Yield a log's events like `store.events`. Raises `StoreError` for a body of another shape than its kind has."""
    for event in store.events(after=after, kinds=kinds):
        with located(store, event.position):
            check_shape(event.body, BODIES[event.kind])
        yield event


def check_event(event: Event) -> None:
    """Raise `StoreError` with the field if an event's body has not the shape of its kind."""
    if event.kind not in BODIES:
        raise StoreError(f"unknown kind of event {event.kind!r}; expected one of {sorted(BODIES)}")
    check_shape(event.body, BODIES[event.kind])


def check_shape(body: object, shape: TypeAdapter[Any]) -> None:
    """Raise `StoreError` with the first field that differs from the shape."""
    problem = find_problem(body, shape)
    if problem:
        raise StoreError(problem)


def find_problem(body: object, shape: TypeAdapter[Any]) -> str:
    """Describe the first field that differs from the shape; empty if there is none."""
    try:
        shape.validate_python(body)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        # A part with brackets is pydantic's name of an alternative, not a field.
        field = ".".join(str(part) for part in problem["loc"] if "[" not in str(part))
        actual = "" if problem["type"] == "missing" else f", not {_shorten(problem['input'])}"
        message = problem["msg"]
        return f"{field or 'the body'}: {message[0].lower()}{message[1:]}{actual}"
    return ""


@contextmanager
def located(store: RunStore, position: int) -> Generator[None]:
    """Add the run and the position to a `StoreError` about one event of a log."""
    try:
        yield
    except StoreError as error:
        run = "" if store.name is None else f"run {store.name!r}, "
        raise StoreError(f"{run}position {position}: {error}; the log is damaged or was edited") from error


class ById(dict[str, _Value]):
    """Values by the id that an earlier event gave them. An unknown id is a `StoreError`."""

    def __init__(self, kind: str) -> None:
        """Take what the values are called in messages: "prompt" or "example"."""
        super().__init__()
        self._kind = kind

    def __missing__(self, key: str) -> _Value:
        raise StoreError(f"no earlier event holds the {self._kind} {key!r}")


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"

"""Decode the rows of a log: whole events, and rows without texts, which a fold over a million rollouts can afford."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

from pydantic import TypeAdapter, ValidationError

from askwell.core.errors import StoreError
from askwell.core.types import Event, Split
from askwell.runlog.bodies import Count, Share, Text
from askwell.runlog.codec import Body, decode_completion

EventRow = tuple[int, str, str, float, float, str]
"""Position, kind, key, at, seconds, and the body as JSON text."""

_LATEST = 1e11
"""No time of an event, in seconds, is above this: the calendar ends before."""
_CELLS = TypeAdapter[Any](list[tuple[Split, Text, Text, Count | None, Share | None, object]])
_CELL_FIELDS = ("split", "prompt", "example", "sample_index", "score", "cached")


class RolloutRow(NamedTuple):
    """A rollout without its texts; the prompt and the example by their ids."""

    position: int
    split: str
    prompt: str
    example: str
    sample_index: int
    score: float | None
    """None if the call failed."""
    is_cached: bool
    """Whether it was answered from the log."""


class UsageRow(NamedTuple):
    """What some calls of one model used: either all of them failed or none did."""

    role: str
    is_failed: bool
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    """None if no call had a known price."""
    seconds: float


_new_row = cast(
    "Callable[[type[RolloutRow], tuple[object, ...]], RolloutRow]",
    tuple.__new__,  # pyright: ignore[reportUnknownMemberType]  its stub leaves the item type open
)
"""`RolloutRow(...)` in half the time: a log may hold a million."""


def decode_event(row: tuple[int, Any, Any, Any, Any, Any], *, run: str | None) -> Event:
    """Return the event of a database row. Raises `StoreError` with the run and the position for a damaged one."""
    position, kind, key, at, seconds, text = row
    try:
        body: object = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"{_place(run, position)}: the body is not JSON ({error}); the log is damaged") from error
    are_times = all(isinstance(time, int | float) and 0 <= time < _LATEST for time in (at, seconds))
    if not (isinstance(body, dict) and isinstance(key, str) and are_times):
        raise StoreError(f"{_place(run, position)}: the row is not an event; the log is damaged or was edited")
    return Event(position=position, kind=kind, body=cast("Body", body), key=key, at=at, seconds=seconds)


def decode_cells(rows: Sequence[tuple[int, str | None]], *, run: str | None) -> Iterator[RolloutRow]:
    """Yield the rollouts of (position, JSON list of `_CELL_FIELDS`). Raises `StoreError` as `decode_event` does."""
    cells = json.loads(f"[{','.join(values or 'null' for _, values in rows)}]")
    try:
        _CELLS.validate_python(cells)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        index, *fields = cast("tuple[int, ...]", problem["loc"])
        where, name = _place(run, rows[index][0]), _CELL_FIELDS[fields[0]] if fields else "the body"
        raise StoreError(
            f"{where}: {name}: {problem['msg']}, not {problem['input']!r}; the log is damaged or was edited"
        ) from error
    for (position, _), (split, prompt, example, sample, score, cached) in zip(rows, cells, strict=True):
        values = (position, split, prompt, example, sample or 0, score, cached is not None)
        yield _new_row(RolloutRow, values)


def _place(run: str | None, position: int) -> str:
    return f"position {position}" if run is None else f"run {run!r}, position {position}"


def decode_row(event: Event) -> RolloutRow:
    """Read from a rollout event what a fold over a whole log needs."""
    body = event.body
    score = cast("tuple[float, str, str] | None", body["score"])
    return RolloutRow(
        position=event.position,
        split=cast("str", body["split"]),
        prompt=cast("str", body["prompt"]),
        example=cast("str", body["example"]),
        sample_index=cast("int", body.get("sample_index", 0)),
        score=None if score is None else score[0],
        is_cached="cached" in body,
    )


def usage_rows(events: Iterable[Event]) -> Iterator[UsageRow]:
    """Yield what each call used; calls answered from the log used nothing."""
    for event in events:
        if event.kind in {"call", "rollout"} and not event.body.get("cached"):
            completion = decode_completion(cast("Body", event.body["completion"]))
            yield UsageRow(
                role=cast("str", event.body.get("role", "target")),
                is_failed=completion.outcome == "failed",
                calls=1,
                prompt_tokens=completion.usage.prompt_tokens,
                completion_tokens=completion.usage.completion_tokens,
                cost_usd=completion.usage.cost_usd,
                seconds=event.seconds,
            )

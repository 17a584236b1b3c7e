"""Records that users hold, as rows of offline data: JSONL, CSV, TSV, JSON or Parquet.

Each row has a query, a prompt and an outcome: one scored answer (a score, or right/wrong), or a count, `draws`
answers of which `correct` were right. Columns are found by their usual names or named outright.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from askwell.core.errors import ConfigError, DataError, nearest
from askwell.policies.data.outcomes import OutcomeRow
from askwell.tasks.readers import Record, read_records

USUAL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "query": ("query", "query_text", "question", "input"),
        "prompt": ("prompt", "prompt_text", "instruction"),
        "outcome": ("correct", "outcome", "score", "reward"),
        "sample_index": ("sample_index", "draw"),
        "draws": ("draws",),
        "target": ("target_model", "target_llm", "target"),
        "confidence": ("confidence", "logprob"),
    }
)
"""Field -> column names looked for, in this order."""

NEEDED = ("query", "prompt", "outcome")

_RIGHT = frozenset({"true", "yes", "correct", "right", "pass", "passed"})
_WRONG = frozenset({"false", "no", "incorrect", "wrong", "fail", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreScale:
    """The range of the source's scores; it is mapped to 0..1. Counts (`draws` with `correct`) need none."""

    low: float = 0.0
    high: float = 1.0


def read_outcomes(
    path: Path, *, columns: Mapping[str, str] | None = None, scale: ScoreScale | None = None
) -> Iterator[OutcomeRow]:
    """Stream a file's rows. `columns` maps a field (a key of `USUAL`) to the file's own column name.

    An empty outcome is a call that failed: no row. Raises `ConfigError` for an unknown field or column,
    `DataError` with the line for a value that can't be read.
    """
    named: dict[str, str] | None = None
    for record in read_records(path):
        if named is None:
            named = _columns(record.values, columns or {}, path)
        row = _row(record, named, path, scale or ScoreScale())
        if row is not None:
            yield row


def read_all(paths: Sequence[Path], *, columns: Mapping[str, str] | None = None) -> Iterator[OutcomeRow]:
    """Stream several files one after the other; raises `ConfigError` for one that is named twice."""
    seen: dict[Path, Path] = {}
    for path in paths:
        first = seen.setdefault(path.resolve(), path)
        if first is not path:
            raise ConfigError(f"{str(path)!r} is given twice: its draws would count double; name it once")
        yield from read_outcomes(path, columns=columns)


def _columns(first: Mapping[str, object], asked: Mapping[str, str], path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, column in asked.items():
        if name not in USUAL:
            raise ConfigError(f"unknown field {name!r} in columns; {nearest(name, USUAL)}")
        if column not in first:
            raise ConfigError(f"{path.name}: no column {column!r} for {name}; {nearest(column, first)}")
        found[name] = column
    for name, usual in USUAL.items():
        present = [column for column in usual if column in first]
        if name not in found and present:
            found[name] = present[0]
    missing = [name for name in NEEDED if name not in found]
    if missing:
        hint = ", ".join(f"{name} (usually {' or '.join(map(repr, USUAL[name]))})" for name in missing)
        raise DataError(f"{path.name}: no column for {hint}; it has {sorted(first)}; say which with columns=")
    return found


def _row(record: Record, columns: Mapping[str, str], path: Path, scale: ScoreScale) -> OutcomeRow | None:
    values = {name: record.values.get(column) for name, column in columns.items()}
    place = f"{path.name}: {record.location}"
    if values["outcome"] in (None, ""):
        return None
    draws = _whole(values.get("draws"), "draws", place, default=1)
    outcome = _number(values["outcome"], place)
    if "draws" not in columns:
        outcome = (outcome - scale.low) / (scale.high - scale.low)
    sample_index = values.get("sample_index")
    confidence = values.get("confidence")
    return OutcomeRow(
        query=_text(values["query"], "query", place),
        prompt=_text(values["prompt"], "prompt", place),
        total=outcome,
        draws=draws,
        sample_index=None if sample_index in (None, "") else _whole(sample_index, "sample_index", place, default=0),
        target=str(values.get("target") or ""),
        confidence=None if confidence in (None, "") else _number(confidence, place),
        place=place,
    )


def _text(value: object, name: str, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place}: {name} is {value!r}; expected a text")
    return value


def _whole(value: object, name: str, place: str, *, default: int) -> int:
    if value in (None, ""):
        return default
    number = _number(value, place)
    if number != int(number):
        raise DataError(f"{place}: {name} is {value!r}; expected a whole number")
    return int(number)


def _number(value: object, place: str) -> float:
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in _RIGHT or word in _WRONG:
            return float(word in _RIGHT)
        try:
            value = float(word)
        except ValueError:
            raise DataError(f"{place}: {value!r} is not a number, nor right or wrong") from None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{place}: {value!r} is not a number; leave the field empty where the call failed")
    return float(value)

"""Read files of records as rows of offline data: JSONL, CSV, TSV, JSON or Parquet.

Each record has a query, a prompt and an outcome. The outcome is either one scored answer (a score, or right/wrong) or a
count: `draws` answers, of which `correct` were right. Columns are found by their usual names, or named by the caller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from askwell.core.errors import ConfigError, DataError, nearest
from askwell.policies.data.outcomes import OutcomeRow
from askwell.tasks.readers import Record, read_records

USUAL_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "query": ("query", "query_text", "question", "input"),
        "prompt": ("prompt", "prompt_text", "instruction"),
        "outcome": ("correct", "score", "outcome", "reward"),
        "sample_index": ("sample_index", "draw"),
        "repeats": ("repeats", "draws"),
        "target": ("target_model", "target_llm", "target"),
        "confidence": ("confidence", "logprob"),
    }
)
"""Field -> usual column names, in order of preference."""

EXPORTED_COLUMNS: Mapping[str, str] = MappingProxyType(
    {"query": "input", "prompt": "prompt", "outcome": "score", "sample_index": "sample_index", "target": "target_model"}
)
"""Field -> column of a table of `askwell log export --table rollouts`. Its `target` is the right answer, and its
`outcome` says how the call ended."""
_MARKS_OF_AN_EXPORT = frozenset({"prompt_id", "example_id", "response", "split", "score"})

REQUIRED_FIELDS = ("query", "prompt", "outcome")

_RIGHT = frozenset({"true", "yes", "correct", "right", "pass", "passed"})
_WRONG = frozenset({"false", "no", "incorrect", "wrong", "fail", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreScale:
    """The range of the file's scores, which is mapped to 0..1. Counts (`draws` with `correct`) need no scale."""

    low: float = 0.0
    high: float = 1.0


def read_outcomes(
    path: Path, *, columns: Mapping[str, str] | None = None, scale: ScoreScale | None = None
) -> Iterator[OutcomeRow]:
    """Stream a file's rows. `columns` maps a field (a key of `USUAL_COLUMNS`) to the file's own column name.

    A record with an empty outcome is a failed call and gives no row. A run's exported rollouts are read as the run
    itself is: without its test split and without prompts that have demonstrations. Raises `ConfigError` for an unknown
    field or column, and `DataError` with the line for a value that can't be read.
    """
    column_of: dict[str, str] | None = None
    is_left_out = _is_never_left_out
    for record in read_records(path):
        if column_of is None:
            column_of = _find_columns(record.values, columns or {}, path)
            if record.values.keys() >= _MARKS_OF_AN_EXPORT:
                is_left_out = _held_out_rows(path)
        row = None if is_left_out(record) else _read_row(record, column_of, path, scale or ScoreScale())
        if row is not None:
            yield row


def _is_never_left_out(record: Record) -> bool:
    del record
    return False


def _held_out_rows(path: Path) -> Callable[[Record], bool]:
    """Return which records of an exported table are no offline data; an evaluation has test rows alone."""
    is_evaluation = all(record.values.get("split") == "test" for record in read_records(path))

    def is_left_out(record: Record) -> bool:
        is_test = record.values.get("split") == "test" and not is_evaluation
        return is_test or record.values.get("demos") not in (None, "", 0, "0")

    return is_left_out


def read_all_outcomes(paths: Sequence[Path], *, columns: Mapping[str, str] | None = None) -> Iterator[OutcomeRow]:
    """Stream several files in order; raises `ConfigError` for a file that is given twice."""
    seen: dict[Path, Path] = {}
    for path in paths:
        first = seen.setdefault(path.resolve(), path)
        if first is not path:
            raise ConfigError(f"{str(path)!r} is given twice: its answers would count double; name it once")
        yield from read_outcomes(path, columns=columns)


def _find_columns(first: Mapping[str, object], given: Mapping[str, str], path: Path) -> dict[str, str]:
    column_of: dict[str, str] = {}
    for name, column in given.items():
        if name not in USUAL_COLUMNS:
            raise ConfigError(f"unknown field {name!r} in columns; {nearest(name, USUAL_COLUMNS)}")
        if column not in first:
            raise ConfigError(f"{path.name}: no column {column!r} for {name}; {nearest(column, first)}")
        column_of[name] = column
    if first.keys() >= _MARKS_OF_AN_EXPORT:
        return {**{name: column for name, column in EXPORTED_COLUMNS.items() if column in first}, **column_of}
    for name, usual in USUAL_COLUMNS.items():
        present = [column for column in usual if column in first]
        if name not in column_of and present:
            column_of[name] = present[0]
    missing = [name for name in REQUIRED_FIELDS if name not in column_of]
    if missing:
        hint = ", ".join(f"{name} (usually {' or '.join(map(repr, USUAL_COLUMNS[name]))})" for name in missing)
        raise DataError(f"{path.name}: no column for {hint}; it has {sorted(first)}; name the column with columns=")
    return column_of


def _read_row(record: Record, columns: Mapping[str, str], path: Path, scale: ScoreScale) -> OutcomeRow | None:
    values = {name: record.values.get(column) for name, column in columns.items()}
    source = f"{path.name}: {record.location}"
    if values["outcome"] in (None, ""):
        return None
    repeats = _parse_whole(values.get("repeats"), "repeats", source, default=1)
    outcome = _parse_number(values["outcome"], source)
    if "repeats" not in columns:
        outcome = (outcome - scale.low) / (scale.high - scale.low)
    sample_index = values.get("sample_index")
    confidence = values.get("confidence")
    return OutcomeRow(
        query=_parse_text(values["query"], "query", source),
        prompt=_parse_prompt(values["prompt"], source),
        total=outcome,
        repeats=repeats,
        sample_index=None if sample_index in (None, "") else _parse_whole(sample_index, "sample_index", source),
        target=str(values.get("target") or ""),
        confidence=None if confidence in (None, "") else _parse_number(confidence, source),
        source=source,
    )


def _parse_text(value: object, name: str, source: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{source}: {name} is {value!r}; expected a text")
    return value


def _parse_prompt(value: object, source: str) -> str:
    """Return a prompt, which may be empty: sending the question alone is a prompt too."""
    if not isinstance(value, str):
        raise DataError(f"{source}: prompt is {value!r}; expected a text")
    return value


def _parse_whole(value: object, name: str, source: str, *, default: int = 0) -> int:
    if value in (None, ""):
        return default
    number = _parse_number(value, source)
    if number != int(number):
        raise DataError(f"{source}: {name} is {value!r}; expected a whole number")
    return int(number)


def _parse_number(value: object, source: str) -> float:
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in _RIGHT or word in _WRONG:
            return float(word in _RIGHT)
        try:
            value = float(word)
        except ValueError:
            raise DataError(f"{source}: {value!r} is not a number, nor right or wrong") from None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{source}: {value!r} is not a number; leave the field empty if the call failed")
    return float(value)

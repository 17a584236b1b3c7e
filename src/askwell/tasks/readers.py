"""Read data files (JSONL, JSON, CSV, TSV, Parquet) record by record, each with its location for error messages."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# (pyarrow has no type stubs: it is used in `read_parquet` only)
from __future__ import annotations

import codecs
import csv
import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard, cast

from askwell.core.errors import ConfigError, DataError, nearest

WIDE_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One raw record and its location in the file ("line 3", "row 3"; counted from 1)."""

    location: str
    values: Mapping[str, object]


def read_records(path: Path, *, records: str | None = None) -> Iterator[Record]:
    """Stream a file's records; the suffix selects the format.

    `records` is the dotted path to the list inside a JSON file. Raises `DataError` if the file is missing, of an
    unknown format, or broken (with the line).
    """
    check_file(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        return read_json(path, records=records)
    if records is not None:
        raise ConfigError(f"records={records!r} is for .json files; {path.name!r} has one record per line")
    reader = READERS.get(suffix)
    if reader is None:
        raise DataError(f"{path.name!r}: unknown file format {suffix!r}; {nearest(suffix, (*READERS, '.json'))}")
    return reader(path)


def check_file(path: Path) -> None:
    """Raise `DataError` with the nearest file name unless `path` is a file."""
    if path.is_file():
        return
    if path.is_dir():
        raise DataError(f"{str(path)!r} is a folder; name a file in it: {_listing(path)}")
    if not path.parent.is_dir():
        raise DataError(f"no file {str(path)!r}: the folder {str(path.parent)!r} does not exist")
    close = difflib.get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"the folder has: {_listing(path.parent)}"
    raise DataError(f"no file {str(path)!r}; {hint}")


def read_jsonl(path: Path) -> Iterator[Record]:
    """Read one JSON object per line; blank lines are skipped."""
    for location, line in text_lines(path):
        if line.strip():
            yield Record(location=location, values=_object(_parse_json(line, path, location), path, location))


def read_json(path: Path, *, records: str | None = None) -> Iterator[Record]:
    """Read a JSON list of objects, or a JSON object that contains a single such list (or one at the path `records`)."""
    text = "".join(line for _, line in text_lines(path))
    if not text.strip():
        return
    values = _record_list(_parse_json(text, path, ""), path, records)
    for number, value in enumerate(values, start=1):
        location = f"row {number}"
        yield Record(location=location, values=_object(value, path, location))


def read_csv(path: Path, *, delimiter: str = ",", header: Sequence[str] | None = None) -> Iterator[Record]:
    """Read delimited text with quoting. The first row is the header unless `header` gives the names."""
    rows = csv.reader((line for _, line in text_lines(path)), delimiter=delimiter, strict=True)
    names = list(header) if header is not None else None
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise DataError(f"{path.name}: line {rows.line_num}: bad quoting or line end: {error}") from error
        if row is None:
            return
        if not any(row):
            continue  # spreadsheets export emptied rows as bare delimiters
        if names is None:
            names = _header(row, path)
            continue
        location = f"line {rows.line_num}"
        if len(row) != len(names):
            raise DataError(f"{path.name}: {location}: {len(row)} fields, but the header has {len(names)}: {names}")
        yield Record(location=location, values=dict(zip(names, row, strict=True)))


def read_tsv(path: Path) -> Iterator[Record]:
    """Read tab-separated text (see `read_csv`)."""
    return read_csv(path, delimiter="\t")


def read_parquet(path: Path) -> Iterator[Record]:
    """Read a Parquet file in batches; needs the extra `data`."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ConfigError(f"reading {path.name!r} needs pyarrow: pip install 'askwell[data]'") from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for values in cast("list[dict[str, object]]", batch.to_pylist()):
                    number += 1
                    yield Record(location=f"row {number}", values=values)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: not a readable Parquet file: {error}") from error


def text_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the lines of a UTF-8 file with their locations ("line 3"), without a byte-order mark, with line ends."""
    # Binary mode splits at \n only: U+2028 in a string must not end a line, and an invalid byte gets its line number.
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                yield f"line {number}", _decode(raw, path, number)
    except OSError as error:
        raise DataError(f"can't read {str(path)!r}: {error.strerror or error}") from error


READERS: Mapping[str, Callable[[Path], Iterator[Record]]] = MappingProxyType(
    {
        ".jsonl": read_jsonl,
        ".ndjson": read_jsonl,
        ".csv": read_csv,
        ".tsv": read_tsv,
        ".parquet": read_parquet,
    }
)


def _decode(raw: bytes, path: Path, number: int) -> str:
    if number == 1:
        if raw.startswith(WIDE_ENCODINGS):
            raise DataError(f"{path.name}: UTF-16, not UTF-8; save the file as UTF-8")
        raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = raw[error.start : error.start + 1]
        raise DataError(
            f"{path.name}: line {number}: not UTF-8 (byte {bad!r} at {error.start}); save the file as UTF-8"
        ) from error


def _parse_json(text: str, path: Path, location: str) -> object:
    try:
        return cast("object", json.loads(text))
    except json.JSONDecodeError as error:
        where = location or f"line {error.lineno}"
        hint = "; a JSON list belongs in a .json file" if location == "line 1" and text.lstrip()[0] == "[" else ""
        raise DataError(f"{path.name}: {where}: not JSON: {error.msg} (column {error.colno}){hint}") from error
    except (ValueError, RecursionError) as error:  # numbers with thousands of digits, or deep nesting
        raise DataError(f"{path.name}: {location or 'file'}: not JSON: {error}") from error


def _object(value: object, path: Path, location: str) -> Mapping[str, object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    raise DataError(f"{path.name}: {location}: expected an object like {{'input': …}}, got {type(value).__name__}")


def _record_list(value: object, path: Path, records: str | None) -> list[object]:
    if records is not None:
        return _at_path(value, path, records)
    if isinstance(value, list):
        return cast("list[object]", value)
    lists = dict(_lists_of_objects(value, depth=3))
    if len(lists) == 1:
        return next(iter(lists.values()))
    if not lists:
        keys = sorted(cast("dict[str, object]", value)) if isinstance(value, dict) else []
        raise DataError(f"{path.name}: contains no list of records; its top-level fields are {keys}")
    raise DataError(f"{path.name}: contains several lists of records; set records= to one of {sorted(lists)}")


def _lists_of_objects(value: object, *, depth: int) -> Iterator[tuple[str, list[object]]]:
    if not isinstance(value, dict):
        return
    for key, inner in cast("dict[str, object]", value).items():
        if _is_record_list(inner):
            yield key, inner
        elif depth > 1:
            for path, records in _lists_of_objects(inner, depth=depth - 1):
                yield f"{key}.{path}", records


def _is_record_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in cast("list[object]", value))


def _at_path(value: object, path: Path, records: str) -> list[object]:
    for step in records.split("."):
        fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        if step not in fields:
            raise DataError(f"{path.name}: records={records!r}: no field {step!r}; {nearest(step, fields)}")
        value = fields[step]
    if not isinstance(value, list):
        raise DataError(f"{path.name}: records={records!r} is {type(value).__name__}, not a list of records")
    return cast("list[object]", value)


def _header(row: list[str], path: Path) -> list[str]:
    names = [name.strip() or f"column_{number}" for number, name in enumerate(row, start=1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path.name}: the header contains {twice} twice; every column needs a unique name")
    return names


def _listing(folder: Path, *, at_most: int = 8) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    return ", ".join(names[:at_most]) + (f", … ({len(names)} in all)" if len(names) > at_most else "") or "nothing"

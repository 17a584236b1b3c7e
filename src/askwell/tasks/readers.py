"""Read data files (JSONL, JSON, CSV, TSV, Parquet) record by record, each with its location for error messages."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# (pyarrow has no type stubs: it is used in `read_parquet` only)
from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard, cast

from askwell.core.errors import ConfigError, DataError, nearest
from askwell.tasks.records.delimited import read_rows
from askwell.tasks.records.single_precision import Precision, shorten
from askwell.tasks.records.text_files import PACKED, content_suffix, text_lines

CONVERSIONS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((".xlsx", ".xls", ".ods", ".numbers"), "save the sheet as CSV"),
        **dict.fromkeys(
            (".gz", ".zip", ".xz", ".bz2", ".zst", ".7z", ".tar", ".tgz"),
            "unpack it; .jsonl.gz, .csv.gz, .tsv.gz and .json.gz are read as they are",
        ),
        **dict.fromkeys((".yaml", ".yml", ".txt", ".md"), "write one JSON object per line into a .jsonl file"),
        **dict.fromkeys((".arrow", ".feather", ".pkl", ".pickle"), "save it as .parquet or .jsonl"),
    }
)
"""Suffix of a format that is not read -> what to do."""


_LIST_HINT = "; a JSON list belongs in a .json file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One raw record and its location in the file ("line 3", "row 3"; counted from 1)."""

    location: str
    values: Mapping[str, object]


def read_records(path: Path, *, records: str | None = None) -> Iterator[Record]:
    """Stream a file's records; the suffix selects the format, and ".gz" after it unpacks the file.

    `records` is the dotted path to the list inside a JSON file. Raises `DataError` if the file is missing, of an
    unknown format, or broken (with the line).
    """
    check_file(path)
    suffix = content_suffix(path)
    if suffix == ".json":
        return read_json(path, records=records)
    if records is not None:
        raise ConfigError(f"records={records!r} is for .json files; {path.name!r} has one record per line")
    reader = READERS.get(suffix)
    if reader is None or (reader is read_parquet and path.suffix.lower() == PACKED):
        advice = CONVERSIONS.get(path.suffix.lower()) or nearest(suffix, (*READERS, ".json"))
        raise DataError(f"{path.name!r}: unknown file format {path.suffix!r}; {advice}")
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
        text = line.strip("\ufeff \t\r\n")  # files that were joined may have a byte-order mark between them
        if text:
            yield Record(location=location, values=_object(_parse_json(text, path, location), path, location))


def read_json(path: Path, *, records: str | None = None) -> Iterator[Record]:
    """Read a JSON list of objects, or a JSON object that contains a single such list (or one at the path `records`)."""
    text = "".join(line for _, line in text_lines(path))
    if not text.strip():
        return
    values = _record_list(_parse_json(text, path, ""), path, records)
    for number, value in enumerate(values, start=1):
        location = f"row {number}"
        yield Record(location=location, values=_object(value, path, location))


def read_csv(path: Path, *, usual: str = ",", header: Sequence[str] | None = None) -> Iterator[Record]:
    """Read delimited text with quoting (see `read_rows`)."""
    lines = (line for _, line in text_lines(path))
    for location, values in read_rows(lines, path, usual=usual, header=header):
        yield Record(location=location, values=values)


def read_tsv(path: Path) -> Iterator[Record]:
    """Read tab-separated text."""
    return read_csv(path, usual="\t")


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
            types = cast("list[tuple[str, object]]", [(field.name, field.type) for field in file.schema_arrow])
            precisions: dict[str, Precision | None] = {name: _precision(str(kind)) for name, kind in types}
            for batch in file.iter_batches(batch_size=1024):
                for values in cast("list[dict[str, object]]", batch.to_pylist()):
                    number += 1
                    short = {key: shorten(values[key], code) for key, code in precisions.items() if code is not None}
                    yield Record(location=f"row {number}", values={**values, **short})
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: not a readable Parquet file: {error}") from error


def _precision(arrow_type: str) -> Precision | None:
    """Return the precision below double of a column's numbers, also inside a list or object."""
    if re.search(r"\bhalffloat\b", arrow_type):
        return "e"
    return "f" if re.search(r"\bfloat\b", arrow_type) else None


READERS: Mapping[str, Callable[[Path], Iterator[Record]]] = MappingProxyType(
    {
        ".jsonl": read_jsonl,
        ".ndjson": read_jsonl,
        ".csv": read_csv,
        ".tsv": read_tsv,
        ".parquet": read_parquet,
    }
)


def _parse_json(text: str, path: Path, location: str) -> object:
    try:
        return cast("object", json.loads(text))
    except json.JSONDecodeError as error:
        where = location or f"line {error.lineno}"
        raise DataError(
            f"{path.name}: {where}: not JSON: {error.msg} (column {error.colno}){_format_hint(text, location, error)}"
        ) from error
    except (ValueError, RecursionError) as error:  # numbers with thousands of digits, or deep nesting
        raise DataError(f"{path.name}: {location or 'file'}: not JSON: {error}") from error


def _format_hint(text: str, location: str, error: json.JSONDecodeError) -> str:
    """Return what to do if a .json file has JSON lines, or the reverse."""
    if location == "line 1" and text.lstrip()[:1] == "[":
        return _LIST_HINT
    if not location and error.msg == "Extra data":
        return "; one object per line belongs in a .jsonl file"
    return ""


def _object(value: object, path: Path, location: str) -> Mapping[str, object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    kind = type(value).__name__
    hint = _LIST_HINT if kind == "list" and location.startswith("line") else ""
    raise DataError(f"{path.name}: {location}: expected an object like {{'input': …}}, got {kind}{hint}")


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


def _listing(folder: Path, *, at_most: int = 8) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    return ", ".join(names[:at_most]) + (f", … ({len(names)} in all)" if len(names) > at_most else "") or "nothing"

"""Read delimited text (CSV, TSV) with quoting, and find out by which character its fields are separated."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from askwell.core.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
_NAMES: Mapping[str, str] = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "vertical bars"}
_SAMPLE_LINES = 50
_LONGEST_FIELD = 2**31 - 1
"""The largest limit that the csv module takes on every platform; its default, 128 KiB, is less than some contexts."""


def read_rows(
    lines: Iterable[str], path: Path, *, usual: str = ",", header: Sequence[str] | None = None
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row as (location, column -> text). The first row is the header unless `header` gives the names.

    The delimiter is `usual` unless only another one gives every row as many fields as the header. A first line
    "sep=;", as Excel writes it, names the delimiter. Raises `DataError` with the line for a broken row.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    skipped, delimiter, lines = _find_delimiter(lines, usual, header)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    names = list(header) if header is not None else None
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise DataError(f"{path.name}: line {rows.line_num + skipped}: {_broken(error)}") from error
        if row is None:
            return
        if not any(row):
            continue  # spreadsheets export emptied rows as bare delimiters
        if names is None:
            names = _header(row, path)
            continue
        location = f"line {rows.line_num + skipped}"
        if len(row) != len(names):
            raise DataError(
                f"{path.name}: {location}: {len(row)} fields, but the header has {len(names)}: {names}; the fields "
                f"were read as separated by {_NAMES.get(delimiter, repr(delimiter))}: put a text that contains one in "
                "double quotes"
            )
        yield location, dict(zip(names, row, strict=True))


def _find_delimiter(lines: Iterable[str], usual: str, header: Sequence[str] | None) -> tuple[int, str, Iterator[str]]:
    """Return the number of lines to skip, the delimiter, and the lines after those."""
    iterator = iter(lines)
    sample = list(itertools.islice(iterator, _SAMPLE_LINES))
    first = sample[0].strip("\r\n").strip('"') if sample else ""
    if first[:4].lower() == "sep=" and len(first) == 5:
        return 1, first[4], itertools.chain(sample[1:], iterator)
    order = (usual, *(delimiter for delimiter in DELIMITERS if delimiter != usual))
    # Where no delimiter fits all rows, one of them is broken: its error is about the delimiter that the header has.
    fitting = [d for d in order if _fits(sample, d)] or [d for d in order if _fits(sample[:1], d)] or [usual]
    return 0, usual if header is not None else fitting[0], itertools.chain(sample, iterator)


def _fits(sample: Sequence[str], delimiter: str) -> bool:
    """Return whether every row of the sample has the same number of fields, at least two."""
    try:
        rows = [row for row in csv.reader(sample, delimiter=delimiter) if any(row)]
    except csv.Error:
        return False
    if len(sample) == _SAMPLE_LINES:
        rows = rows[:-1]  # the last one may go on after the sample
    return bool(rows) and len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows)


def _header(row: list[str], path: Path) -> list[str]:
    names = [name.strip() or f"column_{number}" for number, name in enumerate(row, start=1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path.name}: the header contains {twice} twice; every column needs a unique name")
    return names


def _broken(error: csv.Error) -> str:
    """Describe a broken row; the csv module's own advice is about its arguments."""
    if "new-line" in str(error):
        return "bad quoting or line end: a field that contains a line break must be in double quotes"
    return f"bad quoting or line end: {error}"

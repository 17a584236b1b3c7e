"""Read a text file line by line, packed with gzip or not; a broken line is named by its number."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from askwell.core.decoding import decode_line, decode_text
from askwell.core.errors import DataError

PACKED = ".gz"


def text_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the lines of a UTF-8 file with their locations ("line 3"), without a byte-order mark, with line ends."""
    # Binary mode splits at \n only: U+2028 in a string must not end a line, and an invalid byte gets its line number.
    try:
        with _open(path) as file:
            for number, raw in enumerate(_split_lone_returns(file), start=1):
                location = f"line {number}"
                try:
                    yield location, decode_text(raw) if number == 1 else decode_line(raw)
                except ValueError as error:
                    raise DataError(f"{path.name}: {location}: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"can't read {str(path)!r}: {reason}") from error


def content_suffix(path: Path) -> str:
    """Return the suffix that says the format, in lower case: ".jsonl" for "a.jsonl" and "a.jsonl.gz"."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]] or [""]
    return suffixes[0] if len(suffixes) == 2 and suffixes[1] == PACKED else suffixes[-1]


def _open(path: Path) -> IO[bytes]:
    opener = gzip.open if path.suffix.lower() == PACKED else open
    return cast("IO[bytes]", opener(path, "rb"))


def _split_lone_returns(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Split at carriage returns if the file has no line feed: old spreadsheets of the Mac end their lines so."""
    iterator = iter(lines)
    first = next(iterator, b"")
    if b"\r" in first and not first.endswith(b"\n"):
        yield from first.splitlines(keepends=True)
    elif first:
        yield first
    yield from iterator

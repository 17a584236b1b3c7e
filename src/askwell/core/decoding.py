"""Decode text files that people write: UTF-8 with or without a byte-order mark; another encoding is named."""

from __future__ import annotations

import codecs
from pathlib import Path

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""Byte-order marks of UTF-16 and UTF-32 (that of little-endian UTF-32 begins like UTF-16's)."""


def decode_text(raw: bytes) -> str:
    """Decode the beginning of a file, or all of it. Raises `ValueError` with what is wrong and what to do."""
    if raw.startswith(_WIDE_MARKS):
        raise ValueError("UTF-16, not UTF-8; save the file as UTF-8")
    # UTF-16 without a mark is valid UTF-8 with a zero byte in every second place.
    if b"\x00" in raw.partition(b"\n")[0]:
        raise ValueError("zero bytes in the first line: UTF-16 or a binary file; save it as UTF-8 text")
    return decode_line(raw.removeprefix(codecs.BOM_UTF8))


def decode_line(raw: bytes) -> str:
    """Decode UTF-8. Raises `ValueError` with the first invalid byte and its place."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = raw[error.start : error.start + 1]
        raise ValueError(f"not UTF-8 (byte {bad!r} at {error.start}); save the file as UTF-8") from error


def read_text_file(path: Path) -> str:
    """Read a text file without its byte-order mark. Raises `OSError`, or `ValueError` for another encoding."""
    return decode_text(path.read_bytes())

r"""Parse an object or a list as models write them: JSON, a Python literal, with a trailing comma, cut off, with LaTeX.

All scalars stay text as they are written ("12.0", "true"), because the answer types read text. A backslash that starts
a LaTeX command ("\frac" in a JSON string) stays a backslash.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Value: TypeAlias = "str | list[Value] | dict[str, Value]"

_MAX_DEPTH = 20
"""Deeper nesting is no answer; the limit bounds the recursion."""
_SPACE = re.compile(r"(?:\s|//[^\n]*\n)*")
# A quote ends a string only before a delimiter, so that 'it's' and "the "big" one" are read whole
_STRINGS = {
    quote: re.compile(rf"{quote}((?:[^\\{quote}]|\\.|{quote}(?!\s{{0,40}}(?:[,:}}\]]|\Z)))*)({quote}|\\?\Z)", re.DOTALL)
    for quote in "\"'"
}
_SCALAR = re.compile(r"-?\d{1,3}(?:,\d{3})+(?=\s*[,}\]])|[^,:\]}\[{\n\"']+(?=\s*[,}\]\n]|\Z)")
_KEY = re.compile(r"[^\W\d][\w -]{0,40}?(?=\s*:)")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_LATEX = re.compile(r"\\(?:[bf][a-z]|text|times|theta|tau|tan|to\b|neq|nu\b|rho|right|rangle|r[a-z]+arrow)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_SURROGATE = re.compile("[\ud800-\udfff]")


class _NotAValueError(Exception):
    """The text is no object or list."""


def parse_value(text: str, start: int = 0) -> tuple[Value, int] | None:
    """Return the object or list that starts at `start`, and the position after it; None if there is none.

    If the text ends within the object, the fields before that point are returned.
    """
    try:
        return _parse(text, start, 0)
    except _NotAValueError:
        return None


def _parse(text: str, start: int, depth: int) -> tuple[Value, int]:
    if depth > _MAX_DEPTH:
        raise _NotAValueError
    opening = text[start : start + 1]
    if opening == "{":
        return _parse_object(text, start + 1, depth)
    if opening == "[":
        return _parse_list(text, start + 1, depth)
    if opening in _STRINGS and opening:
        match = _STRINGS[opening].match(text, start)
        if match is None:
            raise _NotAValueError
        return _unescape(match[1]), match.end()
    match = _SCALAR.match(text, start)
    if depth == 0 or match is None:
        raise _NotAValueError
    return match[0].strip(), match.end()


def _parse_object(text: str, start: int, depth: int) -> tuple[Value, int]:
    fields: dict[str, Value] = {}
    position = _skip(text, start)
    while text[position : position + 1] not in ("}", ""):
        key, position = _parse_key(text, position)
        position = _skip(text, position)
        if text[position : position + 1] != ":":
            raise _NotAValueError
        position = _skip(text, position + 1)
        if position == len(text):
            break
        fields[key], position = _parse(text, position, depth + 1)
        position = _after_comma(text, position, "}")
    return fields, position + 1


def _parse_list(text: str, start: int, depth: int) -> tuple[Value, int]:
    items: list[Value] = []
    position = _skip(text, start)
    while text[position : position + 1] not in ("]", ""):
        item, position = _parse(text, position, depth + 1)
        items.append(item)
        position = _after_comma(text, position, "]")
    return items, position + 1


def _parse_key(text: str, position: int) -> tuple[str, int]:
    quote = text[position]
    match = _STRINGS[quote].match(text, position) if quote in _STRINGS else _KEY.match(text, position)
    if match is None:
        raise _NotAValueError
    return (_unescape(match[1]) if quote in _STRINGS else match[0]), match.end()


def _after_comma(text: str, position: int, closing: str) -> int:
    position = _skip(text, position)
    if text[position : position + 1] == ",":
        return _skip(text, position + 1)
    if text[position : position + 1] not in (closing, ""):
        raise _NotAValueError
    return position


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(_unescaped, text)
    if _SURROGATE.search(plain):
        plain = plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return plain


def _unescaped(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    if _LATEX.match(match.string, match.start()) or match[2] not in "\"'\\/ntrbf\n":
        return match[0]
    return _ESCAPED.get(match[2], match[2])

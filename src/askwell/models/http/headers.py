"""Further headers of a model's requests, as a user gives them. Their values may be secrets: no message holds one."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Iterable, Mapping

from askwell.core.errors import ConfigError

HIDDEN = "***"
"""What a run's log holds instead of a value."""
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWN = ("content-length", "transfer-encoding", "connection")
_SECRET_NAME = re.compile(r"auth|key|token|secret|sig|password|cookie|credential|session", re.IGNORECASE)
_SHORTEST_SECRET = 4
_SHORTEST_RANDOM, _SHORTEST_TEXT = 6, 12
"""A shorter value of a header with a harmless name may be a word of a reply, which has to arrive unchanged."""


def parse_header(text: str) -> tuple[str, str]:
    """Split `NAME: VALUE` or `NAME=VALUE`. Raises `ConfigError` without showing the value."""
    separator = re.search(r"[:=]", text)
    if separator is None or not _NAME.fullmatch(name := text[: separator.start()].strip()):
        raise ConfigError("a header is not 'NAME: VALUE'; give for example 'X-Team: research' or 'X-Key: $VARIABLE'")
    return name, text[separator.end() :].strip()


def fill_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with `$VARIABLE` replaced by the environment's value (`$$` is a dollar sign).

    Raises `ConfigError` for a missing variable, and for a name or value that HTTP does not allow.
    """
    return {_check_name(name): _fill(name, value) for name, value in headers.items()}


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers without their values, for the log. A log may come from a stranger: it names no variable either."""
    return dict.fromkeys(headers, HIDDEN)


def merge_headers(*several: Mapping[str, str]) -> dict[str, str]:
    """Merge headers; of names that differ only in case the last one wins."""
    merged: dict[str, tuple[str, str]] = {}
    for headers in several:
        merged |= {name.lower(): (name, value) for name, value in headers.items()}
    return dict(merged.values())


def header_secrets(headers: Mapping[str, str]) -> Iterable[str]:
    """Yield the values, and parts of values ("Bearer KEY"), that nobody may read in messages and replies."""
    for name, value in headers.items():
        if _SECRET_NAME.search(name):
            yield from (part for part in {value, *value.split()} if len(part) >= _SHORTEST_SECRET)
        elif len(value) >= (_SHORTEST_RANDOM if re.search(r"\d", value) else _SHORTEST_TEXT):
            yield value


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name.lower() in _OWN:
        raise ConfigError(f"{name!r} cannot be set as a header; expected a name like 'X-Team'")
    return name


def _fill(name: str, value: str) -> str:
    if value == HIDDEN:
        raise ConfigError(f"the value of the header {name!r} is not in the log; give it again with --header")
    try:
        filled = string.Template(value).substitute(os.environ).strip()
    except KeyError as error:
        raise ConfigError(f"the header {name!r} needs the environment variable {error}, which is not set") from None
    except ValueError:
        raise ConfigError(f"the header {name!r} has a '$' that begins no name; write '$$' for a dollar sign") from None
    if not filled.isprintable() or not _is_latin(filled):
        raise ConfigError(f"the value of the header {name!r} has characters that are invalid in an HTTP header")
    return filled


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True

"""JSON for the wire: through orjson where the `speed` extra is installed, else through the standard library.

Not for digests and logs: the two spell some floats differently, and orjson writes NaN and infinity as null.
"""

from __future__ import annotations

import importlib
import json
from typing import Any


def _orjson() -> Any:  # noqa: ANN401 - the optional library's module
    try:
        return importlib.import_module("orjson")
    except ImportError:
        return None


_QUICK = _orjson()
_SPELL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def loads(data: bytes | str) -> object:
    """Read JSON. Raises `ValueError` or `RecursionError` for what is none."""
    if _QUICK is not None:
        try:
            return _QUICK.loads(data)
        except ValueError:
            pass  # it takes no lone surrogates and no NaN, which the standard library does
    return json.loads(data)


def dumps(value: object) -> bytes:
    """Write compact UTF-8 JSON; a lone surrogate is escaped, not lost. Raises `TypeError` for what JSON can't hold."""
    if _QUICK is not None:
        try:
            return _QUICK.dumps(value)
        except TypeError:
            pass  # lone surrogates, integers beyond 64 bits, keys that are no text
    try:
        return _SPELL(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()

"""JSON for HTTP bodies: by orjson if the `speed` extra is installed, else by the standard library.

Not for digests and logs: the two format some floats differently, and orjson writes NaN and infinity as null.
"""

from __future__ import annotations

import importlib
import json
from typing import Any


def _import_orjson() -> Any:  # noqa: ANN401 - the optional library's module
    try:
        return importlib.import_module("orjson")
    except ImportError:
        return None


_ORJSON = _import_orjson()
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def loads(data: bytes | str) -> object:
    """Parse JSON. Raises `ValueError` or `RecursionError` if it is invalid."""
    if _ORJSON is not None:
        try:
            return _ORJSON.loads(data)
        except ValueError:
            pass  # it rejects lone surrogates and NaN, which the standard library accepts
    return json.loads(data)


def dumps(value: object) -> bytes:
    """Write compact UTF-8 JSON; lone surrogates are escaped. Raises `TypeError` for other values."""
    if _ORJSON is not None:
        try:
            return _ORJSON.dumps(value)
        except TypeError:
            pass  # lone surrogates, integers beyond 64 bits, keys that are not strings
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()

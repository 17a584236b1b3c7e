"""Read and write the JSON bodies of requests: strict JSON, within a time limit."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn, cast

from aiohttp import web

from askwell.serve.errors import RequestRefused

LARGEST_BODY = 64 * 1024 * 1024
READ_TIMEOUT_S = 60.0
"""A client that sends its request more slowly is dropped."""


async def read_json(http: web.Request, *, timeout_s: float = READ_TIMEOUT_S) -> dict[str, Any]:
    """Return the JSON object in a request's body. Raises `RequestRefused`."""
    try:
        async with asyncio.timeout(timeout_s):
            raw = await http.read()
    except TimeoutError as error:
        raise RequestRefused(f"the request did not arrive within {timeout_s:g} s", status=408) from error
    except web.RequestPayloadError as error:
        raise RequestRefused("the body of the request is broken") from error
    return parse_json(raw)


def parse_json(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises `RequestRefused` for anything else, NaN and infinity included."""
    try:
        parsed: object = _DECODER.decode(raw.decode(json.detect_encoding(raw), "surrogatepass"))
    except ValueError as error:
        raise RequestRefused(f"the request is not JSON: {error}") from error
    except RecursionError as error:
        raise RequestRefused("the request is not JSON: it is nested too deeply") from error
    if not isinstance(parsed, dict):
        raise RequestRefused('the request is no JSON object: expected {"messages": […], …}')
    return cast("dict[str, Any]", parsed)


def encode_json(body: dict[str, Any]) -> bytes:
    """Write a request's body as strict JSON. Raises `RequestRefused` for a number that JSON cannot hold (1e999)."""
    try:
        return _ENCODER.encode(body).encode()
    except (ValueError, RecursionError) as error:
        raise RequestRefused("the request has a number out of range, or is nested too deeply") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(allow_nan=False)
"""Made once: `json.loads` and `json.dumps` make a new one for every call with options."""

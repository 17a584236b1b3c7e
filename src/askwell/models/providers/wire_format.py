"""A provider's format as a value: how to encode and address requests, parse responses, and which quirks to expect.

`http_model.HttpModel` has the code that all providers share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from askwell.core.types import Request
from askwell.models.http.client import HttpResponse
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.quirks import Body, Quirk
from askwell.models.providers.registry import Provider
from askwell.models.providers.response import ParsedResponse

__all__ = ["Body", "WireFormat", "merge_json", "sample_seed"]

_SEED_STRIDE = 1_000_003  # a prime: samples of nearby seeds do not coincide


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFormat:
    """One provider's format. All functions are pure; none raises, whatever a server sends."""

    provider: Provider
    """Its name, address and environment variable of the key."""
    chat_path: Callable[[Endpoint, str], str]
    """(endpoint, model) -> the path of chat requests below `Endpoint.base`."""
    headers: Callable[[str], Mapping[str, str]]
    """API key -> the headers that carry it."""
    body: Callable[[str, Request], Body]
    """(model, request) -> JSON."""
    read: Callable[[HttpResponse, int], ParsedResponse]
    """(response, requested samples) -> its meaning."""
    quirks: tuple[Quirk, ...]
    """Quirks that its error messages may reveal."""
    parse_models: Callable[[object], tuple[str, ...]]
    """JSON of the list of models -> their names."""
    models_path: Callable[[Endpoint], str] | None
    """Endpoint -> the path of the list of models; None if the list would not help the user."""
    unsupported: tuple[Quirk, ...] = ()
    """Quirks known from the start; each is logged when it first changes a request."""
    unlisted_hint: str = ""
    """Advice for an unknown model if there is no list."""
    constant_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers of every request, with or without a key."""


def sample_seed(request: Request) -> int | None:
    """Return the seed of one sample; distinct per sample, or a server that honours seeds would repeat its reply."""
    return None if request.seed is None else (request.seed + request.sample_index * _SEED_STRIDE) % 2**31


def merge_json(body: Body, extra: Body) -> Body:
    """Merge `extra` into a body, recursively; `extra` wins."""
    if not extra:
        return body
    result = dict(body)
    for key, value in extra.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merge_json(cast("Body", below), cast("Body", value))  # noqa: PLW2901
        result[key] = value
    return result

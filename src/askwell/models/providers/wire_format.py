"""A provider's format as a value: how to encode and address requests, parse responses, and which quirks to expect.

`http_model.HttpModel` has the code that all providers share.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from askwell.core.errors import ConfigError
from askwell.core.types import Request
from askwell.models.http.client import HttpResponse
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.quirks import Body, Quirk
from askwell.models.providers.registry import Provider
from askwell.models.providers.response import ParsedResponse

__all__ = ["Body", "ReplyOptions", "WireFormat", "digest_extra", "merge_json", "sample_seed"]

_SEED_STRIDE = 1_000_003  # a prime: samples of nearby seeds do not coincide


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyOptions:
    """Settings of replies that are sent only if the user chose them."""

    top_p: float | None = None
    """Sample from the most likely tokens with this total probability."""
    stop: tuple[str, ...] = ()
    """Texts at which a reply ends."""
    reasoning_effort: str = ""
    """How much a reasoning model thinks ("low", "medium", "high", …), in the provider's own words."""

    def encode(self, *, top_p: str, stop: str) -> dict[str, object]:
        """Return the first two under the names of a format, without those that were not chosen."""
        chosen: dict[str, object] = {} if self.top_p is None else {top_p: self.top_p}
        return {**chosen, stop: list(self.stop)} if self.stop else chosen


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
    options: Callable[[str, ReplyOptions], Body]
    """(model, chosen settings of replies) -> JSON that is merged into each body."""
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


def digest_extra(extra: Mapping[str, object]) -> str:
    """Return `+` and 8 hex digits for the name of a model with such an extra body; empty without one."""
    if not extra:
        return ""
    try:
        text = json.dumps(extra, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"extra_body can't be sent as JSON: {error}; use plain dicts, lists and values") from error
    return "+" + hashlib.blake2b(text.encode(), digest_size=4).hexdigest()

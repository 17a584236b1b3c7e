"""What is a provider's own: how a request is spelt and addressed, what an answer means, what may be refused. A value.

`http_model.HttpModel` does the rest, for all providers alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from askwell.core.types import Request
from askwell.models.http.client import HttpAnswer
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.quirks import Body, Quirk
from askwell.models.providers.registry import Provider
from askwell.models.providers.response import ParsedResponse

__all__ = ["Body", "WireFormat", "merged", "seed_of"]

_SEED_STRIDE = 1_000_003


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFormat:
    """One provider's format. All functions are pure, and none raises for what a server sends."""

    provider: Provider
    """Its name, its own address and the usual variable of its key."""
    chat_path: Callable[[Endpoint, str], str]
    """(endpoint, model) -> the path below `Endpoint.base` that requests are posted to."""
    headers: Callable[[str], Mapping[str, str]]
    """The key -> the headers that carry it."""
    body: Callable[[str, Request], Body]
    """(model, request) -> JSON."""
    read: Callable[[HttpAnswer, int], ParsedResponse]
    """(answer, samples asked for) -> what it means."""
    quirks: tuple[Quirk, ...]
    """What may be learnt from its refusals."""
    listed: Callable[[object], tuple[str, ...]]
    """JSON of the list of models -> their names."""
    models_path: Callable[[Endpoint], str] | None
    """Where models are listed; None where that would not help."""
    lacks: tuple[Quirk, ...] = ()
    """What it is known not to take: left out from the start, said in the log when it is first asked for."""
    unlisted: str = ""
    """What to do about an unknown model where none are listed."""
    constant_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Go with every request, key or not."""


def seed_of(request: Request) -> int | None:
    """Return the seed to send: one for each draw, as a server that honours seeds would otherwise repeat itself."""
    return None if request.seed is None else (request.seed + request.sample_index * _SEED_STRIDE) % 2**31


def merged(body: Body, extra: Body) -> Body:
    """Lay `extra` over a body, objects within objects too."""
    if not extra:
        return body
    found = dict(body)
    for key, value in extra.items():
        below = found.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merged(cast("Body", below), cast("Body", value))  # noqa: PLW2901
        found[key] = value
    return found

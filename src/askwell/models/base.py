"""What a model is to askwell: one verb, and the digest that names a request."""

from __future__ import annotations

import hashlib
import json
from typing import Protocol, runtime_checkable

from askwell.types import Completion, Request

_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@runtime_checkable
class ChatModel(Protocol):
    """A model that answers chat requests.

    Contract: `complete` never raises for what a server or network does; that is a `Completion` whose outcome is
    `failed` with its fault class and the provider's own words (no key in them). It may be called from hundreds of
    tasks at once on one event loop. `name` is stable and part of the cache key: two models that may answer
    differently have different names. `aclose` frees sockets and threads; calling it twice is harmless.

    A model that wraps another one also passes its `parts` on (the optional protocol `models.parts.Composed`): without
    them a run knows no price, and does not keep what the server refused.
    """

    @property
    def name(self) -> str: ...

    async def complete(self, request: Request) -> Completion: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class LikelihoodModel(Protocol):
    """A model that can tell how likely a reply is (natural log, summed over the reply's tokens; 0 is certain)."""

    async def logprob(self, request: Request, reply: str) -> float: ...


def request_key(model_name: str, request: Request) -> str:
    """Digest of everything that may change the answer: model, messages, sampling parameters, draw (32 hex digits)."""
    parts = (
        model_name,
        [(message.role, message.content) for message in request.messages],
        request.temperature,
        request.max_tokens,
        request.seed,
        request.draw,
    )
    text = _as_json(parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

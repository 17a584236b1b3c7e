"""The digest of a request: the key of the request cache."""

from __future__ import annotations

import hashlib
import json

from askwell.core.types import Request

_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def request_key(model_name: str, request: Request) -> str:
    """Return a digest (32 hex digits) of everything that may change the answer: model, messages, sampling, repeat."""
    parts = (  # values without names: a renamed field must not change the keys of older logs
        model_name,
        [(message.role, message.content) for message in request.messages],
        request.temperature,
        request.max_tokens,
        request.seed,
        request.sample_index,
    )
    text = _as_json(parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

"""Anthropic's Messages API as a `ChatModel`: its own format, not its OpenAI-compatible layer (which lacks most of it).

Source: https://docs.claude.com/en/api/messages, /en/api/errors, /en/api/rate-limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Unpack

from askwell.core.types import Completion, Request
from askwell.models.conversation import opened_by_user, valid_unicode
from askwell.models.http.client import HttpAnswer
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.http_model import HttpModel, Reach
from askwell.models.providers.openai_wire import listed_models
from askwell.models.providers.quirks import ANTHROPIC_QUIRKS, NO_SEED
from askwell.models.providers.registry import PROVIDERS
from askwell.models.providers.response import (
    ParsedResponse,
    count,
    failure,
    json_of,
    malformed,
    mapping,
    mappings,
    replied,
)
from askwell.models.providers.wire_format import Body, WireFormat, seed_of

_PROVIDER = PROVIDERS["anthropic"]
_VERSION = "2023-06-01"
STATUS = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
    "not_found_error": 404, "request_too_large": 413, "rate_limit_error": 429, "api_error": 500,
    "timeout_error": 504, "overloaded_error": 529,
}  # fmt: skip
"""What a type of error stands for, where a gateway wraps it in a 200."""
_CUT_SHORT = ("max_tokens", "model_context_window_exceeded")


class AnthropicModel(HttpModel):
    """A model behind `POST {base_url}/v1/messages`; everything else as `HttpModel` has it.

    The API takes no seed (said once in the log) and gives one sample a request.
    """

    def __init__(self, name: str, *, base_url: str = _PROVIDER.base_url, **reach: Unpack[Reach]) -> None:
        super().__init__(name, wire=ANTHROPIC, base_url=base_url, **reach)


def message_body(model: str, request: Request) -> Body:
    """Return the JSON body of a request."""
    system, turns = opened_by_user(request.messages)
    body: dict[str, object] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
    }
    if system:
        body["system"] = system
    seed = seed_of(request)
    return body if seed is None else {**body, "seed": seed}


def read_message(answer: HttpAnswer, _samples: int = 1) -> ParsedResponse:
    """Tell what a response means."""
    data = json_of(answer)
    body = mapping(data)
    error = mapping(body.get("error"))
    if answer.status != 200 or error:
        status = STATUS.get(str(error.get("type")), 502) if answer.status == 200 else answer.status
        spending = mapping(error.get("details")).get("error_code")  # "enforced_spend_limit_reached"
        return failure(answer, data, status=status, more=[str(spending)] if spending else [])
    if not isinstance(body.get("content"), list):
        return malformed(answer, "is no JSON" if data is None else "has no content")
    blocks = mappings(body["content"])
    texts = [text for block in blocks if block.get("type") == "text" and isinstance(text := block.get("text"), str)]
    if len(texts) < sum(block.get("type") == "text" for block in blocks):
        return malformed(answer, "has a block without text")
    usage = mapping(body.get("usage"))
    read, written = count(usage.get("cache_read_input_tokens")), count(usage.get("cache_creation_input_tokens"))
    return replied(
        [_reply(body, valid_unicode("".join(texts)))],
        headers=answer.headers,
        prompt_tokens=count(usage.get("input_tokens")) + read + written,  # input_tokens are those not in the cache
        completion_tokens=count(usage.get("output_tokens")),
        cached_tokens=read,
    )


def _reply(body: Mapping[str, object], text: str) -> Completion:
    """An empty text is a reply too: the API documents that models end a turn without a word."""
    completion, reason = Completion(text=text), body.get("stop_reason")
    if reason in _CUT_SHORT:
        return replace(completion, outcome="truncated")
    if reason == "refusal":
        why = mapping(body.get("stop_details")).get("explanation")
        said = valid_unicode(why) if isinstance(why, str) and why else "the provider stopped the reply"
        return replace(completion, outcome="refused", error=f"{said} (stop_reason refusal)")
    return completion


def _path(endpoint: Endpoint) -> str:
    return "" if endpoint.base.endswith("/v1") else "/v1"


ANTHROPIC = WireFormat(
    provider=_PROVIDER,
    chat_path=lambda endpoint, _model: f"{_path(endpoint)}/messages",
    headers=lambda key: {"x-api-key": key},
    constant_headers={"anthropic-version": _VERSION},
    body=message_body,
    read=read_message,
    quirks=ANTHROPIC_QUIRKS,
    lacks=(NO_SEED,),
    models_path=lambda endpoint: f"{_path(endpoint)}/models?limit=1000",
    listed=listed_models,
)

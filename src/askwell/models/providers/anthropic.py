"""Anthropic's Messages API as a `ChatModel`, in its own format: the OpenAI-compatible layer lacks most of it.

Source: https://docs.claude.com/en/api/messages, /en/api/errors, /en/api/rate-limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Unpack

from askwell.core.types import Completion, Request
from askwell.models.conversation import replace_surrogates, split_system_text
from askwell.models.http.client import HttpResponse
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.failures import error_status
from askwell.models.providers.http_model import ConnectionOptions, HttpModel
from askwell.models.providers.openai_wire import parse_model_list
from askwell.models.providers.quirks import ANTHROPIC_QUIRKS, NO_SEED
from askwell.models.providers.registry import PROVIDERS
from askwell.models.providers.response import (
    ParsedResponse,
    as_blocks,
    as_count,
    as_object,
    combine_replies,
    has_error,
    is_success,
    malformed_response,
    mark_empty,
    parse_error,
    parse_json,
)
from askwell.models.providers.wire_format import Body, ReplyOptions, WireFormat, sample_seed

_PROVIDER = PROVIDERS["anthropic"]
_VERSION = "2023-06-01"
STATUS = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
    "not_found_error": 404, "request_too_large": 413, "rate_limit_error": 429, "api_error": 500,
    "timeout_error": 504, "overloaded_error": 529,
}  # fmt: skip
"""Type of an error -> its HTTP status, for gateways that wrap errors in a 200."""
_USUAL = ("end_turn", "stop_sequence", None)
_THINKING = ("thinking", "redacted_thinking")
_CUT_SHORT = ("max_tokens", "model_context_window_exceeded")


class AnthropicModel(HttpModel):
    """A model behind `POST {base_url}/v1/messages`; everything else as in `HttpModel`.

    The API has no seed (logged once) and returns one sample per request.
    """

    def __init__(self, name: str, *, base_url: str = _PROVIDER.base_url, **options: Unpack[ConnectionOptions]) -> None:
        super().__init__(name, wire=ANTHROPIC, base_url=base_url, **options)


def encode_anthropic_request(model: str, request: Request) -> Body:
    """Return the JSON body of a request."""
    system, turns = split_system_text(request.messages)
    body: dict[str, object] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
    }
    if system:
        body["system"] = system
    seed = sample_seed(request)
    return body if seed is None else {**body, "seed": seed}


def encode_anthropic_options(_model: str, options: ReplyOptions) -> Body:
    """Return the chosen settings of replies."""
    chosen = options.encode(top_p="top_p", stop="stop_sequences")
    return {**chosen, "output_config": {"effort": options.reasoning_effort}} if options.reasoning_effort else chosen


def parse_message(answer: HttpResponse, _samples: int = 1) -> ParsedResponse:
    """Parse a response."""
    data = parse_json(answer)
    body = as_object(data)
    error = as_object(body.get("error"))
    if not is_success(answer) or has_error(body):
        status = answer.status
        if is_success(answer):
            status = STATUS.get(str(error.get("type"))) or error_status(body["error"])
        spending = as_object(error.get("details")).get("error_code")  # "enforced_spend_limit_reached"
        return parse_error(answer, data, status=status, more=[str(spending)] if spending else [])
    if not isinstance(body.get("content"), list):
        return malformed_response(answer, "is no JSON" if data is None else "has no content")
    blocks = as_blocks(body["content"])
    texts = [text for block in blocks if block.get("type") == "text" and isinstance(text := block.get("text"), str)]
    if len(texts) < sum(block.get("type") == "text" for block in blocks):
        return malformed_response(answer, "has a block without text")
    usage = as_object(body.get("usage"))
    generated = as_count(usage.get("output_tokens"))
    read, written = as_count(usage.get("cache_read_input_tokens")), as_count(usage.get("cache_creation_input_tokens"))
    return combine_replies(
        [_build_reply(body, replace_surrogates("".join(texts)))],
        headers=answer.headers,
        prompt_tokens=as_count(usage.get("input_tokens")) + read + written,  # input_tokens excludes cached ones
        completion_tokens=generated,
        cached_tokens=read,
        # The API counts thinking among the output tokens only: its share is known where nothing else was generated.
        reasoning_tokens=generated if blocks and all(block.get("type") in _THINKING for block in blocks) else 0,
    )


def _build_reply(body: Mapping[str, object], text: str) -> Completion:
    """Return the reply. The API documents that models may end a turn without any text."""
    completion, reason = Completion(text=text), body.get("stop_reason")
    if reason in _CUT_SHORT:
        return replace(completion, outcome="truncated")
    if reason == "refusal":
        reason_text = as_object(body.get("stop_details")).get("explanation")
        explanation = (
            replace_surrogates(reason_text)
            if isinstance(reason_text, str) and reason_text
            else "the provider stopped the reply"
        )
        return replace(completion, outcome="refused", error=f"{explanation} (stop_reason refusal)")
    return completion if text else mark_empty(completion, f"stop_reason {reason}", usual=reason in _USUAL)


def _path(endpoint: Endpoint) -> str:
    return "" if endpoint.base.endswith("/v1") else "/v1"


ANTHROPIC = WireFormat(
    provider=_PROVIDER,
    chat_path=lambda endpoint, _model: f"{_path(endpoint)}/messages",
    headers=lambda key: {"x-api-key": key},
    constant_headers={"anthropic-version": _VERSION},
    body=encode_anthropic_request,
    options=encode_anthropic_options,
    read=parse_message,
    quirks=ANTHROPIC_QUIRKS,
    unsupported=(NO_SEED,),
    models_path=lambda endpoint: f"{_path(endpoint)}/models?limit=1000",
    parse_models=parse_model_list,
)

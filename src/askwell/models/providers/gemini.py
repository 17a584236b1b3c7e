"""Gemini's `generateContent` as a `ChatModel`.

Source: https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/troubleshooting.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import replace
from typing import Unpack

from askwell.core.types import Completion, Request
from askwell.models.conversation import replace_surrogates, split_system_text
from askwell.models.http.client import HttpResponse
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.failures import error_status
from askwell.models.providers.http_model import ConnectionOptions, HttpModel
from askwell.models.providers.quirks import GEMINI_QUIRKS
from askwell.models.providers.registry import PROVIDERS
from askwell.models.providers.response import (
    ParsedResponse,
    as_blocks,
    as_count,
    as_object,
    as_objects,
    combine_replies,
    has_error,
    is_success,
    malformed_response,
    mark_empty,
    parse_error,
    parse_json,
)
from askwell.models.providers.wire_format import Body, ReplyOptions, WireFormat, sample_seed

_PROVIDER = PROVIDERS["gemini"]
_MAX_CANDIDATES = 8
_REFUSED = (
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
)  # fmt: skip
_BROKEN = ("OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE")
_THINKING_BUDGET = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}
"""The budgets of Gemini's own OpenAI-compatible layer."""
_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


class GeminiModel(HttpModel):
    """A model behind `POST {base_url}/models/NAME:generateContent`; everything else as in `HttpModel`.

    Thinking counts as completion tokens (and against `max_tokens`), and is not part of the text.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str = _PROVIDER.base_url,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        super().__init__(name.removeprefix("models/"), wire=GEMINI, base_url=base_url, **options)


def encode_gemini_request(_model: str, request: Request) -> Body:
    """Return the JSON body of a request."""
    system, turns = split_system_text(request.messages)
    settings: dict[str, object] = {"temperature": request.temperature, "maxOutputTokens": request.max_tokens}
    seed = sample_seed(request)
    if seed is not None:
        settings["seed"] = seed
    if request.samples > 1:
        settings["candidateCount"] = min(request.samples, _MAX_CANDIDATES)
    roles = {"user": "user", "assistant": "model"}
    body: dict[str, object] = {
        "contents": [{"role": roles[turn.role], "parts": [{"text": turn.content}]} for turn in turns],
        "generationConfig": settings,
    }
    return {**body, "systemInstruction": {"parts": [{"text": system}]}} if system else body


def encode_gemini_options(model: str, options: ReplyOptions) -> Body:
    """Return the chosen settings of replies. Models before Gemini 3 take a budget of tokens instead of a level."""
    chosen = options.encode(top_p="topP", stop="stopSequences")
    effort = options.reasoning_effort
    if effort:
        has_budget = model.startswith(("gemini-1", "gemini-2")) and effort in _THINKING_BUDGET
        chosen["thinkingConfig"] = (
            {"thinkingBudget": _THINKING_BUDGET[effort]} if has_budget else {"thinkingLevel": effort}
        )
    return {"generationConfig": chosen} if chosen else {}


def parse_candidates(answer: HttpResponse, samples: int = 1) -> ParsedResponse:
    """Parse a response. Candidates beyond `samples` are ignored."""
    data = parse_json(answer)
    if not is_success(answer):
        return _parse_gemini_error(answer, data)
    body = as_object(data)
    if has_error(body):
        return _parse_gemini_error(answer, data, error_status(body["error"]))
    candidates = as_objects(body.get("candidates"))[:samples]
    blocked = as_object(body.get("promptFeedback")).get("blockReason")
    if not candidates and not blocked:
        return malformed_response(answer, "is no JSON" if data is None else "has no candidates")
    replies = [_parse_candidate(candidate) for candidate in candidates]
    if not replies:
        replies = [Completion(outcome="refused", error=f"the provider blocked the prompt (blockReason {blocked})")]
    if replies == [None]:
        return malformed_response(answer, "has a candidate without text")
    usage = as_object(body.get("usageMetadata"))
    thoughts = as_count(usage.get("thoughtsTokenCount"))
    return combine_replies(
        replies,
        headers=answer.headers,
        prompt_tokens=as_count(usage.get("promptTokenCount")),
        completion_tokens=as_count(usage.get("candidatesTokenCount")) + thoughts,
        cached_tokens=as_count(usage.get("cachedContentTokenCount")),
        reasoning_tokens=thoughts,
    )


def _parse_candidate(candidate: Mapping[str, object]) -> Completion | None:
    """Return the reply of a candidate; None if it has no text and no reason for that."""
    reason = str(candidate.get("finishReason") or "")
    content = as_object(candidate.get("content"))
    parts = [part for part in as_blocks(content.get("parts")) if not part.get("thought")]
    texts = [text for part in parts if isinstance(text := part.get("text"), str)]
    completion = Completion(text=replace_surrogates("".join(texts)))
    message = candidate.get("finishMessage")
    detail = (
        f"finishReason {reason}{f': {replace_surrogates(message)}' if isinstance(message, str) and message else ''}"
    )
    if reason in _REFUSED:
        return replace(completion, outcome="refused", error=f"the provider stopped the reply ({detail})")
    if reason in _BROKEN:
        error = f"the provider stopped in the middle of a reply ({detail})"
        return Completion(outcome="failed", fault="server", error=error)
    if reason == "MAX_TOKENS":  # without any text if thinking used all tokens
        return replace(completion, outcome="truncated")
    if not (reason or parts) or (any("text" in part for part in parts) and len(texts) < len(parts)):
        return None
    return completion if completion.text else mark_empty(completion, detail, usual=bool(texts) and reason == "STOP")


def _parse_gemini_error(answer: HttpResponse, data: object, status: int = 0) -> ParsedResponse:
    """Parse a google.rpc.Status: its details hold the reason and the time to wait."""
    details = as_objects(as_object(as_object(data).get("error")).get("details"))
    violations = [violation for detail in details for violation in as_objects(detail.get("violations"))]
    codes = [detail.get("reason") for detail in details] + [violation.get("quotaId") for violation in violations]
    waits = [_DELAY.fullmatch(str(detail.get("retryDelay"))) for detail in details]
    wait_s = max((float(wait[1]) for wait in waits if wait), default=None)
    return parse_error(answer, data, status=status, more=[str(code) for code in codes if code], wait_s=wait_s)


def _parse_models(data: object) -> tuple[str, ...]:
    """Return the names of the models that support `generateContent`."""
    entries = as_objects(as_object(data).get("models"))
    return tuple(
        str(entry["name"]).removeprefix("models/")
        for entry in entries
        if "name" in entry and "generateContent" in str(entry.get("supportedGenerationMethods", "generateContent"))
    )


def _version(endpoint: Endpoint) -> str:
    """Return the API version that a bare address lacks."""
    return "" if urllib.parse.urlsplit(endpoint.base).path else "/v1beta"


def _chat_path(endpoint: Endpoint, model: str) -> str:
    resource = model if model.startswith("tunedModels/") else f"models/{model}"
    return f"{_version(endpoint)}/{urllib.parse.quote(resource)}:generateContent"


GEMINI = WireFormat(
    provider=_PROVIDER,
    chat_path=_chat_path,
    headers=lambda key: {"x-goog-api-key": key},
    body=encode_gemini_request,
    options=encode_gemini_options,
    read=parse_candidates,
    quirks=GEMINI_QUIRKS,
    models_path=lambda endpoint: f"{_version(endpoint)}/models?pageSize=1000",
    parse_models=_parse_models,
)

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
from askwell.models.conversation import opened_by_user, valid_unicode
from askwell.models.http.client import HttpAnswer
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.http_model import HttpModel, Reach
from askwell.models.providers.quirks import GEMINI_QUIRKS
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

_PROVIDER = PROVIDERS["gemini"]
_MOST_CANDIDATES = 8
_REFUSED = (
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
)  # fmt: skip
_BROKEN = ("OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE")
_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


class GeminiModel(HttpModel):
    """A model behind `POST {base_url}/models/NAME:generateContent`; everything else as `HttpModel` has it.

    What a model thinks counts as completion tokens (and against `max_tokens`), and is no part of the text.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str = _PROVIDER.base_url,
        **reach: Unpack[Reach],
    ) -> None:
        super().__init__(name.removeprefix("models/"), wire=GEMINI, base_url=base_url, **reach)


def generate_body(_model: str, request: Request) -> Body:
    """Return the JSON body of a request."""
    system, turns = opened_by_user(request.messages)
    settings: dict[str, object] = {"temperature": request.temperature, "maxOutputTokens": request.max_tokens}
    seed = seed_of(request)
    if seed is not None:
        settings["seed"] = seed
    if request.samples > 1:
        settings["candidateCount"] = min(request.samples, _MOST_CANDIDATES)
    roles = {"user": "user", "assistant": "model"}
    body: dict[str, object] = {
        "contents": [{"role": roles[turn.role], "parts": [{"text": turn.content}]} for turn in turns],
        "generationConfig": settings,
    }
    return {**body, "systemInstruction": {"parts": [{"text": system}]}} if system else body


def read_candidates(answer: HttpAnswer, samples: int = 1) -> ParsedResponse:
    """Tell what a response means. Candidates beyond `samples` are ignored."""
    data = json_of(answer)
    if answer.status != 200:
        return _read_failure(answer, data)
    body = mapping(data)
    candidates = mappings(body.get("candidates"))[:samples]
    blocked = mapping(body.get("promptFeedback")).get("blockReason")
    if not candidates and not blocked:
        if mapping(body.get("error")):
            return _read_failure(answer, data, count(mapping(body["error"]).get("code")) or 502)
        return malformed(answer, "is no JSON" if data is None else "has no candidates")
    replies = [_read_candidate(candidate) for candidate in candidates]
    if not replies:
        replies = [Completion(outcome="refused", error=f"the provider blocked the prompt (blockReason {blocked})")]
    if replies == [None]:
        return malformed(answer, "has a candidate without text")
    usage = mapping(body.get("usageMetadata"))
    return replied(
        replies,
        headers=answer.headers,
        prompt_tokens=count(usage.get("promptTokenCount")),
        completion_tokens=count(usage.get("candidatesTokenCount")) + count(usage.get("thoughtsTokenCount")),
        cached_tokens=count(usage.get("cachedContentTokenCount")),
    )


def _read_candidate(candidate: Mapping[str, object]) -> Completion | None:
    """Return what a candidate says; None where it has no text and no reason for that."""
    reason = str(candidate.get("finishReason") or "")
    content = mapping(candidate.get("content"))
    parts = [part for part in mappings(content.get("parts")) if not part.get("thought")]
    texts = [text for part in parts if isinstance(text := part.get("text"), str)]
    completion = Completion(text=valid_unicode("".join(texts)))
    why = candidate.get("finishMessage")
    said = f"finishReason {reason}{f': {valid_unicode(why)}' if isinstance(why, str) and why else ''}"
    if reason in _REFUSED:
        return replace(completion, outcome="refused", error=f"the provider stopped the reply ({said})")
    if reason in _BROKEN:
        error = f"the provider stopped in the middle of a reply ({said})"
        return Completion(outcome="failed", fault="server", error=error)
    if reason == "MAX_TOKENS":  # without any text where thinking took all of them
        return replace(completion, outcome="truncated")
    return completion if (reason or parts) and len(texts) == len(parts) else None


def _read_failure(answer: HttpAnswer, data: object, status: int = 0) -> ParsedResponse:
    """Read a google.rpc.Status: why stands in its details, and so does how long to wait."""
    details = mappings(mapping(mapping(data).get("error")).get("details"))
    violations = [violation for detail in details for violation in mappings(detail.get("violations"))]
    found = [detail.get("reason") for detail in details] + [violation.get("quotaId") for violation in violations]
    waits = [_DELAY.fullmatch(str(detail.get("retryDelay"))) for detail in details]
    wait_s = max((float(wait[1]) for wait in waits if wait), default=None)
    return failure(answer, data, status=status, more=[str(code) for code in found if code], wait_s=wait_s)


def _listed(data: object) -> tuple[str, ...]:
    """Return the names of the models that take `generateContent`."""
    entries = mappings(mapping(data).get("models"))
    return tuple(
        str(entry["name"]).removeprefix("models/")
        for entry in entries
        if "name" in entry and "generateContent" in str(entry.get("supportedGenerationMethods", "generateContent"))
    )


def _version(endpoint: Endpoint) -> str:
    """Return what a bare address lacks: the version of the API."""
    return "" if urllib.parse.urlsplit(endpoint.base).path else "/v1beta"


def _chat_path(endpoint: Endpoint, model: str) -> str:
    place = model if model.startswith("tunedModels/") else f"models/{model}"
    return f"{_version(endpoint)}/{urllib.parse.quote(place)}:generateContent"


GEMINI = WireFormat(
    provider=_PROVIDER,
    chat_path=_chat_path,
    headers=lambda key: {"x-goog-api-key": key},
    body=generate_body,
    read=read_candidates,
    quirks=GEMINI_QUIRKS,
    models_path=lambda endpoint: f"{_version(endpoint)}/models?pageSize=1000",
    listed=_listed,
)

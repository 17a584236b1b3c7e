"""OpenAI's chat-completions format, which most providers speak: a request to its JSON, an answer to its meaning. Pure.

Azure's is the same but for the header of the key and where a deployment stands.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from askwell.core.types import Completion, Request
from askwell.models.conversation import valid_unicode
from askwell.models.http.client import HttpAnswer
from askwell.models.http.endpoint import CHAT, Endpoint
from askwell.models.providers.quirks import OPENAI_QUIRKS
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
    words_of,
)
from askwell.models.providers.wire_format import Body, WireFormat, seed_of


def chat_body(model: str, request: Request) -> Body:
    """Return the JSON body of a request."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    }
    seed = seed_of(request)
    if seed is not None:
        body["seed"] = seed
    if request.samples > 1:
        body["n"] = request.samples
    return body


def read_answer(answer: HttpAnswer, samples: int = 1) -> ParsedResponse:
    """Tell what a response means. Choices beyond `samples` are ignored."""
    data = json_of(answer)
    return read_body(answer, data, samples) if answer.status == 200 else _read_failure(answer, data, answer.status)


def read_body(answer: HttpAnswer, data: object, samples: int) -> ParsedResponse:
    """Tell what the body of a 200 means."""
    body = mapping(data)
    choices = mappings(body.get("choices"))[:samples]
    if not choices:
        if "error" in body:  # some routers answer 200 and put the upstream's failure inside
            return _read_failure(answer, data, count(mapping(body["error"]).get("code")) or 502)
        return malformed(answer, "is no JSON" if data is None else "has no choices")
    replies = [_read_choice(choice) for choice in choices]
    if replies == [None]:
        return malformed(answer, "has a message without text")
    usage = mapping(body.get("usage"))
    return replied(
        replies,
        headers=answer.headers,
        prompt_tokens=count(usage.get("prompt_tokens")),
        completion_tokens=count(usage.get("completion_tokens")),
        cached_tokens=count(mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
    )


def listed_models(data: object) -> tuple[str, ...]:
    """Return the names in a list of models, as OpenAI and Anthropic spell it."""
    return tuple(str(entry["id"]) for entry in mappings(mapping(data).get("data")) if "id" in entry)


def _read_failure(answer: HttpAnswer, data: object, status: int) -> ParsedResponse:
    reading = failure(answer, data, status=status)
    body = mapping(data)
    if status == 400 and mapping(body.get("error", body)).get("code") == "content_filter":
        # Azure refuses a prompt this way
        return ParsedResponse(
            completion=Completion(outcome="refused", error=reading.completion.error), words=reading.words
        )
    return reading


def _read_choice(choice: Mapping[str, object]) -> Completion | None:
    """Return what one choice says, without its usage; None where it has no text."""
    message = mapping(choice.get("message"))
    text = _text(message.get("content"))
    if text is None or not message:
        return None
    completion = Completion(text=text)
    reason, refusal = choice.get("finish_reason"), message.get("refusal")
    if reason == "error":
        error = f"the provider stopped in the middle of a reply: {words_of(choice) or 'no reason given'}"
        return Completion(outcome="failed", fault="server", error=error)
    if reason == "content_filter":
        return replace(completion, outcome="refused", error="the provider's content filter stopped the reply")
    if isinstance(refusal, str) and refusal:
        return replace(completion, outcome="refused", error=valid_unicode(refusal))
    return replace(completion, outcome="truncated") if reason in ("length", "max_tokens") else completion


def _text(content: object) -> str | None:
    """Return a message's text, joining parts; None where it is neither text, nor parts, nor null.

    Null is what reasoning models send when they ran out of tokens, and what comes with a refusal: an empty reply.
    Reasoning (`reasoning_content`) is no part of the answer.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return valid_unicode(content)
    if not isinstance(content, list):
        return None
    parts = [mapping(part) for part in cast("list[object]", content)]
    texts = [part.get("text") for part in parts if part.get("type") in ("text", "output_text")]
    return valid_unicode("".join(text for text in texts if isinstance(text, str)))


def _azure_path(endpoint: Endpoint, deployment: str) -> str:
    """Return where a deployment answers below a resource's address: the v1 API, or a dated one (`api-version=…`)."""
    path = urllib.parse.urlsplit(endpoint.base).path
    if "/openai/" in path:
        return CHAT
    api = "" if path.endswith("/openai") else "/openai"
    if "api-version=" in endpoint.query:
        return f"{api}/deployments/{urllib.parse.quote(deployment, safe='')}{CHAT}"
    return f"{api}/v1{CHAT}"


def _azure_headers(key: str) -> Mapping[str, str]:
    return {"api-key": key}


OPENAI = WireFormat(
    provider=PROVIDERS["openai"],
    chat_path=lambda _endpoint, _model: CHAT,
    headers=lambda key: {"Authorization": f"Bearer {key}"},
    body=chat_body,
    read=read_answer,
    quirks=OPENAI_QUIRKS,
    models_path=lambda _endpoint: "/models",
    listed=listed_models,
)
AZURE = replace(
    OPENAI,
    provider=PROVIDERS["azure"],
    chat_path=_azure_path,
    headers=_azure_headers,
    models_path=None,  # lists what could be deployed, not what is
    unlisted="give the name of a deployment (not of a model), as the Azure portal shows it",
)

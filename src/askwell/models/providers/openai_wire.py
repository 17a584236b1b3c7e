"""OpenAI's chat-completions format, which most providers use: encode requests, parse responses. All functions are pure.

Azure's format differs in the header of the key and the path of a deployment.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from askwell.core.types import Completion, Request
from askwell.models.conversation import replace_surrogates
from askwell.models.http.client import HttpResponse
from askwell.models.http.endpoint import CHAT_PATH, Endpoint
from askwell.models.providers.quirks import OPENAI_QUIRKS
from askwell.models.providers.registry import PROVIDERS
from askwell.models.providers.response import (
    ParsedResponse,
    as_count,
    as_object,
    as_objects,
    combine_replies,
    error_message,
    malformed_response,
    parse_error,
    parse_json,
)
from askwell.models.providers.wire_format import Body, WireFormat, sample_seed


def encode_chat_request(model: str, request: Request) -> Body:
    """Return the JSON body of a request."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    }
    seed = sample_seed(request)
    if seed is not None:
        body["seed"] = seed
    if request.samples > 1:
        body["n"] = request.samples
    return body


def parse_chat_response(answer: HttpResponse, samples: int = 1) -> ParsedResponse:
    """Parse a response. Choices beyond `samples` are ignored."""
    data = parse_json(answer)
    return (
        parse_chat_completion(answer, data, samples)
        if answer.status == 200
        else _parse_openai_error(answer, data, answer.status)
    )


def parse_chat_completion(answer: HttpResponse, data: object, samples: int) -> ParsedResponse:
    """Parse the body of a response of status 200."""
    body = as_object(data)
    choices = as_objects(body.get("choices"))[:samples]
    if not choices:
        if "error" in body:  # some routers answer 200 with the upstream's error inside
            return _parse_openai_error(answer, data, as_count(as_object(body["error"]).get("code")) or 502)
        return malformed_response(answer, "is no JSON" if data is None else "has no choices")
    replies = [_parse_choice(choice) for choice in choices]
    if replies == [None]:
        return malformed_response(answer, "has a message without text")
    usage = as_object(body.get("usage"))
    return combine_replies(
        replies,
        headers=answer.headers,
        prompt_tokens=as_count(usage.get("prompt_tokens")),
        completion_tokens=as_count(usage.get("completion_tokens")),
        cached_tokens=as_count(as_object(usage.get("prompt_tokens_details")).get("cached_tokens")),
        reasoning_tokens=_count_reasoning(usage, choices),
    )


def _count_reasoning(usage: Mapping[str, object], choices: Sequence[Mapping[str, object]]) -> int:
    """Return the tokens of reasoning; all completion tokens if the server counts none and every text is empty."""
    counted = as_count(as_object(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    messages = [as_object(choice.get("message")) for choice in choices]
    # vLLM, llama.cpp and Ollama send the reasoning in a field of its own, and no count of it.
    if counted or not all(message.get("reasoning_content") or message.get("reasoning") for message in messages):
        return counted
    return 0 if any(message.get("content") for message in messages) else as_count(usage.get("completion_tokens"))


def parse_model_list(data: object) -> tuple[str, ...]:
    """Return the names in a list of models in OpenAI's and Anthropic's format."""
    return tuple(str(entry["id"]) for entry in as_objects(as_object(data).get("data")) if "id" in entry)


def _parse_openai_error(answer: HttpResponse, data: object, status: int) -> ParsedResponse:
    parsed = parse_error(answer, data, status=status)
    body = as_object(data)
    if status == 400 and as_object(body.get("error", body)).get("code") == "content_filter":
        # Azure rejects a prompt this way: an outcome of this prompt, not an error of the request.
        return ParsedResponse(
            completion=Completion(outcome="refused", error=parsed.completion.error), error_text=parsed.error_text
        )
    return parsed


def _parse_choice(choice: Mapping[str, object]) -> Completion | None:
    """Return the reply of one choice, without its usage; None if it has no text."""
    message = as_object(choice.get("message"))
    text = _text(message.get("content"))
    if text is None or not message:
        return None
    completion = Completion(text=text)
    reason, refusal = choice.get("finish_reason"), message.get("refusal")
    if reason == "error":
        error = f"the provider stopped in the middle of a reply: {error_message(choice) or 'no reason given'}"
        return Completion(outcome="failed", fault="server", error=error)
    if reason == "content_filter":
        return replace(completion, outcome="refused", error="the provider's content filter stopped the reply")
    if isinstance(refusal, str) and refusal:
        return replace(completion, outcome="refused", error=replace_surrogates(refusal))
    return replace(completion, outcome="truncated") if reason in ("length", "max_tokens") else completion


def _text(content: object) -> str | None:
    """Return a message's text, joining parts; None if it is neither text, nor parts, nor null.

    Null is an empty reply: reasoning models that ran out of tokens send it, and so do refusals.
    Reasoning (`reasoning_content`) is not part of the answer.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return replace_surrogates(content)
    if not isinstance(content, list):
        return None
    parts = [as_object(part) for part in cast("list[object]", content)]
    texts = [part.get("text") for part in parts if part.get("type") in ("text", "output_text")]
    return replace_surrogates("".join(text for text in texts if isinstance(text, str)))


def _azure_path(endpoint: Endpoint, deployment: str) -> str:
    """Return the path of a deployment below a resource's address: the v1 API, or a dated one (`api-version=…`)."""
    path = urllib.parse.urlsplit(endpoint.base).path
    if "/openai/" in path:
        return CHAT_PATH
    api = "" if path.endswith("/openai") else "/openai"
    if "api-version=" in endpoint.query:
        return f"{api}/deployments/{urllib.parse.quote(deployment, safe='')}{CHAT_PATH}"
    return f"{api}/v1{CHAT_PATH}"


def _azure_headers(key: str) -> Mapping[str, str]:
    return {"api-key": key}


OPENAI = WireFormat(
    provider=PROVIDERS["openai"],
    chat_path=lambda _endpoint, _model: CHAT_PATH,
    headers=lambda key: {"Authorization": f"Bearer {key}"},
    body=encode_chat_request,
    read=parse_chat_response,
    quirks=OPENAI_QUIRKS,
    models_path=lambda _endpoint: "/models",
    parse_models=parse_model_list,
)
AZURE = replace(
    OPENAI,
    provider=PROVIDERS["azure"],
    chat_path=_azure_path,
    headers=_azure_headers,
    models_path=None,  # it lists the models that could be deployed, not the deployments
    unlisted_hint="give the name of a deployment (not of a model), as the Azure portal shows it",
)

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
from askwell.models.providers.failures import error_status
from askwell.models.providers.quirks import OPENAI_QUIRKS
from askwell.models.providers.registry import PROVIDERS
from askwell.models.providers.response import (
    ParsedResponse,
    as_count,
    as_object,
    as_objects,
    combine_replies,
    error_message,
    has_error,
    is_success,
    malformed_response,
    mark_empty,
    parse_error,
    parse_json,
)
from askwell.models.providers.wire_format import Body, ReplyOptions, WireFormat, sample_seed

_USUAL = ("", "stop", "eos", "end_turn", "stop_sequence", "eos_token", "complete")
_CUT_SHORT = ("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded")
_REFUSED = (
    "content_filter", "content_filtered", "refusal", "safety", "sensitive", "recitation", "blocklist",
    "prohibited_content", "guardrail_intervened", "moderation",
)  # fmt: skip
_BROKEN = ("error", "network_error", "insufficient_system_resource", "abort", "cancelled")
"""Reasons of compatible servers (Mistral, Zhipu, DeepSeek, Bedrock, Gemini's layer, SGLang), in lower case."""


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


def encode_chat_options(_model: str, options: ReplyOptions) -> Body:
    """Return the chosen settings of replies."""
    chosen = options.encode(top_p="top_p", stop="stop")
    return {**chosen, "reasoning_effort": options.reasoning_effort} if options.reasoning_effort else chosen


def parse_chat_response(answer: HttpResponse, samples: int = 1) -> ParsedResponse:
    """Parse a response. Choices beyond `samples` are ignored."""
    data = parse_json(answer)
    return (
        parse_chat_completion(answer, data, samples)
        if is_success(answer)
        else parse_error(answer, data, status=answer.status)
    )


def parse_chat_completion(answer: HttpResponse, data: object, samples: int) -> ParsedResponse:
    """Parse the body of a successful response."""
    body = as_object(data)
    choices = as_objects(body.get("choices"))[:samples]
    if has_error(body):  # routers answer 200 with the upstream's error inside, some beside half a reply
        return parse_error(answer, data, status=error_status(body["error"]))
    if not choices:
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


def _parse_choice(choice: Mapping[str, object]) -> Completion | None:
    """Return the reply of one choice, without its usage; None if it has no text and no reason for that."""
    message = as_object(choice.get("message") or choice.get("delta"))  # some gateways answer with a whole chunk
    content = message.get("content")
    is_plain = choice.get("finish_reason") == "stop" and "error" not in choice and not message.get("refusal")
    if is_plain and isinstance(content, str) and content:  # nearly every choice
        return Completion(text=replace_surrogates(content))
    return _parse_odd_choice(choice, message)


def _parse_odd_choice(choice: Mapping[str, object], message: Mapping[str, object]) -> Completion | None:
    reason = str(choice.get("finish_reason") or "")
    ended = reason.lower()
    if ended in _BROKEN or has_error(choice):
        error = f"the provider stopped in the middle of a reply: {error_message(choice) or f'finish_reason {reason}'}"
        return Completion(outcome="failed", fault="server", error=error)
    text, refusal = _text(choice, message)
    if text is None:
        return None
    completion = Completion(text=replace_surrogates(text))
    if ended in _REFUSED:
        error = f"the provider's content filter stopped the reply (finish_reason {reason})"
        return replace(completion, outcome="refused", error=replace_surrogates(refusal) or error)
    if refusal:
        return replace(completion, outcome="refused", error=replace_surrogates(refusal))
    if ended in _CUT_SHORT:
        return replace(completion, outcome="truncated")
    is_usual = ended in _USUAL and not message.get("tool_calls")
    return completion if text else mark_empty(completion, f"finish_reason {reason or 'absent'}", usual=is_usual)


def _text(choice: Mapping[str, object], message: Mapping[str, object]) -> tuple[str | None, str]:
    """Return a choice's text, joining parts, and the model's refusal; the text is None if it is in no known form.

    Null is an empty reply: reasoning models that ran out of tokens send it, and so do refusals.
    Reasoning (`reasoning_content`) is not part of the answer.
    """
    refusal = message.get("refusal")
    refused = refusal if isinstance(refusal, str) else ""
    if not message:  # the form of the completions route
        text = choice.get("text")
        return (text if isinstance(text, str) else None), refused
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or "", refused
    parts = cast("list[object]", content) if isinstance(content, list) else [content]
    texts = [_part_text(part) for part in parts]
    if texts and all(text is None for text in texts):
        return None, refused
    refused = refused or "".join(str(as_object(part).get("refusal") or "") for part in parts)
    return "".join(text or "" for text in texts), refused


def _part_text(part: object) -> str | None:
    """Return the text of a part of a message; empty for reasoning and refusals, None for a part of another kind."""
    if isinstance(part, str):
        return part
    fields = as_object(part)
    kind = fields.get("type") or ""
    if kind in ("thinking", "reasoning", "redacted_thinking", "refusal"):
        return ""
    text = fields.get("text")
    if isinstance(text, dict):  # the form of OpenAI's threads: {"text": {"value": "…"}}
        text = as_object(cast("object", text)).get("value")
    return text if kind in ("", "text", "output_text") and isinstance(text, str) else None


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
    options=encode_chat_options,
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

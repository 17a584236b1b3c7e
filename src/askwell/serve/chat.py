"""An OpenAI-compatible endpoint over any `ChatModel`: /v1/chat/completions (with `n`) and /v1/models."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Message, Outcome, Request
from askwell.models.request_key import request_key

_FINISH_REASONS: Mapping[Outcome, str] = {"truncated": "length", "refused": "content_filter"}
_LARGEST_BODY = 16 * 1024 * 1024


class _ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[dict[str, Any]]


class _ChatRequest(BaseModel):
    """The part of a chat request that askwell's models understand; other fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    model: str
    messages: list[_ChatMessage] = Field(min_length=1)
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = None
    n: int = Field(default=1, ge=1, le=128)
    stream: bool = False


def chat_app(models: Mapping[str, ChatModel], *, max_tokens: int = 512, temperature: float = 1.0) -> web.Application:
    """Return an application that serves these models by name; the two numbers are the defaults of a request."""

    async def chat(http: web.Request) -> web.StreamResponse:
        try:
            body = _ChatRequest.model_validate_json(await http.read())
        except ValidationError as error:
            return _error_response(
                400, "; ".join(f"{_format_location(problem['loc'])}: {problem['msg']}" for problem in error.errors())
            )
        model = models.get(body.model)
        if model is None:
            return _error_response(404, f"The model {body.model!r} does not exist; this server has {sorted(models)}")
        request = Request(
            messages=tuple(_decode_message(message) for message in body.messages),
            temperature=temperature if body.temperature is None else body.temperature,
            max_tokens=body.max_completion_tokens or body.max_tokens or max_tokens,
            seed=body.seed,
        )
        samples = [replace(request, sample_index=index) for index in range(body.n)]
        completions = await asyncio.gather(*[model.complete(sample) for sample in samples])
        failed = next((completion for completion in completions if completion.outcome == "failed"), None)
        if failed is not None:
            return _error_response(400 if failed.fault == "bad_request" else 503, failed.error)
        answer = _encode_answer(body.model, request_key(model.name, request), completions)
        return await _stream_answer(http, answer) if body.stream else web.json_response(answer)

    async def listing(_: web.Request) -> web.Response:
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "askwell"} for name in models]
        return web.json_response({"object": "list", "data": entries})

    async def close(_: web.Application) -> None:
        for model in models.values():
            await model.aclose()

    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", listing)
    app.on_cleanup.append(close)
    return app


def _decode_message(message: _ChatMessage) -> Message:
    parts = [{"text": message.content}] if isinstance(message.content, str) else message.content
    text = "".join(str(part.get("text", "")) for part in parts)
    return Message(role="system" if message.role == "developer" else message.role, content=text)


def _encode_answer(model: str, key: str, completions: list[Completion]) -> dict[str, Any]:
    prompt = completions[0].usage.prompt_tokens
    generated = sum(completion.usage.completion_tokens for completion in completions)
    return {
        "id": "chatcmpl-" + hashlib.blake2b(key.encode(), digest_size=12).hexdigest(),
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": completion.text},
                "finish_reason": _FINISH_REASONS.get(completion.outcome, "stop"),
                "logprobs": None,
            }
            for index, completion in enumerate(completions)
        ],
        "usage": {"prompt_tokens": prompt, "completion_tokens": generated, "total_tokens": prompt + generated},
    }


async def _stream_answer(http: web.Request, answer: dict[str, Any]) -> web.StreamResponse:
    """Send the finished answer as server-sent events, for clients that always stream."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(http)
    base = {**answer, "object": "chat.completion.chunk"}
    usage = base.pop("usage")
    for choice in answer["choices"]:
        delta: dict[str, Any] = {"index": choice["index"], "delta": choice["message"], "finish_reason": None}
        end: dict[str, Any] = {"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}
        for part in (delta, end):
            await response.write(b"data: " + json.dumps({**base, "choices": [part]}).encode() + b"\n\n")
    await response.write(b"data: " + json.dumps({**base, "choices": [], "usage": usage}).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _error_response(status: int, message: str) -> web.Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    code = "model_not_found" if status == 404 else None
    return web.json_response({"error": {"message": message, "type": kind, "param": None, "code": code}}, status=status)


def _format_location(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "body"

"""Completions in the form of OpenAI's answers: one JSON object, or a stream of events."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from askwell.core.types import Completion, Fault, Outcome
from askwell.serve.errors import RequestRefused

_FINISH_REASONS: Mapping[Outcome, str] = {"truncated": "length", "refused": "content_filter"}
_STATUS: Mapping[Fault, int] = {"bad_request": 400, "auth": 401, "rate_limit": 429, "timeout": 504}


def encode_answer(model: str, completions: Sequence[Completion]) -> dict[str, Any]:
    """Return the answer with one choice per completion. Raises `RequestRefused` if one has failed."""
    failed = next((completion for completion in completions if completion.outcome == "failed"), None)
    if failed is not None:
        status = _STATUS.get(failed.fault, 503)
        raise RequestRefused(failed.error, status=status, retry_after_s=failed.retry_after_s)
    prompt = completions[0].usage.prompt_tokens
    generated = sum(completion.usage.completion_tokens for completion in completions)
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [_encode_choice(index, completion) for index, completion in enumerate(completions)],
        "usage": {"prompt_tokens": prompt, "completion_tokens": generated, "total_tokens": prompt + generated},
    }


async def stream_answer(
    http: web.Request, answer: Mapping[str, Any], headers: Mapping[str, str], *, includes_usage: bool
) -> web.StreamResponse:
    """Send the finished answer as server-sent events, for clients that always stream."""
    base = {**answer, "object": "chat.completion.chunk"}
    usage = base.pop("usage")
    chunks: list[dict[str, Any]] = [
        {**base, "choices": [part]} for choice in answer["choices"] for part in _split_choice(choice)
    ]
    if includes_usage:
        chunks = [*({**chunk, "usage": None} for chunk in chunks), {**base, "choices": [], "usage": usage}]
    events = [*(json.dumps(chunk) for chunk in chunks), "[DONE]"]
    sent = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", **headers}
    response = web.StreamResponse(headers=sent)
    await response.prepare(http)
    await response.write_eof("".join(f"data: {event}\n\n" for event in events).encode())
    return response


def _encode_choice(index: int, completion: Completion) -> dict[str, Any]:
    return {
        "index": index,
        "message": {"role": "assistant", "content": completion.text},
        "finish_reason": _FINISH_REASONS.get(completion.outcome, "stop"),
        "logprobs": None,
    }


def _split_choice(choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the text of a choice and its end as the parts of a stream."""
    index, reason = choice["index"], choice["finish_reason"]
    return [
        {"index": index, "delta": choice["message"], "finish_reason": None},
        {"index": index, "delta": {}, "finish_reason": reason},
    ]

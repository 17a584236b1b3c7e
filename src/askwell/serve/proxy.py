"""An OpenAI-compatible proxy: it inserts the policy's prompt and streams the upstream model's answer."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
from aiohttp import web

from askwell.core.errors import DataError
from askwell.models.http.endpoint import Endpoint
from askwell.serve.prompting import PromptInserter

PROMPT_HEADER = "X-Askwell-Prompt"
"""Response header with the instruction that was sent, percent-encoded."""

_LARGEST_BODY = 64 * 1024 * 1024
_FORWARDED_HEADERS = ("Content-Type", "Retry-After", "X-Request-Id", "OpenAI-Processing-Ms")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Upstream:
    """The endpoint and model that answer."""

    endpoint: Endpoint
    model: str
    """Sent instead of the model that the client names."""
    api_key: str | None = None
    timeout_s: float = 600.0
    """Timeout between two bytes from upstream; a stream as a whole may last longer."""


def proxy_app(inserter: PromptInserter, upstream: Upstream, *, name: str) -> web.Application:
    """Return an application that serves the policy's model under `name`.

    The request is forwarded unchanged (tools, sampling, streaming) except for its messages and its model. The answer is
    returned unchanged, errors of the upstream included. Redirects are not followed, because they could send the key to
    another host.
    """
    app = web.Application(client_max_size=_LARGEST_BODY)
    session_key = web.AppKey("session", aiohttp.ClientSession)

    async def session(app: web.Application) -> AsyncIterator[None]:
        headers = {"User-Agent": "askwell", "Content-Type": "application/json"}
        if upstream.api_key is not None:
            headers["Authorization"] = f"Bearer {upstream.api_key}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=upstream.timeout_s)
        async with aiohttp.ClientSession(
            headers=headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        ) as client:
            app[session_key] = client
            yield
        inserter.close()

    async def chat(http: web.Request) -> web.StreamResponse:
        try:
            body = _parse_request(await http.read())
            messages, prompt = await inserter.insert(body["messages"])
        except DataError as error:
            return _error_response(400, str(error), "invalid_request_error")
        forwarded = {**body, "messages": messages, "model": upstream.model}
        header = urllib.parse.quote(prompt.instruction)
        try:
            async with http.app[session_key].post(
                upstream.endpoint.chat_url,
                data=json.dumps(forwarded).encode(),
                allow_redirects=False,
                proxy=upstream.endpoint.proxy(),
            ) as answer:
                return await _forward(http, answer, header)
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            return _error_response(502, f"no answer from {upstream.endpoint.shown}: {reason}", "upstream_error")

    async def listing(_: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "askwell"}]}
        )

    app.cleanup_ctx.append(session)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", listing)
    return app


def _parse_request(raw: bytes) -> dict[str, Any]:
    try:
        parsed: object = json.loads(raw)
    except ValueError as error:
        raise DataError(f"the request is not JSON: {error}") from error
    body = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    messages: object = body.get("messages")
    items = cast("list[object]", messages) if isinstance(messages, list) else []
    if not items or not all(isinstance(item, dict) for item in items):
        raise DataError('the request has no list of messages: expected {"messages": [{"role": …, "content": …}]}')
    return body


async def _forward(http: web.Request, answer: aiohttp.ClientResponse, prompt: str) -> web.StreamResponse:
    """Forward the status, the headers that a client needs, and each chunk when it arrives."""
    headers = {name: answer.headers[name] for name in _FORWARDED_HEADERS if name in answer.headers}
    response = web.StreamResponse(status=answer.status, headers={**headers, PROMPT_HEADER: prompt})
    await response.prepare(http)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


def _error_response(status: int, message: str, kind: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": kind, "param": None, "code": None}}, status=status)

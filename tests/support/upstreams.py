"""Upstream servers for tests of `askwell serve`: one behaviour per path, and counts of what is in flight."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy

from askwell.core.protocols import Policy
from askwell.core.types import Prompt
from askwell.models.http.endpoint import Endpoint
from askwell.policies.fixed import FixedPolicy
from askwell.serve.access import Access
from askwell.serve.prompting import PromptInserter
from askwell.serve.proxy import proxy_app
from askwell.serve.request_rules import RequestRules
from askwell.serve.server import listen, serving
from askwell.serve.upstream import Upstream
from askwell.tasks.render import ChatRender

JSON = {"Content-Type": "application/json"}
KEY = "sk-SECRETKEY123456/+x"
QUICK = FixedPolicy(prompt=Prompt(instruction="Be quick."))


def chunk(text: str) -> bytes:
    """One event of a stream, as OpenAI sends it."""
    body: dict[str, Any] = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    body["choices"] = [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def completion(text: str) -> dict[str, Any]:
    """A whole answer, as OpenAI sends it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    return dict(body)


Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Backend:
    """An upstream; `behave` answers, and the counts say what reached it."""

    behave: Behaviour
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[CIMultiDictProxy[str]] = field(default_factory=list[CIMultiDictProxy[str]])
    in_flight: int = 0
    most_in_flight: int = 0
    cancelled: int = 0

    async def chat(self, http: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            self.bodies.append(json.loads(await http.read()))
            self.headers.append(http.headers)
            return await self.behave(http)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[str]:
        """Serve on a free port; yields the base URL."""
        app = web.Application()
        for path in ("/v1/chat/completions", "/v1/messages"):
            app.router.add_post(path, self.chat)
        async with served(app) as url:
            yield url


@asynccontextmanager
async def served(app: web.Application) -> AsyncGenerator[str]:
    """Serve an application as `askwell serve` does; yields its base URL."""
    sockets = listen("127.0.0.1", 0)
    async with serving(app, sockets):
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}/v1"


@asynccontextmanager
async def proxied(
    backend: Backend,
    *,
    policy: Policy = QUICK,
    query: str = "",
    placement: str = "Q_end",
    key: str | None = KEY,
    timeout_s: float = 600.0,
    access: Access | None = None,
    rules: RequestRules | None = None,
    folds_system: bool = False,
    shows_prompt: bool = False,
) -> AsyncGenerator[str]:
    """Serve a proxy in front of a backend; yields the proxy's base URL."""
    async with backend.run() as url:
        endpoint = Endpoint.parse(url + query)
        app = proxy_app(
            PromptInserter(policy, ChatRender(placement=placement)),
            Upstream(endpoint=endpoint, model="big", api_key=key, timeout_s=timeout_s),
            name="mine",
            access=access,
            rules=rules,
            folds_system=folds_system,
            shows_prompt=shows_prompt,
        )
        async with served(app) as front:
            yield front


async def echo(http: web.Request) -> web.StreamResponse:
    """Answer with the last message's content, as a whole or as a stream."""
    body = json.loads(await http.read())
    text = str(body["messages"][-1]["content"])
    if not body.get("stream"):
        return web.json_response(completion(text))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(http)
    await response.write(chunk(text))
    await response.write(b"data: [DONE]\n\n")
    return response


async def exchange(
    url: str, data: bytes, headers: Mapping[str, str] = JSON
) -> tuple[int, bytes, CIMultiDictProxy[str]]:
    """Post the bytes of a chat request; return status, body and headers."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", data=data, headers=headers) as response,
    ):
        return response.status, await response.read(), response.headers


async def post(url: str, **body: object) -> tuple[int, Any]:
    """Post a chat request; return the status and the JSON of the answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", json=body) as response,
    ):
        return response.status, await response.json()


def user(content: object) -> list[dict[str, object]]:
    """A chat of one user message."""
    return [{"role": "user", "content": content}]


async def raw_exchange(url: str, body: dict[str, Any], *, version: str = "1.1", wait_s: float = 10.0) -> bytes:
    """Post over a raw socket; return every byte until the connection ends (or `wait_s` have passed)."""
    host, _, port = url.removeprefix("http://").removesuffix("/v1").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    data = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/{version}\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    received = b""
    try:
        async with asyncio.timeout(wait_s):
            while part := await reader.read(65536):
                received += part
    except (ConnectionError, TimeoutError) as error:
        received += f"<{type(error).__name__}>".encode()
    finally:
        writer.close()
    return received

"""A real OpenAI-compatible HTTP server for tests: real sockets, replies from a function, faults from a plan.

    with chat_server(reply=lambda messages: "42", faults=random_faults(seed=1, rate=0.3)) as server:
        model = OpenAIModel("tiny", base_url=server.base_url)

It runs on a loop of its own in a daemon thread, binds a free port on 127.0.0.1, and stops with the `with` block, or
by itself after `lifetime_s`.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from aiohttp import web

from askwell.core import types

Fault = Literal[
    "429", "429_retry_after", "429_quota", "500", "503", "408", "malformed_json", "wrong_types", "truncated_json",
    "truncated_body", "cut", "hang", "empty_choices", "empty_body", "content_filter", "refusal", "401", "403",
    "404_model", "400_context", "html",
]  # fmt: skip
FAULTS: tuple[Fault, ...] = get_args(Fault)
PASSING_FAULTS: tuple[Fault, ...] = (
    "429", "429_retry_after", "500", "503", "408", "malformed_json", "wrong_types", "truncated_json",
    "truncated_body", "cut", "hang", "empty_choices", "empty_body",
)  # fmt: skip
"""The faults that another try may cure."""

FAULT_OUTCOMES: dict[Fault, tuple[types.Outcome, types.Fault]] = {
    "429": ("failed", "rate_limit"),
    "429_retry_after": ("failed", "rate_limit"),
    "429_quota": ("failed", "auth"),
    "500": ("failed", "server"),
    "503": ("failed", "server"),
    "408": ("failed", "server"),
    "malformed_json": ("failed", "malformed"),
    "wrong_types": ("failed", "malformed"),
    "truncated_json": ("failed", "malformed"),
    "truncated_body": ("failed", "connection"),
    "cut": ("failed", "connection"),
    "hang": ("failed", "timeout"),
    "empty_choices": ("failed", "malformed"),
    "empty_body": ("failed", "malformed"),
    "content_filter": ("refused", ""),
    "refusal": ("refused", ""),
    "401": ("failed", "auth"),
    "403": ("failed", "auth"),
    "404_model": ("failed", "bad_request"),
    "400_context": ("failed", "bad_request"),
    "html": ("failed", "bad_request"),
}
"""What a model makes of each fault: docs/outcomes.md holds the same table, and a test compares them."""

Messages = list[dict[str, str]]
ReplyFunction = Callable[[Messages], str]
FaultPlan = Callable[[str, int], Fault | None]
"""(body of the request, how often this body came before) -> what goes wrong, if anything."""


def replying(text: str) -> ReplyFunction:
    """Every reply is this text."""
    return lambda _messages: text


def no_faults(_body: str, _repeat: int) -> Fault | None:
    return None


def always(fault: Fault) -> FaultPlan:
    return lambda _body, _repeat: fault


def first(count: int, fault: Fault) -> FaultPlan:
    """The first `count` times a request comes, it fails."""
    return lambda _body, repeat: fault if repeat < count else None


def random_faults(*, seed: int, rate: float, faults: Sequence[Fault] = PASSING_FAULTS) -> FaultPlan:
    """A share of the requests fails; the same requests whatever the order in which they come."""

    def plan(body: str, repeat: int) -> Fault | None:
        dice = random.Random(f"{seed} {body} {repeat}")
        return dice.choice(faults) if dice.random() < rate else None

    return plan


@dataclass
class ChatServer:
    """What a test sees of a running server."""

    base_url: str = ""
    reply: ReplyFunction = lambda messages: messages[-1]["content"]
    faults: FaultPlan = no_faults
    latency_s: float = 0.0
    hang_s: float = 30.0
    retry_after: str = "0.05"
    api_key: str | None = None
    models: tuple[str, ...] = ("tiny", "tiny-large")
    transform: Callable[[dict[str, Any]], web.StreamResponse | None] = lambda body: None
    """Looks at each body first; a response it returns is the answer (for servers with habits of their own)."""
    requests: Counter[str] = field(default_factory=Counter[str])
    """Chat requests by body."""
    by_key: Counter[str] = field(default_factory=Counter[str])
    """Requests of any kind by Authorization header."""
    faults_served: Counter[str] = field(default_factory=Counter[str])
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    answered: Counter[str] = field(default_factory=Counter[str])
    """Bodies that got a real answer: a second one would be a call paid twice."""
    listings: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    @property
    def total_requests(self) -> int:
        return self.requests.total()

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._chat(request)
        finally:
            self.in_flight -= 1

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        self.by_key[request.headers.get("Authorization", "")] += 1
        self.listings += 1
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.models]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        repeat = self.requests[text]
        self.requests[text] += 1
        self.by_key[request.headers.get("Authorization", "")] += 1
        body: dict[str, Any] = json.loads(text)
        self.bodies.append(body)
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if self.api_key is not None and request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return error(
                401, f"Incorrect API key provided: {request.headers.get('Authorization', '')}", "invalid_api_key"
            )
        if (own := self.transform(body)) is not None:
            return own
        fault = self.faults(text, repeat)
        if fault is not None:
            self.faults_served[fault] += 1
            return await self._fail(fault, request, body)
        self.answered[text] += 1
        texts = [self.reply(body["messages"]) for _ in range(int(body.get("n", 1)))]
        return web.json_response(completion(texts, body))

    async def _fail(self, fault: Fault, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if fault in _ERRORS:
            status, message, code = _ERRORS[fault]
            headers = {"Retry-After": self.retry_after} if fault == "429_retry_after" else {}
            return error(status, message.format(model=body["model"]), code, headers)
        if fault in _BODIES:
            kind = "text/html" if fault == "html" else "application/json"
            return web.Response(text=_BODIES[fault], content_type=kind)
        answer = completion("half an answer", body)
        if fault == "content_filter":
            answer["choices"][0]["finish_reason"] = "content_filter"
        if fault == "refusal":
            answer["choices"][0]["message"] = {
                "role": "assistant",
                "content": None,
                "refusal": "I can't help with that.",
            }
        if fault in ("content_filter", "refusal"):
            return web.json_response(answer)
        if fault == "truncated_json":
            return web.Response(text=json.dumps(answer)[:60], content_type="application/json")
        return await broken_off(fault, request, answer, hang_s=self.hang_s)


async def broken_off(
    fault: Fault, request: web.Request, answer: Mapping[str, Any], *, hang_s: float
) -> web.StreamResponse:
    """Cut a connection: at once (cut), within the answer (truncated_body), or after saying nothing for long (hang)."""
    if fault == "hang":
        await asyncio.sleep(hang_s)
    if fault == "truncated_body":
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "4000"})
        await response.prepare(request)
        await response.write(json.dumps(answer).encode())
    if request.transport is not None:  # cut, truncated_body, and a hang whose client has not left yet
        request.transport.abort()
    return web.Response()


def completion(text: str | Sequence[str], body: Mapping[str, Any]) -> dict[str, Any]:
    """Spell an answer: one choice a text; one text is given as often as `n` asks."""
    texts = [text] * int(body.get("n", 1)) if isinstance(text, str) else text
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "model": body["model"],
        "choices": [
            {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": one}}
            for index, one in enumerate(texts)
        ],
        "usage": {
            "prompt_tokens": sum(len(str(message["content"]).split()) for message in body["messages"]),
            "completion_tokens": sum(len(one.split()) for one in texts),
        },
    }


def error(
    status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None, **more: str
) -> web.Response:
    body = {"error": {"message": message, "type": "test_error", "code": code, **more}}
    return web.json_response(body, status=status, headers=headers)


_ERRORS: dict[Fault, tuple[int, str, str | None]] = {
    "429": (429, "Rate limit reached for requests", "rate_limit_exceeded"),
    "429_retry_after": (429, "Rate limit reached for requests", "rate_limit_exceeded"),
    "429_quota": (429, "You exceeded your current quota, please check your plan", "insufficient_quota"),
    "500": (500, "The server had an error while processing your request", None),
    "503": (503, "The engine is currently overloaded", None),
    "408": (408, "Request timeout", None),
    "401": (401, "Incorrect API key provided", "invalid_api_key"),
    "403": (403, "Your project may not use this", None),
    "404_model": (404, "The model `{model}` does not exist or you do not have access to it.", "model_not_found"),
    "400_context": (
        400,
        "This model's maximum context length is 64 tokens; reduce the messages or max_tokens",
        "context_length_exceeded",
    ),
}  # fmt: skip
_BODIES: dict[Fault, str] = {
    "malformed_json": '{"choices": [{"message": nonsense',
    "wrong_types": '{"choices": [{"message": {"content": 17}, "finish_reason": "stop"}]}',
    "empty_choices": '{"id": "x", "choices": []}',
    "empty_body": "",
    "html": "<!doctype html><html><body><h1>Welcome to my home page</h1></body></html>",
}


@contextmanager
def chat_server(*, lifetime_s: float = 120.0, **options: Any) -> Generator[ChatServer]:
    """Run a server; `options` are the fields of `ChatServer`."""
    server = ChatServer(**options)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_get("/v1/models", server.list_models)
    with running(app, lifetime_s=lifetime_s) as address:
        server.base_url = f"{address}/v1"
        yield server


@contextmanager
def running(app: web.Application, *, lifetime_s: float = 120.0) -> Generator[str]:
    """Run an application on a loop and thread of its own; yield its address."""
    addresses: list[str] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(_serve(app, addresses, ready, stop, lifetime_s)), daemon=True
    )
    thread.start()
    if not ready.wait(10):
        raise RuntimeError("the test server did not start within 10 s")
    try:
        yield addresses[0]
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
        loop.close()


async def _serve(
    app: web.Application, addresses: list[str], ready: threading.Event, stop: asyncio.Event, lifetime_s: float
) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
    await site.start()
    addresses.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
    ready.set()
    try:
        await asyncio.wait_for(stop.wait(), lifetime_s)
    except TimeoutError:
        pass
    finally:
        await runner.cleanup()

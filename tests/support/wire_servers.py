"""Real servers with Anthropic's, Gemini's and Azure's formats, as strict about requests as their documentation.

with anthropic_server(reply=lambda text: "42") as server:
    model = AnthropicModel("claude-tiny", base_url=server.base_url, api_key=server.api_key)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.servers import Fault, broken_off, completion, running
from tests.support.servers import error as openai_error

KEY = "key-very-secret-0123456789"
MODELS = ("tiny", "tiny-large", "other")
BREAKS: tuple[Fault, ...] = ("cut", "hang", "truncated_body")


Transform = Callable[[dict[str, Any]], web.StreamResponse | None]


def always(make: Callable[[], web.StreamResponse]) -> Transform:
    """Return a transform that answers every request with `make()`."""
    return lambda _body: make()


@dataclass
class WireServer:
    """A running server, as tests observe it."""

    base_url: str = ""
    api_key: str = KEY
    reply: Callable[[str], str] = lambda text: text
    """Last user text -> reply."""
    transform: Transform = lambda body: None
    """Called first with each body; a response that it returns is sent."""
    breaks: Fault | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    paths: list[str] = field(default_factory=list[str])
    listings: int = 0

    async def ask(
        self,
        request: web.Request,
        *,
        refuse: Callable[[web.Request, dict[str, Any]], web.Response | None],
        answer: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> web.StreamResponse:
        body: dict[str, Any] = json.loads(await request.text())
        self.bodies.append(body)
        self.paths.append(request.path_qs)
        if self.breaks is not None:
            return await broken_off(self.breaks, request, answer(body), hang_s=30.0)
        return self.transform(body) or refuse(request, body) or web.json_response(answer(body))


# --- Anthropic ----------------------------------------------------------------------------------------------------


def anthropic_error(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_test"}
    return web.json_response(body, status=status, headers=headers)


def anthropic_answer(text: str, body: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    asked = " ".join([body.get("system", ""), *(turn["content"] for turn in body["messages"])])
    return {
        "id": "msg_test", "type": "message", "role": "assistant", "model": body["model"],
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {
            "input_tokens": len(asked.split()), "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "output_tokens": len(text.split()),
        },
        **more,
    }  # fmt: skip


@contextmanager
def anthropic_server(**options: Any) -> Generator[WireServer]:
    """Run a server; `options` are the fields of `WireServer`."""
    server = WireServer(**options)

    def refuse(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if request.headers.get("x-api-key") != server.api_key:
            return anthropic_error(401, "authentication_error", f"invalid x-api-key {request.headers.get('x-api-key')}")
        if request.headers.get("anthropic-version") != "2023-06-01":
            return anthropic_error(400, "invalid_request_error", "anthropic-version: header is required")
        if unknown := set(body) - {"model", "max_tokens", "temperature", "messages", "system", "top_p", "top_k"}:
            words = f"{min(unknown)}: Extra inputs are not permitted"
            return anthropic_error(400, "invalid_request_error", words)
        turns = body["messages"]
        if [turn["role"] for turn in turns] != [("user", "assistant")[index % 2] for index in range(len(turns))]:
            return anthropic_error(400, "invalid_request_error", "messages: first message must use the user role")
        if not all(turn["content"].strip() for turn in turns):
            words = "messages: text content blocks must be non-empty"
            return anthropic_error(400, "invalid_request_error", words)
        if body["model"] not in MODELS:
            return anthropic_error(404, "not_found_error", f"model: {body['model']}")
        return None

    async def messages(request: web.Request) -> web.StreamResponse:
        return await server.ask(
            request,
            refuse=refuse,
            answer=lambda body: anthropic_answer(server.reply(body["messages"][-1]["content"]), body),
        )

    async def models(_request: web.Request) -> web.Response:
        server.listings += 1
        return web.json_response({"data": [{"type": "model", "id": name} for name in MODELS], "has_more": False})

    app = web.Application()
    app.router.add_post("/v1/messages", messages)
    app.router.add_get("/v1/models", models)
    with running(app) as address:
        server.base_url = address
        yield server


# --- Gemini -------------------------------------------------------------------------------------------------------


def gemini_error(status: int, code: str, message: str, *details: Mapping[str, Any]) -> web.Response:
    body = {"error": {"code": status, "message": message, "status": code, "details": list(details)}}
    return web.json_response(body, status=status)


def gemini_answer(text: str, body: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    asked = [part["text"] for turn in body["contents"] for part in turn["parts"]]
    number = body["generationConfig"].get("candidateCount", 1)
    return {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": index}
            for index in range(number)
        ],
        "usageMetadata": {
            "promptTokenCount": len(" ".join(asked).split()),
            "candidatesTokenCount": number * len(text.split()),
            "totalTokenCount": 0,
        },
        "modelVersion": "tiny",
        **more,
    }


@contextmanager
def gemini_server(**options: Any) -> Generator[WireServer]:
    """Run a server; `options` are the fields of `WireServer`."""
    server = WireServer(**options)

    def refuse(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if request.headers.get("x-goog-api-key") != server.api_key:
            reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
            return gemini_error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", reason)
        known = {"temperature", "maxOutputTokens", "seed", "candidateCount", "topP", "thinkingConfig"}
        unknown = (
            set(body) - {"contents", "generationConfig", "systemInstruction"} | set(body["generationConfig"]) - known
        )
        if unknown:
            words = f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.'
            return gemini_error(400, "INVALID_ARGUMENT", words)
        if {turn["role"] for turn in body["contents"]} - {"user", "model"} or body["contents"][-1]["role"] != "user":
            return gemini_error(400, "INVALID_ARGUMENT", "Please use a valid role: user, model.")
        if request.match_info["name"] not in MODELS:
            words = f"models/{request.match_info['name']} is not found for API version v1beta, or is not supported"
            return gemini_error(404, "NOT_FOUND", words)
        return None

    async def generate(request: web.Request) -> web.StreamResponse:
        return await server.ask(
            request,
            refuse=refuse,
            answer=lambda body: gemini_answer(server.reply(body["contents"][-1]["parts"][0]["text"]), body),
        )

    async def models(_request: web.Request) -> web.Response:
        server.listings += 1
        listed = [
            {"name": f"models/{name}", "supportedGenerationMethods": ["generateContent", "countTokens"]}
            for name in MODELS
        ]
        embedder = {"name": "models/tiny-embedding", "supportedGenerationMethods": ["embedContent"]}
        return web.json_response({"models": [*listed, embedder]})

    app = web.Application()
    app.router.add_post("/v1beta/models/{name}:generateContent", generate)
    app.router.add_get("/v1beta/models", models)
    with running(app) as address:
        server.base_url = address
        yield server


# --- Azure --------------------------------------------------------------------------------------------------------


@contextmanager
def azure_server(**options: Any) -> Generator[WireServer]:
    """Run a server with the v1 API and the dated one; `options` are the fields of `WireServer`."""
    server = WireServer(**options)

    def refuse(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if request.headers.get("api-key") != server.api_key:
            return openai_error(401, "Access denied due to invalid subscription key", "401")
        if request.match_info.get("name", body["model"]) not in MODELS:
            words = "The API deployment for this resource does not exist."
            return web.json_response({"error": {"code": "DeploymentNotFound", "message": words}}, status=404)
        return None

    async def chat(request: web.Request) -> web.StreamResponse:
        return await server.ask(
            request,
            refuse=refuse,
            answer=lambda body: completion(server.reply(body["messages"][-1]["content"]), body),
        )

    app = web.Application()
    app.router.add_post("/openai/v1/chat/completions", chat)
    app.router.add_post("/openai/deployments/{name}/chat/completions", chat)
    with running(app) as address:
        server.base_url = address
        yield server

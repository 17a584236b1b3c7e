"""The paths of an OpenAI-compatible server: with and without /v1, with and without a slash at the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from askwell.serve.access import HEALTH_PATH, Access, protect
from askwell.serve.bodies import LARGEST_BODY
from askwell.serve.errors import RequestRefused, answer_errors

Chat = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(models: Sequence[str], chat: Chat, access: Access) -> web.Application:
    """Return an application that lists these models and answers chat requests by `chat`."""

    async def list_models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [_describe_model(name) for name in models]})

    async def find_model(http: web.Request) -> web.Response:
        name = http.match_info["name"].removesuffix("/")
        if name not in models:
            raise unknown_model(name, models)
        return web.json_response(_describe_model(name))

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[answer_errors])
    protect(app, access)
    for prefix in ("/v1", ""):
        for slash in ("", "/"):
            app.router.add_post(f"{prefix}/chat/completions{slash}", chat)
            app.router.add_get(f"{prefix}/models{slash}", list_models)
        app.router.add_get(prefix + "/models/{name:.+}", find_model)
    app.router.add_get(HEALTH_PATH, health)
    app.router.add_get(f"{HEALTH_PATH}/", health)
    return app


def unknown_model(name: object, models: Sequence[str]) -> RequestRefused:
    """Return the refusal of a model that is not served."""
    return RequestRefused(
        f"the model {name!r} does not exist; this server has {sorted(models)}", status=404, code="model_not_found"
    )


def _describe_model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "askwell"}

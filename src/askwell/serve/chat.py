"""An OpenAI-compatible endpoint over any `ChatModel`: chat requests of text (with `n`), answered as a whole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Message, Request
from askwell.serve.access import Access
from askwell.serve.bodies import read_json
from askwell.serve.chat_answer import encode_answer, stream_answer
from askwell.serve.chat_request import ChatRequest, parse_fields, parse_text_messages
from askwell.serve.errors import RequestRefused
from askwell.serve.headers import prompt_headers
from askwell.serve.messages import parse_conversation
from askwell.serve.prompting import PromptInserter
from askwell.serve.request_rules import RequestRules
from askwell.serve.routes import build_app, unknown_model

_DEFAULTS: Mapping[str, object] = {"temperature": 1.0, "max_tokens": 512}
"""What a request has at least: askwell's models always get both."""
_LOG = logging.getLogger(__name__)


def chat_app(
    models: Mapping[str, ChatModel],
    *,
    inserter: PromptInserter | None = None,
    access: Access | None = None,
    rules: RequestRules | None = None,
    shows_prompt: bool = False,
) -> web.Application:
    """Return an application that serves these models by name; with an inserter, each query gets its prompt."""
    rules = rules or RequestRules()
    rules = replace(rules, defaults={**_DEFAULTS, **rules.defaults})

    async def chat(http: web.Request) -> web.StreamResponse:
        body = rules.apply(await read_json(http))
        name: object = body.get("model")
        if not isinstance(name, str) or name not in models:
            raise unknown_model(name, list(models))
        fields = parse_fields(body, name)
        messages, headers = await _insert_prompt(body, name)
        answer = encode_answer(name, await _complete(models[name], messages, fields))
        if fields.stream:
            options = fields.stream_options
            return await stream_answer(
                http, answer, headers, includes_usage=options is not None and options.include_usage
            )
        return web.json_response(answer, headers=headers)

    async def _insert_prompt(body: Mapping[str, Any], name: str) -> tuple[list[Message], dict[str, str]]:
        messages = parse_text_messages(parse_conversation(body).messages, name)
        if inserter is None:
            return messages, {}
        plain = [{"role": message.role, "content": message.content} for message in messages]
        prompted, prompt = await inserter.insert(parse_conversation({"messages": plain}))
        return parse_text_messages(prompted, name), prompt_headers(prompt, shown=shows_prompt)

    async def close(_: web.Application) -> None:
        if inserter is not None:
            inserter.close()
        for model in models.values():
            await model.aclose()

    app = build_app(list(models), chat, access or Access())
    app.on_cleanup.append(close)
    return app


async def _complete(model: ChatModel, messages: list[Message], fields: ChatRequest) -> list[Completion]:
    request = Request(
        messages=tuple(messages), temperature=fields.temperature, max_tokens=fields.length, seed=fields.seed
    )
    calls = [model.complete(replace(request, sample_index=index)) for index in range(fields.n)]
    completions = await asyncio.gather(*calls, return_exceptions=True)
    for completion in completions:
        if isinstance(completion, BaseException):  # a model of the user's own may break its contract
            _LOG.error("the model %r raised: %r", model.name, completion)
            raise RequestRefused(f"the model failed ({type(completion).__name__})", status=500)
    return [completion for completion in completions if not isinstance(completion, BaseException)]

"""An OpenAI-compatible proxy: it inserts the policy's prompt and streams the upstream model's answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from askwell.serve.access import Access
from askwell.serve.bodies import encode_json, read_json
from askwell.serve.headers import prompt_headers, request_headers
from askwell.serve.messages import fold_system, parse_conversation
from askwell.serve.prompting import PromptInserter
from askwell.serve.request_rules import RequestRules
from askwell.serve.routes import build_app
from askwell.serve.upstream import AnswerForwarder, Upstream


def proxy_app(
    inserter: PromptInserter,
    upstream: Upstream,
    *,
    name: str,
    access: Access | None = None,
    rules: RequestRules | None = None,
    folds_system: bool = False,
    shows_prompt: bool = False,
) -> web.Application:
    """Return an application that serves the policy's model under `name`.

    The request is forwarded unchanged (tools, sampling, streaming) except for its messages, its model and the fields of
    `rules`. The answer is returned unchanged, errors of the upstream included, but for secrets in it. Redirects are not
    followed, because they could send the key to another host. `folds_system`: the server accepts no system messages.
    """
    rules = rules or RequestRules()
    forwarder = AnswerForwarder(upstream)
    session_key = web.AppKey("session", aiohttp.ClientSession)

    async def chat(http: web.Request) -> web.StreamResponse:
        body = rules.apply(await read_json(http))
        messages, prompt = await inserter.insert(parse_conversation(body))
        body |= {"messages": fold_system(messages) if folds_system else messages, "model": upstream.model}
        async with await upstream.send(
            http.app[session_key], encode_json(body), request_headers(http.headers)
        ) as answer:
            return await forwarder.forward(http, answer, prompt_headers(prompt, shown=shows_prompt))

    async def run_session(app: web.Application) -> AsyncIterator[None]:
        async with upstream.open_session() as session:
            app[session_key] = session
            yield
        inserter.close()

    app = build_app([name], chat, access or Access())
    app.cleanup_ctx.append(run_session)
    return app

"""The upstream's key reaches no client, wherever it is and however the upstream repeats it."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Callable

import pytest
from aiohttp import web

from askwell.models.http.secrets import MaskedStream, SecretMask
from tests.support.upstreams import KEY, Backend, Behaviour, completion, exchange, proxied, user

IN_URL = "SECRETQ/+1"
QUERY = "?" + urllib.parse.urlencode({"key": IN_URL, "api-version": "2024-10-21"})
FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda secret: secret,
    "in JSON": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "in a URL": lambda secret: urllib.parse.quote(secret, safe=""),
    "in a URL, lower case": lambda secret: urllib.parse.quote(secret, safe="").replace("%2F", "%2f"),
    "in HTML": html.escape,
}


def said(http: web.Request, form: Callable[[str], str]) -> str:
    """Everything secret in a request, as an upstream may repeat it."""
    key = http.headers["Authorization"].removeprefix("Bearer ")
    return f"bad key Bearer {form(key)} for {form(http.query['key'])} at {http.rel_url}"


def error(status: int) -> Callable[[Callable[[str], str]], Behaviour]:
    def of(form: Callable[[str], str]) -> Behaviour:
        async def behave(http: web.Request) -> web.StreamResponse:
            text = f'{{"error": {{"message": "{said(http, form)}"}}}}'
            return web.Response(status=status, text=text, content_type="application/json")

        return behave

    return of


def streamed(status: int) -> Callable[[Callable[[str], str]], Behaviour]:
    """An error that arrives in pieces of seven bytes."""

    def of(form: Callable[[str], str]) -> Behaviour:
        async def behave(http: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(status=status, headers={"Content-Type": "text/event-stream"})
            await response.prepare(http)
            text = f'data: {{"error": {{"message": "{said(http, form)}"}}}}\n\n'.encode()
            for start in range(0, len(text), 7):
                await response.write(text[start : start + 7])
            return response

        return behave

    return of


def in_reply(form: Callable[[str], str]) -> Behaviour:
    async def behave(http: web.Request) -> web.StreamResponse:
        text = json.dumps(completion("X")).replace("X", said(http, form))
        return web.Response(text=text, content_type="application/json")

    return behave


def in_header(form: Callable[[str], str]) -> Behaviour:
    async def behave(http: web.Request) -> web.StreamResponse:
        headers = {"X-Debug": said(http, form), "Location": str(http.url), "Set-Cookie": f"k={form(KEY)}"}
        return web.json_response({"error": {"message": "no"}}, status=400, headers=headers)

    return behave


def redirect(form: Callable[[str], str]) -> Behaviour:
    async def behave(http: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"/elsewhere?{said(http, form)}"})

    return behave


def no_http(form: Callable[[str], str]) -> Behaviour:
    async def behave(http: web.Request) -> web.StreamResponse:
        assert http.transport is not None
        http.transport.write(f"{said(http, form)}\r\n\r\n".encode())
        http.transport.close()
        return web.Response()

    return behave


def half(form: Callable[[str], str]) -> Behaviour:
    async def behave(http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "9999", "Content-Type": "application/json"})
        await response.prepare(http)
        await response.write(said(http, form).encode())
        assert http.transport is not None
        http.transport.abort()
        return response

    return behave


PATHS = {
    **{f"error {status}": error(status) for status in (400, 401, 403, 404, 429, 500, 503)},
    "streamed 200": streamed(200), "streamed 401": streamed(401),
    "reply": in_reply, "header": in_header, "redirect": redirect, "no HTTP": no_http, "half": half,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", PATHS)
async def test_no_client_reads_the_key(
    path: str, form: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    backend = Backend(PATHS[path](FORMS[form]))
    async with proxied(backend, query=QUERY) as url:
        _, body, headers = await exchange(url, json.dumps({"messages": user("q")}).encode())
    got = body.decode() + repr(list(headers.items()))
    assert backend.headers[0]["Authorization"] == f"Bearer {KEY}"
    terminal = capfd.readouterr()
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("askwell"))
    for secret in (KEY, IN_URL):
        for shown in (write(secret) for write in FORMS.values()):
            assert shown not in got + terminal.out + terminal.err + ours
    assert base64.b64encode(KEY.encode()).decode() not in got
    if path == "error 401" and form == "plain":
        assert b"bad key Bearer ***" in body


@pytest.mark.parametrize("mode", ["refused", "unknown host"])
async def test_an_upstream_that_is_not_there_tells_no_secret(mode: str) -> None:
    from askwell.models.http.endpoint import Endpoint
    from askwell.serve.prompting import PromptInserter
    from askwell.serve.proxy import proxy_app
    from askwell.serve.upstream import Upstream
    from askwell.tasks.render import ChatRender
    from tests.support.upstreams import QUICK, post, served

    host = "127.0.0.1:9" if mode == "refused" else "no-such-host.invalid"
    upstream = Upstream(endpoint=Endpoint.parse(f"http://{host}/v1{QUERY}"), model="m", api_key=KEY)
    async with served(proxy_app(PromptInserter(QUICK, ChatRender()), upstream, name="mine")) as url:
        status, body = await post(url, messages=user("q"))
    assert status == 502
    assert "no connection" in body["error"]["message"]
    assert not [form for write in FORMS.values() for form in (write(KEY), write(IN_URL)) if form in str(body)]
    assert KEY not in repr(upstream)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("x sk-abcdef1 y sk-abcdef1", "x *** y ***"),
        ("sk-abcdef sk-abcde", "sk-abcdef sk-abcde"),
        ("sk-sk-abcdef1", "sk-***"),
        ("nothing", "nothing"),
        ("ends with sk-", "ends with sk-"),
        ("", ""),
    ],
)
def test_a_secret_is_masked_across_chunks(text: str, masked: str, size: int) -> None:
    stream = MaskedStream(SecretMask.for_replies(["sk-abcdef1", ""]))
    data = text.encode()
    parts = [stream.feed(data[start : start + size]) for start in range(0, len(data), size)]
    assert b"".join([*parts, stream.end()]) == masked.encode()


def test_a_placeholder_is_no_secret_in_a_reply() -> None:
    assert SecretMask.for_replies(["EMPTY", "ollama"]).mask_bytes(b"EMPTY ollama") == b"EMPTY ollama"
    assert SecretMask.for_messages(["EMPTY", "abc"]).mask_text("EMPTY abc") == "*** abc"

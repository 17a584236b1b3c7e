"""Who gets in: hosts, web pages, keys, content types; and paths, with every refusal in OpenAI's form."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from askwell.core.errors import ConfigError
from askwell.serve.access import Access, is_loopback
from tests.support.upstreams import Backend, completion, echo, proxied, user

JSON = {"Content-Type": "application/json"}
BODY = b'{"messages":[{"role":"user","content":"x"}]}'
EVIL = "http://evil.example"


async def ask(url: str, path: str, method: str = "POST", **headers: str) -> tuple[int, Any, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    skipped = [] if "Content-Type" in named else ["Content-Type"]
    async with (
        aiohttp.ClientSession(skip_auto_headers=skipped) as session,
        session.request(
            method, url.removesuffix("/v1") + path, data=BODY if method == "POST" else None, headers=named
        ) as response,
    ):
        is_json = response.content_type == "application/json"
        return response.status, await response.json() if is_json else await response.text(), response.headers


CHAT = "/v1/chat/completions"
KEYED = Access.of("127.0.0.1", key="client-key", origins=["https://app.example"])


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, JSON),
        (200, {"Content-Type": "application/json; charset=utf-8"}),
        (200, {}),  # no browser sends a request without saying where it is from
        (415, {"Origin": "http://127.0.0.1:PORT"}),
        (415, {"Sec-Fetch-Site": "cross-site"}),
        (415, {"Content-Type": "text/plain"}),
        (415, {"Content-Type": "text/plain;application/json"}),
        (415, {"Content-Type": "application/x-www-form-urlencoded"}),
        (415, {"Content-Type": "multipart/form-data; boundary=x"}),
        (415, {**JSON, "Content-Encoding": "gzip"}),
        (415, {**JSON, "Content-Encoding": "br"}),
        (200, {**JSON, "Content-Encoding": "identity"}),
        (403, {**JSON, "Origin": EVIL}),
        (403, {"Content-Type": "text/plain", "Origin": EVIL}),
        (403, {**JSON, "Origin": "null"}),
        (403, {**JSON, "Origin": "http://localhost:3000"}),
        (403, {**JSON, "Origin": "http://["}),
        (200, {**JSON, "Origin": "http://127.0.0.1:PORT"}),
        (403, {**JSON, "Host": "evil.example"}),
        (403, {**JSON, "Host": "evil.example:PORT"}),
        (403, {**JSON, "Host": "127.0.0.1.evil.example"}),
        (403, {**JSON, "Host": "localhost.evil.example"}),
        (403, {**JSON, "Host": "10.0.0.1"}),
        (403, {**JSON, "Host": "["}),
        (200, {**JSON, "Host": "localhost"}),
        (200, {**JSON, "Host": "LocalHost:1"}),
        (200, {**JSON, "Host": "[::1]:PORT"}),
        (200, {**JSON, "Host": "app.localhost"}),
        (200, {**JSON, "Host": "my.name"}),
    ],
)
async def test_browsers_and_other_names_are_kept_out(status: int, headers: dict[str, str]) -> None:
    backend = Backend(echo)
    async with proxied(backend, access=Access.of("127.0.0.1", names=["My.Name"])) as url:
        port = url.removesuffix("/v1").rpartition(":")[2]
        found, body, _ = await ask(url, CHAT, **{name: value.replace("PORT", port) for name, value in headers.items()})
    assert found == status
    assert len(backend.bodies) == (1 if status == 200 else 0)
    assert status == 200 or body["error"]["message"]


@pytest.mark.parametrize(
    ("status", "authorization"),
    [
        (200, "Bearer client-key"),
        (200, "bearer client-key"),
        (401, ""),
        (401, "Bearer"),
        (401, "Bearer "),
        (401, "client-key"),
        (401, "Basic client-key"),
        (401, "Bearer client-ke"),
        (401, "Bearer client-keyy"),
        (401, "Bearer CLIENT-KEY"),
        (401, "Bearer sk-SECRETKEY123456/+x"),
        (401, "Bearer ключ"),
    ],
)
async def test_clients_need_the_key(status: int, authorization: str) -> None:
    backend = Backend(echo)
    async with proxied(backend, access=KEYED) as url:
        for path, method in ((CHAT, "POST"), ("/v1/models", "GET"), ("/nowhere", "GET")):
            found, body, _ = await ask(url, path, method, Authorization=authorization, **JSON)
            assert found == (404 if status == 200 and path == "/nowhere" else status)
            if status == 401:
                assert body["error"]["code"] == "invalid_api_key"
                assert "client-key" not in str(body)
        assert (await ask(url, "/health", "GET"))[:2] == (200, {"status": "ok"})
    assert len(backend.bodies) == (1 if status == 200 else 0)
    assert all(headers["Authorization"] != authorization for headers in backend.headers)


async def test_the_official_client_raises_for_a_wrong_key() -> None:
    openai = pytest.importorskip("openai")
    async with proxied(Backend(echo), access=KEYED) as url:
        async with openai.AsyncOpenAI(base_url=url, api_key="wrong", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(model="mine", messages=user("q"))
        async with openai.AsyncOpenAI(base_url=url, api_key="client-key", max_retries=0) as client:
            answer = await client.chat.completions.create(model="mine", messages=user("q"))
    assert answer.choices[0].message.content == "q\nBe quick."


async def test_an_allowed_page_may_ask_and_read() -> None:
    async with proxied(Backend(echo), access=KEYED) as url:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-y"}
        status, _, headers = await ask(url, CHAT, "OPTIONS", Origin="https://app.example", **asked)
        assert (status, headers["Access-Control-Allow-Origin"]) == (204, "https://app.example")
        assert headers["Access-Control-Allow-Headers"] == "authorization,x-y"
        assert (await ask(url, CHAT, "OPTIONS", Origin=EVIL, **asked))[0] == 403
        key = {"Authorization": "Bearer client-key"}
        status, _, headers = await ask(url, CHAT, Origin="https://app.example", **JSON, **key)
        assert (status, headers["Access-Control-Allow-Origin"]) == (200, "https://app.example")
        status, _, headers = await ask(url, CHAT, Origin="https://app.example", **JSON)
        assert (status, headers["Access-Control-Allow-Origin"]) == (401, "https://app.example")


async def test_the_upstream_does_not_decide_who_may_read() -> None:
    async def behave(_: web.Request) -> web.StreamResponse:
        return web.json_response(completion("x"), headers={"Access-Control-Allow-Origin": "*"})

    async with proxied(Backend(behave)) as url:
        _, _, headers = await ask(url, CHAT, **JSON)
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/health", 200, ""),
        ("GET", "/health/", 200, ""),
        ("GET", "/v1/models", 200, ""),
        ("GET", "/v1/models/", 200, ""),
        ("GET", "/models", 200, ""),
        ("GET", "/v1/models/mine", 200, ""),
        ("GET", "/v1/models/mine/", 200, ""),
        ("GET", "/models/mine", 200, ""),
        ("GET", "/v1/models/other", 404, "'other' does not exist"),
        ("GET", "/v1/models/a/b", 404, "'a/b' does not exist"),
        ("POST", "/v1/chat/completions", 200, ""),
        ("POST", "/v1/chat/completions/", 200, ""),
        ("POST", "/chat/completions", 200, ""),
        ("GET", "/v1/chat/completions", 405, "GET is not allowed"),
        ("DELETE", "/v1/models/mine", 405, "DELETE is not allowed"),
        ("OPTIONS", "/v1/chat/completions", 405, "OPTIONS is not allowed"),
        ("POST", "/v1/responses", 404, "unknown request URL: POST /v1/responses"),
        ("POST", "/v1/completions", 404, "unknown request URL"),
        ("POST", "/v1/embeddings", 404, "unknown request URL"),
        ("GET", "/", 404, "unknown request URL"),
        ("GET", "/v1/../../etc/passwd", 404, "unknown request URL"),
    ],
)
async def test_every_path_answers_in_openais_form(method: str, path: str, status: int, words: str) -> None:
    async with proxied(Backend(echo)) as url:
        found, body, headers = await ask(url, path, method, **JSON)
    assert found == status
    assert headers["Content-Type"].startswith("application/json")
    assert status == 200 or words in body["error"]["message"]
    assert status != 405 or headers["Allow"]


async def test_the_official_client_retrieves_the_model() -> None:
    openai = pytest.importorskip("openai")
    async with proxied(Backend(echo)) as url, openai.AsyncOpenAI(base_url=url, api_key="x", max_retries=0) as client:
        assert (await client.models.retrieve("mine")).id == "mine"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("other")


@pytest.mark.parametrize("body", [b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"])
async def test_a_request_needs_one_host(body: bytes) -> None:
    async with proxied(Backend(echo)) as url:
        host, _, port = url.removeprefix("http://").removesuffix("/v1").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(body)
        status = await reader.readline()
        writer.close()
    assert b" 400 " in status or b" 403 " in status


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("LOCALHOST", True), ("::1", True),
        ("[::1]", True), ("::ffff:127.0.0.1", True), ("a.localhost", True),
        ("0.0.0.0", False), ("::", False), ("", False), ("10.0.0.1", False), ("my.host", False), ("localhost.x", False),
    ],
)  # fmt: skip
def test_other_machines_are_served_only_with_a_key(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback
    if loopback:
        Access.of(host)
    else:
        with pytest.raises(ConfigError, match="--serve-key-env"):
            Access.of(host)
        assert Access.of(host, key="k").allows_host("any.name")


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/path", "", "https://"])
def test_an_origin_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(ConfigError, match="--cors"):
        Access.of("127.0.0.1", origins=[origin])


def test_all_web_pages_are_served_only_with_a_key() -> None:
    with pytest.raises(ConfigError, match="--serve-key-env"):
        Access.of("127.0.0.1", origins=["*"])
    assert Access.of("127.0.0.1", origins=["*"], key="k").allows_origin(EVIL)


async def test_old_clients_without_a_host_are_served() -> None:
    async with proxied(Backend(echo)) as url:
        host, _, port = url.removeprefix("http://").removesuffix("/v1").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
        received = await reader.read()
        writer.close()
    assert received.startswith(b"HTTP/1.0 200 ")

"""An upstream that breaks, at any point and in any way: the client gets one head, and can tell that it broke."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from tests.support.upstreams import Backend, Behaviour, chunk, completion, post, proxied, raw_exchange, user

EVENTS = {"Content-Type": "text/event-stream"}
JSON = {"Content-Type": "application/json"}


def breaks_after(sent: bytes, headers: dict[str, str], how: Callable[[web.Request], object]) -> Behaviour:
    """Send a head and some bytes, then break."""

    async def behave(http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        await response.prepare(http)
        await response.write(sent)
        await asyncio.sleep(0.02)
        how(http)
        await asyncio.sleep(5 if how is hangs else 0)
        return response

    return behave


def aborts(http: web.Request) -> None:
    assert http.transport is not None
    http.transport.abort()


def closes(http: web.Request) -> None:
    assert http.transport is not None
    http.transport.close()


def writes_garbage(http: web.Request) -> None:
    assert http.transport is not None
    http.transport.write(b"this is no chunk\r\n\r\n")


def hangs(_: web.Request) -> None:
    """Send nothing more."""


HALF_JSON = json.dumps(completion("yes")).encode()[:40]
SENT = {
    "events": (chunk("a"), EVENTS),
    "half an event": (chunk("a") + b'data: {"id', EVENTS),
    "no event": (b"", EVENTS),
    "half a JSON": (HALF_JSON, JSON),
    "half a JSON of known length": (HALF_JSON, {**JSON, "Content-Length": "4000"}),
    "half a JSON of known, great length": (HALF_JSON, {**JSON, "Content-Length": "4000000"}),
    "half a compressed JSON": (b"\x1f\x8b\x08\x00", {**JSON, "Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("how", [aborts, closes, writes_garbage, hangs])
@pytest.mark.parametrize("sent", SENT)
async def test_a_broken_answer_has_one_head_and_no_clean_end(
    sent: str, how: Callable[[web.Request], object], version: str
) -> None:
    data, headers = SENT[sent]
    body = {"stream": headers is EVENTS, "messages": user("hi there")}
    async with proxied(Backend(breaks_after(data, headers, how)), timeout_s=0.3) as url:
        received = await raw_exchange(url, body, version=version, wait_s=2)
    head, _, rest = received.partition(b"\r\n\r\n")
    assert received.count(b"HTTP/1") == 1, received
    assert b"[DONE]" not in rest
    if b" 200 " not in head.split(b"\r\n")[0]:
        assert head.split(b"\r\n")[0].split()[1] in (b"502", b"504")
        assert b'"error"' in rest  # broken before the head went out: a whole answer with the error
        return
    assert rest[-5:] != b"0\r\n\r\n", "the last chunk says that the answer is whole"
    assert b"<TimeoutError>" not in rest, "the connection stays open"
    if sent == "events":
        assert chunk("a") in rest.replace(b"\r\n", b"") or chunk("a") in rest
        assert b'data: {"error": {"message"' in rest
    if version == "1.0" and headers is not EVENTS:
        assert rest.endswith(b"<ConnectionResetError>"), "a clean end would be the end of the answer"


async def never_answers(http: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


async def speaks_no_http(http: web.Request) -> web.StreamResponse:
    assert http.transport is not None
    http.transport.write(b"NOT HTTP AT ALL\r\n\r\n")
    http.transport.close()
    return web.Response()


async def hangs_up(http: web.Request) -> web.StreamResponse:
    aborts(http)
    return web.Response()


async def redirects(_: web.Request) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/v1/chat/completions"})


async def sends_a_huge_header(_: web.Request) -> web.StreamResponse:
    return web.json_response(completion("x"), headers={"X-Big": "x" * 70_000})


@pytest.mark.parametrize(
    ("behaviour", "status", "words"),
    [
        (never_answers, 504, "nothing arrived within 0.3 s"),
        (speaks_no_http, 502, "not HTTP"),
        (hangs_up, 502, "the connection broke"),
        (redirects, 502, "redirects"),
        (sends_a_huge_header, 502, "not HTTP"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_upstream_without_an_answer_is_an_error_in_openais_form(
    behaviour: Behaviour, status: int, words: str, stream: bool
) -> None:
    async with proxied(Backend(behaviour), timeout_s=0.3) as url:
        found, body = await post(url, messages=user("q"), stream=stream)
    assert found == status
    assert words in body["error"]["message"]
    assert body["error"]["code"] == "upstream_error"


async def test_the_official_client_raises_for_a_stream_that_breaks_and_goes_on_afterwards() -> None:
    openai = pytest.importorskip("openai")
    backend = Backend(breaks_after(chunk("a"), EVENTS, aborts))
    async with proxied(backend) as url, openai.AsyncOpenAI(base_url=url, api_key="x", max_retries=0) as client:
        for _ in range(2):
            stream = await client.chat.completions.create(model="mine", messages=user("q"), stream=True)
            first = await anext(stream)
            assert first.choices[0].delta.content == "a"
            with pytest.raises(openai.APIError):
                await anext(stream)


async def test_an_answer_that_is_whole_is_passed_on_byte_for_byte() -> None:
    streamed = [chunk("a"), b": a comment\n\n", chunk("ü\u2028"), b"data: [DONE]\n\n"]

    async def behave(http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENTS)
        await response.prepare(http)
        for part in streamed:
            await response.write(part[:7])
            await asyncio.sleep(0.005)
            await response.write(part[7:])
        return response

    async with proxied(Backend(behave)) as url:
        received = await raw_exchange(url, {"stream": True, "messages": user("q")}, version="1.0")
    assert received.partition(b"\r\n\r\n")[2] == b"".join(streamed)


async def test_errors_of_the_upstream_keep_their_status_and_text() -> None:
    answer: dict[str, Any] = {"error": {"message": "slow down", "type": "rate_limit", "code": None}}

    async def behave(_: web.Request) -> web.StreamResponse:
        return web.json_response(answer, status=429)

    async with proxied(Backend(behave)) as url:
        assert await post(url, messages=user("q")) == (429, answer)

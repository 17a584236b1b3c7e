"""Many clients at once, clients that leave, and slow or oversized requests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from askwell.cli.service import ServeOptions, build_service
from askwell.core.types import Completion, Request
from askwell.serve.chat import chat_app
from askwell.testing.fakes import ScriptedModel
from tests.support.upstreams import QUICK, Backend, chunk, completion, echo, post, proxied, served, user

CLIENTS = 250


async def eventually(condition: Callable[[], bool], *, within_s: float) -> float:
    """Wait until the condition holds; return how long it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within_s, "it took too long"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


async def test_250_streams_of_the_official_client_are_all_in_flight_upstream() -> None:
    openai = pytest.importorskip("openai")

    everybody = asyncio.Event()

    async def behave(http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        await response.write(chunk("one "))
        await everybody.wait()
        await response.write(chunk("two") + b"data: [DONE]\n\n")
        return response

    backend = Backend(behave)
    async with (
        proxied(backend) as url,
        openai.AsyncOpenAI(base_url=url, api_key="x", max_retries=0, timeout=60) as client,
    ):

        async def read() -> str:
            stream = await client.chat.completions.create(model="mine", messages=user("hi"), stream=True)
            return "".join([part.choices[0].delta.content async for part in stream])

        readers = [asyncio.create_task(read()) for _ in range(CLIENTS)]
        await eventually(lambda: backend.in_flight == CLIENTS, within_s=30)
        everybody.set()
        assert await asyncio.gather(*readers) == ["one two"] * CLIENTS
    assert backend.most_in_flight == CLIENTS


async def test_250_calls_through_another_format_are_all_in_flight_upstream(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-x")
    everybody = asyncio.Event()

    async def behave(_: web.Request) -> web.StreamResponse:
        await everybody.wait()
        text = [{"type": "text", "text": "Yes"}]
        return web.json_response({"content": text, "stop_reason": "end_turn", "usage": {}})

    backend = Backend(behave)
    async with backend.run() as upstream:
        given = {"target.model": "anthropic:tiny", "target.base_url": upstream}
        service = build_service("mine", tmp_path, overrides=given, policy=QUICK, options=ServeOptions())
        async with served(service.app) as url:
            calls = [asyncio.create_task(post(url, model="mine", messages=user("q"))) for _ in range(CLIENTS)]
            await eventually(lambda: backend.in_flight == CLIENTS, within_s=30)
            everybody.set()
            assert {status for status, _ in await asyncio.gather(*calls)} == {200}


async def sleeps(http: web.Request) -> web.StreamResponse:
    await asyncio.sleep(20)
    return web.json_response(completion("late"))


async def streams_slowly(http: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(http)
    await response.write(chunk("a"))
    await asyncio.sleep(20)
    return response


@pytest.mark.parametrize("behave", [sleeps, streams_slowly])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_is_gone_upstream_within_a_second(
    behave: Callable[[web.Request], object], stream: bool
) -> None:
    backend = Backend(behave)  # pyright: ignore[reportArgumentType]  both are behaviours
    async with proxied(backend) as url:
        clients = [asyncio.create_task(post(url, messages=user("q"), stream=stream)) for _ in range(20)]
        await eventually(lambda: backend.in_flight == 20, within_s=5)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        assert await eventually(lambda: backend.in_flight == 0, within_s=1) < 1
        assert backend.cancelled == 20


async def test_a_client_that_leaves_ends_the_call_of_a_model_of_this_process() -> None:
    running: list[int] = []

    async def reply(_: Request) -> Completion:
        running.append(1)
        try:
            await asyncio.sleep(20)
        finally:
            running.clear()
        return Completion(text="late")

    class Slow(ScriptedModel):
        async def complete(self, request: Request) -> Completion:
            return await reply(request)

    async with served(chat_app({"slow": Slow(lambda _: Completion())})) as url:
        client = asyncio.create_task(post(url, model="slow", messages=user("q")))
        await eventually(lambda: bool(running), within_s=5)
        client.cancel()
        await asyncio.gather(client, return_exceptions=True)
        await eventually(lambda: not running, within_s=1)


async def test_abandoned_calls_hold_up_nobody() -> None:
    async def behave(http: web.Request) -> web.StreamResponse:
        if "slow" in str(json.loads(await http.read())["messages"]):
            await asyncio.sleep(20)
        return await echo(http)

    backend = Backend(behave)
    async with proxied(backend) as url:
        slow = [asyncio.create_task(post(url, messages=user("slow"))) for _ in range(120)]
        await eventually(lambda: backend.in_flight == 120, within_s=10)
        started = time.monotonic()
        status, _ = await post(url, messages=user("hi"))
        assert (status, time.monotonic() - started < 1) == (200, True)
        for client in slow:
            client.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_a_compressed_request_is_refused_unread() -> None:
    backend = Backend(echo)
    async with proxied(backend) as url, aiohttp.ClientSession() as session:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        async with session.post(f"{url}/chat/completions", data=b"\x1f\x8b", headers=headers) as response:
            assert response.status == 415
            assert "Content-Encoding" in (await response.json())["error"]["message"]
    assert backend.bodies == []

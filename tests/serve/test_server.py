"""The server as a whole: ports, slow clients, and stopping while answers are under way."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from aiohttp import web

from askwell.core.errors import ConfigError
from askwell.serve.bodies import read_json
from askwell.serve.errors import RequestRefused
from askwell.serve.server import listen, serving
from tests.support.upstreams import completion


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_taken_port_is_told_in_one_line(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"^port {port} is taken; give another one with --port"):
            listen(host, port)


@pytest.mark.parametrize("host", ["192.0.2.7", "no-such-host.invalid", "not an address"])
def test_an_address_of_another_machine_is_told(host: str) -> None:
    with pytest.raises(ConfigError, match=f"^--host '{host}' is no address of this machine"):
        listen(host, 0)


def test_every_address_of_a_host_gets_the_same_port() -> None:
    sockets = listen("localhost", 0)
    assert len({one.getsockname()[1] for one in sockets}) == 1
    for one in sockets:
        one.close()


async def slow_app() -> web.Application:
    async def answer(http: web.Request) -> web.StreamResponse:
        try:
            await read_json(http, timeout_s=0.3)
        except RequestRefused as refused:
            return web.Response(status=refused.status, text=str(refused))
        return web.json_response(completion("x"))

    async def stream(http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(http)
        for _ in range(5):
            await response.write(b"x")
            await asyncio.sleep(0.1)
        return response

    app = web.Application()
    app.router.add_post("/", answer)
    app.router.add_get("/stream", stream)
    return app


@pytest.mark.parametrize(
    "sent",
    [
        b"garbage\r\n\r\n",
        b"POST / HTTP/1.1\r\nBad Header\x1b]52;c;x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
async def test_what_is_no_http_is_refused_without_a_word_on_the_terminal(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    sockets = listen("127.0.0.1", 0)
    async with serving(await slow_app(), sockets):
        reader, writer = await asyncio.open_connection(*sockets[0].getsockname())
        writer.write(sent)
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 3)
        writer.close()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_body_that_does_not_arrive_is_dropped() -> None:
    sockets = listen("127.0.0.1", 0)
    async with serving(await slow_app(), sockets):
        reader, writer = await asyncio.open_connection(*sockets[0].getsockname())
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 3)
        writer.close()


async def test_heads_that_do_not_arrive_hold_up_nobody_and_are_dropped() -> None:
    sockets = listen("127.0.0.1", 0)
    async with serving(await slow_app(), sockets, idle_s=0.5):
        address = sockets[0].getsockname()
        halves = [await asyncio.open_connection(*address) for _ in range(300)]
        for _, writer in halves:
            writer.write(b"POST / HTTP/1.1\r\nHost:")
        started = time.monotonic()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        assert b" 200 " in await reader.readline()
        assert time.monotonic() - started < 1
        for half, _ in halves:
            assert await asyncio.wait_for(half.read(), 5) == b""
        for _, half in halves:
            half.close()
        writer.close()


async def test_an_answer_without_an_end_does_not_keep_the_server_from_stopping() -> None:
    async def stream(http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(http)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    app = await slow_app()
    app.router.add_get("/endless", stream)
    sockets = listen("127.0.0.1", 0)
    address = sockets[0].getsockname()
    async with serving(app, sockets, drain_s=0.4):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readline()
        half, half_writer = await asyncio.open_connection(*address)
        half_writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await asyncio.sleep(0.05)
        started = time.monotonic()
    assert time.monotonic() - started < 0.4 * 2 + 0.5
    assert not (await reader.read()).endswith(b"0\r\n\r\n")
    await half.read()
    writer.close()
    half_writer.close()


async def test_answers_under_way_are_finished_when_the_server_stops() -> None:
    sockets = listen("127.0.0.1", 0)
    address = sockets[0].getsockname()
    async with serving(await slow_app(), sockets):
        streams = [await asyncio.open_connection(*address) for _ in range(20)]
        for reader, writer in streams:
            writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readline()
        started = time.monotonic()
    assert 0.2 < time.monotonic() - started < 5
    for reader, writer in streams:
        assert (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)

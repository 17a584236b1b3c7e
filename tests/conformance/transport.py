"""What every `Transport` keeps to, against servers that answer byte by byte as they are told."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from askwell.models.transport import HttpAnswer, Line, NotConnected, Transport

Say = Callable[["RawServer", bytes, asyncio.StreamWriter], Awaitable[None]]
"""Answers one request; the connection stays open for the next one unless it is closed."""


@dataclass
class RawServer:
    """A TCP server that reads requests and answers with whatever bytes `say` writes."""

    say: Say
    url: str = ""
    connections: int = 0
    closed: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next((int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0)
                request = head + await reader.readexactly(size)
                self.requests.append(request)
                await self.say(self, request, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed += 1
        finally:
            writer.close()


@asynccontextmanager
async def raw_server(say: Say, *, tls: ssl.SSLContext | None = None) -> AsyncGenerator[RawServer]:
    made = RawServer(say)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    host = "localhost" if tls else "127.0.0.1"
    made.url = f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}/v1/chat?a=b%20c"
    try:
        yield made
    finally:
        server.close()


def saying(*parts: bytes, close: bool = False, pause_s: float = 0.0) -> Say:
    async def say(_server: RawServer, _request: bytes, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if close:
            writer.close()

    return say


FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing: Some\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
ZIPPED = gzip.compress(b"hello")
ZIPPED_HEAD = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED)
WHOLE: dict[str, Say] = {
    "with a length": saying(FINE),
    "in single bytes": saying(*(bytes([byte]) for byte in FINE)),
    "chunked": saying(CHUNKED),
    "chunked, in pieces": saying(CHUNKED[:60], CHUNKED[60:64], CHUNKED[64:], pause_s=0.001),
    "until the connection ends": saying(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", close=True),
    "after early hints": saying(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", FINE),
    "zipped unasked": saying(ZIPPED_HEAD, ZIPPED),
    "by HTTP/1.0": saying(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", close=True),
}  # fmt: skip
BROKEN: dict[str, Say] = {
    "nothing": saying(close=True),
    "half a head": saying(b"HTTP/1.1 200 OK\r\nContent-Le", close=True),
    "half a body": saying(FINE[:-2], close=True),
    "half the chunks": saying(CHUNKED[:-8], close=True),
    "no HTTP": saying(b"SSH-2.0-OpenSSH_9.6\r\n", close=True),
    "broken zip": saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
}


class TransportContract:
    """Inherit this, and give a fixture `make`: Line -> Transport, to be called on the test's event loop."""

    @staticmethod
    def line(*, timeout_s: float = 5.0) -> Line:
        headers = {"X-Mine": "1", "Content-Type": "application/json"}
        return Line(headers=headers, timeout_s=timeout_s, connect_s=2.0)

    @asynccontextmanager
    async def opened(self, make: Callable[[Line], Transport], *, timeout_s: float = 5.0) -> AsyncGenerator[Transport]:
        transport = make(self.line(timeout_s=timeout_s))
        try:
            yield transport
        finally:
            await transport.aclose()
            await transport.aclose()

    @pytest.mark.parametrize("how", WHOLE)
    async def test_an_answer_comes_whole(self, make: Callable[[Line], Transport], how: str) -> None:
        async with raw_server(WHOLE[how]) as server, self.opened(make) as transport:
            for _ in range(3):
                got = await transport.exchange("POST", server.url, b"{}")
                assert (got.status, got.body) == (200, b"hello")

    async def test_the_request_is_what_was_asked_for(self, make: Callable[[Line], Transport]) -> None:
        async with raw_server(saying(FINE)) as server, self.opened(make) as transport:
            got = await transport.exchange("POST", server.url, b'{"a": 1}')
            await transport.exchange("GET", server.url, None)
        assert got.headers.get("x-thing") == "Some"
        posted, read = server.requests
        assert posted.startswith(b"POST /v1/chat?a=b%20c HTTP/1.1\r\n")
        assert posted.endswith(b'\r\n\r\n{"a": 1}')
        heads = posted.lower().split(b"\r\n")
        for expected in (b"x-mine: 1", b"content-type: application/json", b"content-length: 8"):
            assert heads.count(expected) == 1
        assert sum(head.startswith(b"host: 127.0.0.1:") for head in heads) == 1
        assert read.startswith(b"GET /v1/chat?a=b%20c HTTP/1.1\r\n")

    async def test_statuses_and_empty_bodies_come_as_they_are(self, make: Callable[[Line], Transport]) -> None:
        said = iter(
            [b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 None\r\n\r\n", FINE]
        )

        async def say(_server: RawServer, _request: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(next(said))

        async with raw_server(say) as server, self.opened(make) as transport:
            found = [await transport.exchange("POST", server.url, b"{}") for _ in range(3)]
        assert [(one.status, one.body) for one in found] == [(429, b""), (204, b""), (200, b"hello")]
        assert found[0].headers.get("retry-after") == "7"
        assert server.connections == 1

    async def test_a_redirect_is_not_followed(self, make: Callable[[Line], Transport]) -> None:
        moved = b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        async with raw_server(saying(moved)) as server, self.opened(make) as transport:
            assert (await transport.exchange("POST", server.url, b"{}")).status == 307
        assert len(server.requests) == 1

    @pytest.mark.parametrize("how", BROKEN)
    async def test_half_an_answer_is_none_and_nothing_is_sent_twice(
        self, make: Callable[[Line], Transport], how: str
    ) -> None:
        async with raw_server(BROKEN[how]) as server, self.opened(make) as transport:
            with pytest.raises(OSError, match=r".") as caught:
                await transport.exchange("POST", server.url, b"{}")
            assert not isinstance(caught.value, NotConnected | TimeoutError)
            assert len(server.requests) == 1

    async def test_connections_are_kept_and_as_many_as_calls_are_under_way(
        self, make: Callable[[Line], Transport]
    ) -> None:
        async with raw_server(saying(FINE, pause_s=0.01)) as server, self.opened(make) as transport:
            for _ in range(4):
                await asyncio.gather(*(transport.exchange("POST", server.url, b"{}") for _ in range(7)))
        assert server.connections == 7
        assert len(server.requests) == 28

    async def test_a_connection_that_the_server_closed_is_not_used_again(
        self, make: Callable[[Line], Transport]
    ) -> None:
        async with raw_server(saying(FINE, close=True)) as server, self.opened(make) as transport:
            for _ in range(5):
                assert (await transport.exchange("POST", server.url, b"{}")).status == 200
                await asyncio.sleep(0.02)
        assert server.connections == 5

    async def test_what_was_not_asked_for_answers_no_later_request(self, make: Callable[[Line], Transport]) -> None:
        number = 0

        async def say(_server: RawServer, _request: bytes, writer: asyncio.StreamWriter) -> None:
            nonlocal number
            number += 1
            writer.write(FINE.replace(b"hello", b"no. %d" % number) + FINE)

        async with raw_server(say) as server, self.opened(make) as transport:
            found: list[HttpAnswer] = []
            for _ in range(3):
                try:
                    found.append(await transport.exchange("POST", server.url, b"{}"))
                except OSError:
                    continue
                await asyncio.sleep(0.02)
        assert b"hello" not in {one.body for one in found}

    async def test_a_slow_answer_times_out_and_leaves_the_others_alone(self, make: Callable[[Line], Transport]) -> None:
        async def say(_server: RawServer, request: bytes, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(30.0 if b"slow" in request else 0.15)
            writer.write(FINE)

        async with raw_server(say) as server, self.opened(make, timeout_s=0.5) as transport:
            begun = time.monotonic()
            slow, quick, later = await asyncio.gather(
                transport.exchange("POST", server.url, b"slow"),
                transport.exchange("POST", server.url, b"quick"),
                self._later(transport, server.url),
                return_exceptions=True,
            )
            assert isinstance(slow, TimeoutError)
            assert 0.4 <= time.monotonic() - begun < 5
            assert isinstance(quick, HttpAnswer)
            assert isinstance(later, HttpAnswer)

    @staticmethod
    async def _later(transport: Transport, url: str) -> HttpAnswer:
        await asyncio.sleep(0.35)
        return await transport.exchange("POST", url, b"quick")

    async def test_nobody_there(self, make: Callable[[Line], Transport]) -> None:
        async with raw_server(saying(FINE)) as server:
            url = server.url
        async with self.opened(make) as transport:
            with pytest.raises(NotConnected, match=r"(?i)connect"):
                await transport.exchange("POST", url, b"{}")
            with pytest.raises(NotConnected):
                await transport.exchange("POST", "http://no-such-host.invalid/v1", b"{}")

    async def test_a_cancelled_exchange_frees_its_connection(self, make: Callable[[Line], Transport]) -> None:
        async with (
            raw_server(saying(FINE)) as quick,
            raw_server(saying(b"", pause_s=30.0)) as slow,
            self.opened(make) as transport,
        ):
            call = asyncio.ensure_future(transport.exchange("POST", slow.url, b"{}"))
            await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.sleep(0.05)
            assert (await transport.exchange("POST", quick.url, b"{}")).body == b"hello"

    async def test_an_untrusted_certificate_is_refused(
        self, make: Callable[[Line], Transport], certificate: ssl.SSLContext
    ) -> None:
        async with raw_server(saying(FINE), tls=certificate) as server, self.opened(make) as transport:
            with pytest.raises(NotConnected, match=r"(?i)certificate"):
                await transport.exchange("POST", server.url, b"{}")
        assert server.requests == []

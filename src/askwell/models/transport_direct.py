"""The quick transport: HTTP/1.1 on asyncio's own protocols, parsed by httptools (the `speed` extra).

A request to a model is one small POST, again and again, to one server: for that a general client's machinery (cookies,
redirects, traces, streams) is most of the cost. Here a request is one write and an answer one future. No proxies.

Deadlines: all exchanges of a transport may take equally long, so they end in the order in which they began, and one
timer for the oldest does for all.
"""
# pyright: reportUnknownMemberType=false
# (aiohappyeyeballs is typed in part)

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections import deque
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

import aiohappyeyeballs
from yarl import URL

from askwell.models.transport import KEEP_ALIVE_S, HttpAnswer, Line, NotConnected, NotConnectedInTime

_RESOLVED_S = 60.0  # how long an address is used again without asking for it
_EYEBALLS_S = 0.25  # RFC 8305: head start of the first address
_KNOWN_PLACES = 1000
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


def parser_type() -> Callable[[object], Any] | None:
    """Return what makes httptools' parsers; None where the `speed` extra is not installed."""
    try:
        return import_module("httptools").HttpResponseParser
    except ImportError:
        return None


def httptools_errors() -> tuple[type[Exception], ...]:
    """Return what its parsers raise."""
    httptools = import_module("httptools")
    return (httptools.HttpParserError, httptools.HttpParserUpgrade)


class DirectTransport:
    """See `Transport`; `parser` is httptools' `HttpResponseParser`."""

    def __init__(self, line: Line, parser: Callable[[object], Any]) -> None:
        self._line = line
        self._parser = parser
        self._loop = asyncio.get_running_loop()
        self._idle: deque[_Connection] = deque()
        self._deadlines: dict[_Connection, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._servers: dict[_Key, _Server] = {}
        self._places: dict[str, _Place] = {}
        self._is_closed = False

    async def exchange(self, method: str, url: str, data: bytes | None) -> HttpAnswer:
        place = self._places.get(url) or self._place(url)
        began = self._loop.time()
        connection = self._free(place.server.key, began)
        if connection is None:
            connection = await self._connect(place.server)
        answer = connection.send(place.request(method, data), began + self._line.timeout_s)
        self._deadlines[connection] = began + self._line.timeout_s
        if self._timer is None:
            self._watch()
        try:
            return await answer
        finally:
            del self._deadlines[connection]
            if connection.is_reusable and not self._is_closed:
                connection.idle_since = self._loop.time()
                self._idle.append(connection)
            else:
                connection.abort()

    async def aclose(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        leaving = [*self._idle, *self._deadlines]
        self._idle.clear()
        for connection in leaving:
            connection.abort()
        await asyncio.gather(*(connection.lost for connection in leaving))

    def _place(self, text: str) -> _Place:
        """Take a URL apart; those of one server share what is known of it."""
        url = URL(text)
        key = (url.raw_host or "", url.port or 80, url.scheme == "https")
        server = self._servers.get(key)
        if server is None:
            server = self._servers[key] = _Server(key)
        if len(self._places) >= _KNOWN_PLACES:  # batches and their files have URLs of their own
            self._places.clear()
        place = self._places[text] = _Place(server, url, self._line)
        return place

    def _free(self, key: _Key, now: float) -> _Connection | None:
        """Return the connection used last, if it still stands; those unused for long are closed."""
        idle = self._idle
        while idle and now - idle[0].idle_since > KEEP_ALIVE_S:
            idle.popleft().abort()
        for _ in range(len(idle)):
            connection = idle.pop()
            if connection.key != key:
                idle.appendleft(connection)  # of another server: few models have two
            elif connection.is_reusable:
                return connection
        return None

    async def _connect(self, server: _Server) -> _Connection:
        try:
            async with asyncio.timeout(self._line.connect_s):
                return await server.connect(lambda: _Connection(self._parser, server.key, self._loop))
        except TimeoutError as problem:
            raise NotConnectedInTime from problem
        except OSError as problem:
            raise NotConnected(problem.strerror or str(problem)) from problem

    def _watch(self) -> None:
        """Time out what is overdue, and come back for the oldest of the rest."""
        self._timer = None
        now = self._loop.time()
        for connection, deadline in list(self._deadlines.items()):
            if deadline > now:
                self._timer = self._loop.call_at(deadline, self._watch)
                return
            connection.fail(TimeoutError())


_Key = tuple[str, int, bool]
"""Host, port and whether TLS is spoken: what a connection can be used again for."""


class _Place:
    """One URL: whose it is, and how a request to it begins."""

    def __init__(self, server: _Server, url: URL, line: Line) -> None:
        self.server = server
        lines = [f"Host: {url.host_port_subcomponent}", "Accept: */*", "Accept-Encoding: identity"]
        lines += [f"{name}: {value}" for name, value in line.headers.items()]
        self._target, self._head = f" {url.raw_path_qs} HTTP/1.1\r\n", "\r\n".join(lines)

    def request(self, method: str, data: bytes | None) -> bytes:
        """Spell a request whole."""
        length = "" if data is None else f"\r\nContent-Length: {len(data)}"
        return f"{method}{self._target}{self._head}{length}\r\n\r\n".encode("latin-1") + (data or b"")


class _Server:
    """Where connections go: addresses, asked for now and then, and how to be sure of who is there."""

    def __init__(self, key: _Key) -> None:
        self.key = key
        self._tls = _tls_context() if key[2] else None
        self._addresses: list[Any] = []
        self._resolved_at = 0.0
        self._resolving = asyncio.Lock()

    async def connect(self, make: Callable[[], _Connection]) -> _Connection:
        """Open a connection to whichever of the server's addresses answers first."""
        loop = asyncio.get_running_loop()
        found = await aiohappyeyeballs.start_connection(
            await self._resolve(), happy_eyeballs_delay=_EYEBALLS_S, interleave=1
        )
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            name = self.key[0] if self._tls else None
            _, connection = await loop.create_connection(make, sock=found, ssl=self._tls, server_hostname=name)
        except BaseException:
            found.close()
            raise
        return connection

    async def _resolve(self) -> list[Any]:
        loop = asyncio.get_running_loop()
        async with self._resolving:
            if not self._addresses or loop.time() - self._resolved_at > _RESOLVED_S:
                host, port, _ = self.key
                self._addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                self._resolved_at = loop.time()
        return self._addresses


class _Connection(asyncio.Protocol):
    """One connection: one exchange at a time. httptools calls the `on_…` methods while it reads."""

    def __init__(self, parser: Callable[[object], Any], key: _Key, loop: asyncio.AbstractEventLoop) -> None:
        self.key = key
        self.idle_since = 0.0
        self.is_reusable = False
        self.lost: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._parser = parser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[HttpAnswer] | None = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._ends_with_connection = False

    def send(self, request: bytes, deadline: float) -> asyncio.Future[HttpAnswer]:
        """Send a request; the future is done when its answer has come whole."""
        self.is_reusable = False
        self._answer = answer = self._loop.create_future()
        if deadline <= self._loop.time():
            answer.set_exception(TimeoutError())
        elif self._transport is None:
            answer.set_exception(ConnectionResetError("the server closed the connection"))
        else:
            self._transport.write(request)
        return answer

    def fail(self, problem: Exception) -> None:
        """End the exchange under way, and with it the connection: what still came would answer nobody."""
        answer, self._answer = self._answer, None
        self.is_reusable = False
        if answer is not None and not answer.done():
            answer.set_exception(problem)
        self.abort()

    def abort(self) -> None:
        """Close without ceremony; `lost` is done when that has happened."""
        self.is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # nobody asked: not a server to go on with
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools_errors() as problem:
            self.fail(OSError(f"what came is not HTTP: {problem}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._ends_with_connection and exc is None:
            self.on_message_complete()
        self.fail(exc or ConnectionResetError("the server closed the connection"))
        if not self.lost.done():
            self.lost.set_result(None)

    # httptools

    def on_message_begin(self) -> None:
        self._headers, self._body, self._ends_with_connection = {}, [], False
        if self._answer is None:  # a second answer to one request
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        self._ends_with_connection = not framed and self._parser.get_status_code() not in (204, 304)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # "early hints" and the like: the answer is still to come
            return
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return
        self.is_reusable = self._transport is not None and self._parser.should_keep_alive()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        try:
            body = _decompressed(body, self._headers.get("content-encoding", "identity"))
        except OSError as problem:
            answer.set_exception(problem)
            return
        answer.set_result(HttpAnswer(status=status, headers=self._headers, body=body))


def _decompressed(body: bytes, encoding: str) -> bytes:
    """Undo what a server did that wasn't asked to."""
    if encoding.lower() in ("", "identity") or not body:
        return body
    if encoding.lower() not in ("gzip", "x-gzip", "deflate"):
        raise OSError(f"the answer is compressed by {encoding!r}, which was not asked for")
    try:
        return zlib.decompress(body, _GZIP_OR_ZLIB)
    except zlib.error as problem:
        raise OSError(f"the answer's compression is broken: {problem}") from problem


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context

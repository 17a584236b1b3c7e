"""The model server behind a proxy: send it a request, and pass its answer on as it arrives.

Once the head of an answer has gone out, no other may follow: an answer that breaks is cut off, so that the client
cannot take it for a whole one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs, web

from askwell.models.http.certificates import find_bundle, trusting_context
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.headers import header_secrets, merge_headers
from askwell.models.http.secrets import MaskedStream, SecretMask
from askwell.serve.errors import RequestRefused, error_body
from askwell.serve.headers import response_headers

_LOG = logging.getLogger(__name__)
_CONNECT_S = 10.0
_KEEP_ALIVE_S = 15.0  # below what servers usually grant, so that no request meets a connection being closed
_WHOLE = 1024 * 1024
"""A body of up to this size, whose length is known, is read before anything is sent: if it breaks, the client gets a
clean error."""
_FLUSH_S = 0.1  # a reset overtakes what the client has not read yet
_CHECK_S = 0.5  # between two looks at a connection on which nothing arrives
_FAULTS = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Upstream:
    """The endpoint and model that answer."""

    endpoint: Endpoint
    model: str
    """Sent instead of the model that the client names."""
    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further headers of each request; they win over others."""
    timeout_s: float = 600.0
    """Timeout between two bytes from upstream; a stream as a whole may last longer."""

    def secrets(self) -> list[str]:
        """Return what no client may read: the key, and the secrets of the URL and of the environment's proxy."""
        proxy = urlsplit(self.endpoint.proxy() or "")
        return [self.api_key or "", *self.endpoint.secrets(), *header_secrets(self.headers), proxy.password or ""]

    def open_session(self) -> aiohttp.ClientSession:
        """Return a session with this server, without a limit on connections."""
        headers = {"User-Agent": "askwell", "Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        bundle = find_bundle() if self.endpoint.base.startswith("https:") else ""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_KEEP_ALIVE_S, ssl=trusting_context(bundle) if bundle else True
            ),
            headers=merge_headers(headers, self.headers),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=self.timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self.endpoint.proxy(),
        )

    async def send(
        self, session: aiohttp.ClientSession, data: bytes, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """Send a request and return the response, of which the head has arrived. Raises `RequestRefused`."""
        try:
            answer = await session.post(self.endpoint.chat_url, data=data, headers=headers, allow_redirects=False)
        except _FAULTS as error:
            raise self.refusal(error) from error
        if 300 <= answer.status < 400:
            answer.close()
            raise self._refusal("it redirects to another address, which would get the key", status=502)
        return answer

    def refusal(self, error: BaseException) -> RequestRefused:
        """Return what the client is told about a broken exchange: never the text of the error, which may hold a key."""
        return self._refusal(_describe(error, self.timeout_s), status=504 if isinstance(error, TimeoutError) else 502)

    def _refusal(self, reason: str, *, status: int) -> RequestRefused:
        message = f"no answer from {self.endpoint.shown}: {reason}"
        _LOG.warning("%s", message)
        return RequestRefused(message, status=status, code="upstream_error")


class AnswerForwarder:
    """Passes the upstream's answers on to clients, without the upstream's secrets."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._errors = SecretMask.for_messages(upstream.secrets())
        self._replies = SecretMask.for_replies(upstream.secrets())

    async def forward(
        self, http: web.Request, answer: aiohttp.ClientResponse, more: Mapping[str, str]
    ) -> web.StreamResponse:
        """Send an answer to the client, with `more` headers. Raises `RequestRefused` only before the head is sent."""
        headers = response_headers(answer.headers, self._errors)
        headers.update(more)
        mask = self._replies if answer.status < 400 else self._errors
        is_short = 0 < (answer.content_length or 0) <= _WHOLE and hdrs.CONTENT_ENCODING not in answer.headers
        if is_short:
            return await self._forward_whole(answer, mask, headers)
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(http)
        try:
            await self._forward_chunks(http, response, answer, MaskedStream(mask))
        except asyncio.CancelledError:  # the client has left, or the server stops
            _reset(http)
            raise
        return response

    async def _forward_whole(
        self, answer: aiohttp.ClientResponse, mask: SecretMask, headers: Mapping[str, str]
    ) -> web.Response:
        try:
            body = await answer.read()
        except _FAULTS as error:
            raise self._upstream.refusal(error) from error
        return web.Response(status=answer.status, headers=headers, body=mask.mask_bytes(body))

    async def _forward_chunks(
        self, http: web.Request, response: web.StreamResponse, answer: aiohttp.ClientResponse, masked: MaskedStream
    ) -> None:
        """Send each chunk when it arrives; if the answer breaks, say so in an event if it is a stream of events."""
        chunk = b""
        try:
            async for chunk in _read_chunks(answer):
                await response.write(masked.feed(chunk))
        except _FAULTS as error:
            refusal = self._upstream.refusal(error)
            can_say_so = answer.content_type == "text/event-stream" and (not chunk or chunk.endswith(b"\n"))
            await _cut_off(http, response, _error_event(refusal) if can_say_so else b"")
            return
        await response.write_eof(masked.end())


async def _read_chunks(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    """Yield the chunks of a body as they arrive. Raises what aiohttp raises if it breaks.

    After a malformed chunk aiohttp 3.14 closes the connection without an exception in the body, and whoever waits
    for it would wait for ever.
    """
    while True:
        try:
            async with asyncio.timeout(_CHECK_S):
                chunk = await answer.content.readany()
        except aiohttp.ServerTimeoutError:
            raise
        except TimeoutError as error:
            transport = None if answer.connection is None else answer.connection.transport
            if transport is None or transport.is_closing():
                raise aiohttp.ClientPayloadError("malformed") from error
            continue
        if not chunk:
            return
        yield chunk


def _error_event(refusal: RequestRefused) -> bytes:
    event = error_body(str(refusal), kind="server_error", code=refusal.code)
    return b"data: " + json.dumps(event).encode() + b"\n\n"


async def _cut_off(http: web.Request, response: web.StreamResponse, last_words: bytes) -> None:
    """Close the connection in the middle of an answer.

    HTTP/1.1 has a last chunk, and without it an answer is known to be cut. The end of an HTTP/1.0 answer is the end of
    the connection, so that one has to be reset.
    """
    transport = http.transport
    if transport is None or transport.is_closing():
        return
    with suppress(ConnectionError):
        if last_words:
            await response.write(last_words)
    if http.version >= aiohttp.HttpVersion11:
        transport.close()
        return
    await asyncio.sleep(_FLUSH_S)
    _reset(http)


def _reset(http: web.Request) -> None:
    """Reset the connection: no client takes that for the end of an answer."""
    transport = http.transport
    if transport is None or transport.is_closing():
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _describe(error: BaseException, timeout_s: float) -> str:
    """Say in words of our own what went wrong."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"no connection within {_CONNECT_S:g} s"
    if isinstance(error, TimeoutError):
        return f"nothing arrived within {timeout_s:g} s"
    if isinstance(error, aiohttp.ClientSSLError):
        return "its TLS certificate is not trusted, or it speaks no TLS"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.os_error.strerror or 'unknown host'})"
    if isinstance(error, aiohttp.ClientResponseError):
        return "what it sent is not HTTP"
    return "the connection broke"

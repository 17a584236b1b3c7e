"""What carries one HTTP request to a model's server and its answer back: the contract, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

KEEP_ALIVE_S = 30.0
"""How long an idle connection is kept for the next request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """One HTTP response, read to its end and decompressed. Look header names up in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotConnected(OSError):
    """No connection came about, for the reason in its message; nothing was sent."""


class NotConnectedInTime(TimeoutError):
    """No connection came about within `connect_s`; nothing was sent."""


class Transport(Protocol):
    """Exchanges requests for answers on one event loop, over as many connections as exchanges are under way.

    Nothing is sent twice, and redirects are not followed. Raises `NotConnected` and `NotConnectedInTime` where nothing
    was sent, `TimeoutError` where the whole took too long, and another `OSError` where the connection broke or what
    came was no HTTP. A cancelled exchange frees its connection.
    """

    async def exchange(self, method: str, url: str, data: bytes | None) -> HttpAnswer: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Line:
    """How a server is to be spoken to. Headers, and the proxy's URL, may hold secrets."""

    headers: Mapping[str, str]
    timeout_s: float
    """For a whole exchange, connecting included."""
    connect_s: float
    proxy: str | None = None

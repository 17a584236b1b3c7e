"""Learn from a server's own error messages which parameters it rejects, and send no such request again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol, runtime_checkable

from askwell.models.providers.quirks import Body, Quirk, apply_quirks, find_quirk, quirks_by_name
from askwell.models.providers.response import ParsedResponse

_LOG = logging.getLogger(__name__)


class Negotiation:
    """The quirks of one model's server.

    `quirks` may be discovered; `unsupported` are known from the start. Each is logged once, when it first changes a
    request. `on_quirk` is called with each newly discovered one.
    """

    def __init__(self, name: str, quirks: tuple[Quirk, ...], *, unsupported: tuple[Quirk, ...] = ()) -> None:
        self._name = name
        self._quirks = quirks
        self._adopted = unsupported
        self._unlogged = unsupported
        self.on_quirk: Callable[[Quirk], None] = lambda _: None

    def restore(self, names: Collection[str]) -> None:
        """Adopt the quirks of these names, discovered earlier at the same server."""
        logged = quirks_by_name(dict.fromkeys(names), self._quirks)
        self._adopted = (*self._adopted, *(quirk for quirk in logged if quirk not in self._adopted))

    def adapt(self, body: Body) -> Body:
        """Return the body in the form that the server accepts, as far as its quirks are known."""
        return apply_quirks(body, self._adopted)

    async def send(self, body: Body, post: Callable[[Body], Awaitable[ParsedResponse]]) -> ParsedResponse:
        """Send a body as the server accepts it; adapt and repeat it if an unknown quirk explains an error."""
        for quirk in self._unlogged:
            if quirk.adapt(body) != body:
                self._unlogged = tuple(other for other in self._unlogged if other is not quirk)
                _LOG.warning("%s: %s", self._name, quirk.meaning)
        tried = self._adopted
        response = await post(apply_quirks(body, tried))
        while response.completion.fault == "bad_request":
            quirk = find_quirk(response.error_text, apply_quirks(body, tried), self._quirks)
            if quirk is None or quirk in tried:
                break
            tried = (*tried, quirk)
            response = await post(apply_quirks(body, tried))
        # Only an accepted request proves a quirk: the error message may have matched by accident.
        if response.completion.outcome != "failed" and tried is not self._adopted:
            self._adopt(tried)
        return response

    def _adopt(self, tried: tuple[Quirk, ...]) -> None:
        """Adopt the quirks behind an accepted request; concurrent calls may discover the same one."""
        for quirk in tried:
            if quirk not in self._adopted:
                self._adopted = (*self._adopted, quirk)
                _LOG.warning("%s: %s", self._name, quirk.meaning)
                self.on_quirk(quirk)


@runtime_checkable
class Negotiating(Protocol):
    """A model that discovers its server's quirks. `name` identifies the server."""

    @property
    def name(self) -> str: ...

    @property
    def negotiation(self) -> Negotiation: ...

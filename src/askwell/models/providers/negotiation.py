"""Find out once what a server does not take, from its own refusals, and ask accordingly from then on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol, runtime_checkable

from askwell.models.providers.quirks import Body, Quirk, adapted, quirk_behind
from askwell.models.providers.response import ParsedResponse

_LOG = logging.getLogger(__name__)


class Negotiation:
    """What one model's server turned out not to take (see `quirks`).

    `quirks` may be learnt; `lacks` are known from the start. Each is said in the log once, when it first matters.
    `on_learnt` is called with each that is new.
    """

    def __init__(self, name: str, quirks: tuple[Quirk, ...], *, lacks: tuple[Quirk, ...] = ()) -> None:
        self._name = name
        self._quirks = quirks
        self._learnt = lacks
        self._unsaid = lacks
        self.on_learnt: Callable[[Quirk], None] = lambda _: None

    def recall(self, names: Collection[str]) -> None:
        """Take quirks of these names for learnt: found out earlier, with the same server."""
        known = {quirk.name for quirk in self._learnt}
        self._learnt = (*self._learnt, *(q for q in self._quirks if q.name in names and q.name not in known))

    def adapted(self, body: Body) -> Body:
        """Return the body in the form the server takes, as far as is known."""
        return adapted(body, self._learnt)

    async def ask(self, body: Body, post: Callable[[Body], Awaitable[ParsedResponse]]) -> ParsedResponse:
        """Send a body in the form the server takes; when it refuses that for a reason we know, again at once."""
        for quirk in self._unsaid:
            if quirk.adapt(body) != body:
                self._unsaid = tuple(other for other in self._unsaid if other is not quirk)
                _LOG.warning("%s: %s", self._name, quirk.meaning)
        tried = self._learnt
        reading = await post(adapted(body, tried))
        while reading.completion.fault == "bad_request":
            quirk = quirk_behind(reading.words, adapted(body, tried), self._quirks)
            if quirk is None or quirk in tried:
                break
            tried = (*tried, quirk)
            reading = await post(adapted(body, tried))
        if reading.completion.outcome != "failed" and tried is not self._learnt:
            self._learn(tried)
        return reading

    def _learn(self, tried: tuple[Quirk, ...]) -> None:
        """Keep the quirks behind an accepted request (calls in flight may find the same one at the same time)."""
        for quirk in tried:
            if quirk not in self._learnt:
                self._learnt = (*self._learnt, quirk)
                _LOG.warning("%s: %s", self._name, quirk.meaning)
                self.on_learnt(quirk)


@runtime_checkable
class Negotiating(Protocol):
    """A model that finds out what its server takes. `name` tells its server from others."""

    @property
    def name(self) -> str: ...

    @property
    def negotiation(self) -> Negotiation: ...

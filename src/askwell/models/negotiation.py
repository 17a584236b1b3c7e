"""Find out once what a server does not take, from its own refusals, and ask accordingly from then on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from askwell.models.quirks import Body, Quirk, adapted, quirk_behind
from askwell.models.reading import Reading

_LOG = logging.getLogger(__name__)


class Negotiation:
    """What one model's server turned out not to take (see `quirks`).

    `quirks` may be learnt; `lacks` are known from the start. Each is said in the log once, when it first matters.
    """

    def __init__(self, name: str, quirks: tuple[Quirk, ...], *, lacks: tuple[Quirk, ...] = ()) -> None:
        self._name = name
        self._quirks = quirks
        self._learnt = lacks
        self._unsaid = lacks

    async def ask(self, body: Body, post: Callable[[Body], Awaitable[Reading]]) -> Reading:
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

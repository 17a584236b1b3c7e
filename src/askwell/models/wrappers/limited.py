"""Keep a model within what its provider allows: calls at once, requests a minute, tokens a minute."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Request
from askwell.models.parts import parts_of
from askwell.models.per_loop import PerLoop
from askwell.models.wrappers.shared_gate import ModelQueue, SharedGate

_CHARS_PER_TOKEN = 4  # a rough guess for English; corrected by the real count after the call
_CANCELLED = Completion(outcome="failed")
_MAX_SLEEP_S = 0.25  # how long a refund may go unnoticed by who is waiting


class Limited:
    """Hold calls back, first come first served; several models of one server in turn (`gate`).

    Whatever the limits given, the server's own are learnt from what it refuses (429, Retry-After) and from what it says
    is left: see `throttle`. The limits given are upper bounds.

    Inside `Retrying` (`Retrying(Limited(model))`) every attempt counts against the limits, as it does at the
    provider. Tokens are booked before a call (prompt length / 4 + `max_tokens`) and corrected after it.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        max_concurrency: int,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        gate: SharedGate | None = None,
    ) -> None:
        limits = {"max_concurrency": max_concurrency, "requests_per_minute": requests_per_minute}
        for what, value in (limits | {"tokens_per_minute": tokens_per_minute}).items():
            if value is not None and value <= 0:
                raise ConfigError(f"{what}={value!r} must be above 0")
        self.inner = model
        self.parts = parts_of(model)
        self.max_concurrency = max_concurrency
        self.gate = gate or SharedGate()
        self._queue = PerLoop(lambda: ModelQueue(max_concurrency))
        self._requests = PerLoop(lambda: _TokenBucket(requests_per_minute)) if requests_per_minute else None
        self._tokens = PerLoop(lambda: _TokenBucket(tokens_per_minute)) if tokens_per_minute else None

    @property
    def name(self) -> str:
        return self.inner.name

    def load(self) -> float:
        """Return how busy this model is: calls waiting and under way on this event loop."""
        queue = self._queue.get()
        return len(queue.waiting) + queue.in_flight

    def wait_s(self) -> float:
        """Return how long a call made now would wait to be sent: infinity until another one is answered."""
        buckets = [one.get() for one in (self._requests, self._tokens) if one is not None]
        return max(self.gate.wait_s(self._queue.get()), *(bucket.wait_s() for bucket in buckets), 0.0)

    async def complete(self, request: Request) -> Completion:
        queue = self._queue.get()
        if self._requests is not None:
            await self._requests.get().take(1.0)
        reserved = 0.0 if self._tokens is None else _estimate_tokens(request)
        if self._tokens is not None:
            await self._tokens.get().take(reserved)
        sent_request = await self.gate.acquire(queue)
        completion = _CANCELLED
        try:
            completion = await self.inner.complete(request)
        finally:
            self.gate.release(queue, sent_request, completion, name=self.name)
        if self._tokens is not None:
            usages = [one.usage for one in (completion, *completion.others)]
            used = sum(usage.prompt_tokens + usage.completion_tokens for usage in usages)
            if used or completion.outcome == "failed":
                self._tokens.get().refund(reserved - used)
        return replace(completion, is_paced=True) if completion.fault == "rate_limit" else completion

    async def aclose(self) -> None:
        await self.inner.aclose()


class _TokenBucket:
    """A token bucket that may go into debt for one request: the long-run rate holds whatever a request costs."""

    def __init__(self, per_minute: float) -> None:
        self._rate = per_minute / 60.0
        self._capacity = max(1.0, self._rate)  # a burst of one second's worth
        self._level = self._capacity
        self._at = time.monotonic()
        self._queue = asyncio.Lock()

    async def take(self, amount: float) -> None:
        """Wait for a whole unit (or for a full bucket), then take `amount` out."""
        async with self._queue:
            while (missing := 1.0 - self._refill()) > 0:  # noqa: ASYNC110 - waits for time to pass, not for an event
                await asyncio.sleep(min(missing / self._rate, _MAX_SLEEP_S))
            self._level -= amount

    def wait_s(self) -> float:
        """Return how long it will take until there is a whole unit."""
        return max(0.0, (1.0 - self._refill()) / self._rate)

    def refund(self, amount: float) -> None:
        """Put back what was booked and not used (or, if negative, take what was used beyond it)."""
        self._level = min(self._capacity, self._refill() + amount)

    def _refill(self) -> float:
        now = time.monotonic()
        self._level = min(self._capacity, self._level + (now - self._at) * self._rate)
        self._at = now
        return self._level


def _estimate_tokens(request: Request) -> float:
    characters = sum(len(message.content) for message in request.messages)
    return characters / _CHARS_PER_TOKEN + request.max_tokens * request.samples

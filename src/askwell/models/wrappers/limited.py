"""Keep a model within its provider's limits: concurrent calls, requests per minute, tokens per minute."""

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

_CHARS_PER_TOKEN = 4  # a rough estimate for English; corrected by the real count after the call
_CANCELLED = Completion(outcome="failed")
_MAX_SLEEP_S = 0.25  # a waiting call must notice a refund within this time


class Limited:
    """Delay calls, first come, first served; several models of one server take turns (`gate`).

    The arguments are upper bounds. The server's own limits are learnt from its refusals (429, Retry-After) and its
    headers: see `rate_controller`.

    Inside `Retrying` (`Retrying(Limited(model))`) every attempt counts against the limits, as it does at the provider.
    Tokens are reserved before a call (prompt length / 4 + `max_tokens`) and corrected after it.
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
        for name, value in (limits | {"tokens_per_minute": tokens_per_minute}).items():
            if value is not None and value <= 0:
                raise ConfigError(f"{name}={value!r} must be above 0")
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
        """Return the number of calls waiting and in flight on this event loop."""
        queue = self._queue.get()
        return len(queue.waiting) + queue.in_flight

    def wait_s(self) -> float:
        """Return how long a call made now would wait; infinity if it has to wait for another call's reply."""
        buckets = [bucket.get() for bucket in (self._requests, self._tokens) if bucket is not None]
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
            usages = [reply.usage for reply in (completion, *completion.other_samples)]
            used = sum(usage.prompt_tokens + usage.completion_tokens for usage in usages)
            # A reply without usage: keep the reservation, as the provider has counted some tokens.
            if used or completion.outcome == "failed":
                self._tokens.get().refund(reserved - used)
        return replace(completion, retry_immediately=True) if completion.fault == "rate_limit" else completion

    async def aclose(self) -> None:
        await self.inner.aclose()


class _TokenBucket:
    """A token bucket that one request may overdraw: the long-run rate holds for requests of any size."""

    def __init__(self, per_minute: float) -> None:
        self._rate = per_minute / 60.0
        self._capacity = max(1.0, self._rate)  # a burst of at most one second's amount
        self._level = self._capacity
        self._at = time.monotonic()
        self._queue = asyncio.Lock()

    async def take(self, amount: float) -> None:
        """Wait until the bucket holds a whole unit, then remove `amount`."""
        async with self._queue:
            while (missing := 1.0 - self._refill()) > 0:  # noqa: ASYNC110 - waits for time to pass, not for an event
                await asyncio.sleep(min(missing / self._rate, _MAX_SLEEP_S))
            self._level -= amount

    def wait_s(self) -> float:
        """Return the seconds until the bucket holds a whole unit."""
        return max(0.0, (1.0 - self._refill()) / self._rate)

    def refund(self, amount: float) -> None:
        """Return an amount that was reserved but not used (negative: remove an amount used beyond the reservation)."""
        self._level = min(self._capacity, self._refill() + amount)

    def _refill(self) -> float:
        now = time.monotonic()
        self._level = min(self._capacity, self._level + (now - self._at) * self._rate)
        self._at = now
        return self._level


def _estimate_tokens(request: Request) -> float:
    characters = sum(len(message.content) for message in request.messages)
    return characters / _CHARS_PER_TOKEN + request.max_tokens * request.samples

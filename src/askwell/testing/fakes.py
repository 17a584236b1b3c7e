"""Test doubles, part of the public API: models that answer from a script, fail on purpose, or take their time.

All are deterministic: a reply depends on the request, the seed and the number of equal requests before it, never on the
order in which concurrent calls run.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from askwell.core.errors import ConfigError, ModelError
from askwell.core.protocols import ChatModel
from askwell.core.types import FINAL_FAULTS, Completion, Fault, Request, Usage
from askwell.models.conversation import replace_surrogates
from askwell.models.request_key import request_key

Reply = str | Completion

RETRYABLE_FAULTS: tuple[Fault, ...] = ("rate_limit", "server", "timeout", "connection", "malformed")


class ScriptedModel:
    """Answer from a function of the request, or from a list in the order of the calls.

    `requests` holds the requests. A list that has run out raises `ModelError`: a test that makes more calls than it
    scripted is wrong. Texts get a usage of one token per word, so that accounting has something to count.
    """

    def __init__(self, replies: Sequence[Reply] | Callable[[Request], Reply], *, name: str = "scripted") -> None:
        self._name = name
        self._replies = replies
        self.requests: list[Request] = []

    @property
    def name(self) -> str:
        return self._name

    async def complete(self, request: Request) -> Completion:
        started = time.perf_counter()
        self.requests.append(request)
        reply = self._replies(request) if callable(self._replies) else self._next(self._replies)
        if isinstance(reply, Completion):
            return reply
        words = sum(len(message.content.split()) for message in request.messages)
        usage = Usage(prompt_tokens=words, completion_tokens=len(reply.split()))
        return Completion(text=replace_surrogates(reply), usage=usage, seconds=time.perf_counter() - started)

    async def aclose(self) -> None:
        return

    def _next(self, replies: Sequence[Reply]) -> Reply:
        asked = len(self.requests)
        if asked > len(replies):
            raise ModelError(f"the script of {self._name!r} has {len(replies)} replies and was asked {asked} times")
        return replies[asked - 1]


class FlakyModel:
    """Fail a share `rate` of the calls with one of `faults`, before they reach the model.

    Each repetition of a request is a new random draw, so that retrying helps (unless `rate` is 1).
    `fault_counts` counts the injected faults.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        seed: int,
        rate: float = 0.3,
        faults: Sequence[Fault] = RETRYABLE_FAULTS,
        retry_after_s: float | None = None,
    ) -> None:
        if not 0 <= rate <= 1 or not faults:
            raise ConfigError(f"rate={rate!r} must be in 0..1 and faults={tuple(faults)!r} must not be empty")
        self.inner = model
        self._seed = seed
        self._rate = rate
        self._faults = tuple(faults)
        self._retry_after_s = retry_after_s
        self._asked: Counter[str] = Counter()
        self.fault_counts: Counter[Fault] = Counter()

    @property
    def name(self) -> str:
        return self.inner.name

    async def complete(self, request: Request) -> Completion:
        key = request_key(self.name, request)
        self._asked[key] += 1
        rng = random.Random(f"{self._seed} {key} {self._asked[key]}")
        if rng.random() >= self._rate:
            return await self.inner.complete(request)
        fault = rng.choice(self._faults)
        self.fault_counts[fault] += 1
        error = f"injected {'final ' if fault in FINAL_FAULTS else ''}fault {fault}"
        wait = self._retry_after_s if fault == "rate_limit" else None
        return Completion(outcome="failed", fault=fault, error=error, retry_after_s=wait)

    async def aclose(self) -> None:
        await self.inner.aclose()


class SlowModel:
    """Wait before each call: `latency_s` seconds in the median, log-normal with `sigma` (0: always the same).

    `most_in_flight` is the largest number of calls that waited at once.
    """

    def __init__(self, model: ChatModel, *, latency_s: float, sigma: float = 0.0, seed: int = 0) -> None:
        self.inner = model
        self._latency_s = latency_s
        self._sigma = sigma
        self._seed = seed
        self._in_flight = 0
        self.most_in_flight = 0

    @property
    def name(self) -> str:
        return self.inner.name

    async def complete(self, request: Request) -> Completion:
        started = time.perf_counter()
        rng = random.Random(f"{self._seed} {request_key(self.name, request)}")
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            await asyncio.sleep(self._latency_s * math.exp(rng.gauss(0.0, self._sigma)))
            completion = await self.inner.complete(request)
        finally:
            self._in_flight -= 1
        return replace(completion, seconds=time.perf_counter() - started)

    async def aclose(self) -> None:
        await self.inner.aclose()

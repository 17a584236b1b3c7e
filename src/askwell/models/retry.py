"""Try again what is worth trying again: the one retry layer, by fault class."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

from askwell.errors import ConfigError
from askwell.models.base import ChatModel
from askwell.types import FINAL_FAULTS, Completion, Request

_NEVER_ANSWERED_ATTEMPTS = 3


class Retrying:
    """Repeat failed calls with exponential backoff and full jitter.

    `auth` and `bad_request` are final. The others are tried `max_attempts` times in all; before attempt k + 1 comes a
    wait of 0 to min(`cap_s`, `base_s` · 2^(k-1)) seconds, on top of what the server asked for; none where a `Limited`
    inside waits out the rate limit, for all calls at once. A server that asks for more than `max_wait_s` is not waited
    for: the call fails and says so. An endpoint that could never be connected to is given up after 3 attempts, so that
    a wrong address is told within seconds.
    `seed` fixes the jitter only.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        max_attempts: int = 10,
        base_s: float = 0.5,
        cap_s: float = 30.0,
        max_wait_s: float = 120.0,
        seed: int = 0,
    ) -> None:
        if max_attempts < 1:
            raise ConfigError(f"max_attempts={max_attempts!r} must be at least 1 (1: no retries)")
        self.inner = model
        self._max_attempts = max_attempts
        self._base_s = base_s
        self._cap_s = cap_s
        self._max_wait_s = max_wait_s
        self._random = random.Random(seed)
        self._has_answered = False
        self.retries = 0
        """Attempts made beyond the first, over all calls."""

    @property
    def name(self) -> str:
        return self.inner.name

    async def complete(self, request: Request) -> Completion:
        attempt = 0
        while True:
            attempt += 1
            completion = await self.inner.complete(request)
            self._has_answered = self._has_answered or completion.fault not in ("connection", "timeout")
            if completion.outcome != "failed":
                return completion
            given_up = self._why_not_again(completion, attempt)
            if given_up is not None:
                return replace(completion, error=completion.error + given_up)
            await asyncio.sleep(self._wait_s(completion, attempt))
            self.retries += 1

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _why_not_again(self, completion: Completion, attempt: int) -> str | None:
        """Return what to add to the error when this was the last attempt, None when there is to be another."""
        if completion.fault in FINAL_FAULTS or completion.fault == "budget":
            return ""
        if (completion.retry_after_s or 0.0) > self._max_wait_s:
            asked = f"{completion.retry_after_s:.0f} s"
            return f" (the server asks to wait {asked}, longer than max_wait_s={self._max_wait_s:g})"
        limit = self._max_attempts
        if completion.fault == "connection" and not self._has_answered:
            limit = min(limit, _NEVER_ANSWERED_ATTEMPTS)
        return f" (gave up after {attempt} attempts)" if attempt >= limit else None

    def _wait_s(self, completion: Completion, attempt: int) -> float:
        if completion.is_paced:
            return 0.0
        bound = min(self._cap_s, self._base_s * 2.0 ** min(attempt - 1, 60))
        return (completion.retry_after_s or 0.0) + self._random.uniform(0.0, bound)

"""Retry failed calls by fault class. No other layer retries."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, replace

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import FINAL_FAULTS, Completion, Request
from askwell.models.parts import parts_of

_NEVER_ANSWERED_ATTEMPTS = 3  # a wrong address is reported within seconds
_MAX_SUMMED = 1000  # waits that are added up: a user may set a huge max_attempts


@dataclass(slots=True)
class _History:
    """The attempts of one call: those refused by a rate limit that `Limited` waits out, and the others."""

    tried: int = 0
    refused: int = 0
    refused_since: float = 0.0

    def add(self, completion: Completion) -> None:
        if not completion.retry_immediately:
            self.tried += 1
            return
        self.refused += 1
        if self.refused == 1:
            self.refused_since = time.monotonic()


class Retrying:
    """Repeat failed calls with exponential backoff and full jitter.

    `auth` and `bad_request` are final. Other faults are tried `max_attempts` times in all; before attempt k + 1 comes a
    wait of 0 to min(`cap_s`, `base_s` · 2^(k-1)) seconds, in addition to the wait that the server asked for. If a
    server asks for more than `max_wait_s`, the call fails. If no connection to the endpoint ever succeeded, it fails
    after 3 attempts, so that a wrong address is reported within seconds.

    If a `Limited` inside waits out a rate limit for all calls at once, no wait is added. Such refusals are counted
    separately: a call fails after `max_attempts` of them, but not before the longest total wait above has passed.

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
        self.parts = parts_of(model)
        self._max_attempts = max_attempts
        self._base_s = base_s
        self._cap_s = cap_s
        self._max_wait_s = max_wait_s
        self._patience_s = sum(self._max_backoff_s(attempt) for attempt in range(1, min(max_attempts, _MAX_SUMMED)))
        self._random = random.Random(seed)
        self._has_answered = False
        self.retries = 0
        """Attempts beyond the first, over all calls."""

    @property
    def name(self) -> str:
        return self.inner.name

    async def complete(self, request: Request) -> Completion:
        history = _History()
        while True:
            completion = await self.inner.complete(request)
            history.add(completion)
            self._has_answered = self._has_answered or completion.fault not in ("connection", "timeout")
            if completion.outcome != "failed":
                return completion
            reason = self._reason_to_give_up(completion, history)
            if reason is not None:
                return replace(completion, error=completion.error + reason)
            await asyncio.sleep(self._backoff_s(completion, history.tried))
            self.retries += 1

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _reason_to_give_up(self, completion: Completion, history: _History) -> str | None:
        """Return the text to add to the error if this was the last attempt; None to try again."""
        if completion.fault in FINAL_FAULTS or completion.fault == "budget":
            return ""
        if (completion.retry_after_s or 0.0) > self._max_wait_s:
            asked = f"{completion.retry_after_s:.0f} s"
            return f" (the server asks to wait {asked}, longer than max_wait_s={self._max_wait_s:g})"
        limit = self._max_attempts
        if completion.fault == "connection" and not self._has_answered:
            limit = min(limit, _NEVER_ANSWERED_ATTEMPTS)
        if completion.retry_immediately:
            is_over = history.refused >= limit and time.monotonic() - history.refused_since >= self._patience_s
        else:
            is_over = history.tried >= limit
        return f" (gave up after {history.tried + history.refused} attempts)" if is_over else None

    def _backoff_s(self, completion: Completion, attempt: int) -> float:
        if completion.retry_immediately:
            return 0.0
        return (completion.retry_after_s or 0.0) + self._random.uniform(0.0, self._max_backoff_s(attempt))

    def _max_backoff_s(self, attempt: int) -> float:
        return min(self._cap_s, self._base_s * 2.0 ** min(attempt - 1, 60))

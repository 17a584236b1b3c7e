"""Rate limiters as pure functions of time, for simulations and for real servers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Limiter(Protocol):
    def try_accept(self, now: float) -> float | None:
        """Accept a request and return None, or return the seconds until a retry is useful."""
        ...

    def remaining(self, now: float) -> int:
        """Return the number of requests that would be accepted now."""
        ...


@dataclass
class FixedWindow:
    """At most `rate * window_s` requests in each window of the clock."""

    rate: float
    window_s: float = 1.0
    window: int = -1
    used: int = 0

    def try_accept(self, now: float) -> float | None:
        self._turn(now)
        if self.used >= self.rate * self.window_s:
            return (self.window + 1) * self.window_s - now
        self.used += 1
        return None

    def remaining(self, now: float) -> int:
        self._turn(now)
        return int(self.rate * self.window_s) - self.used

    def _turn(self, now: float) -> None:
        if int(now / self.window_s) != self.window:
            self.window, self.used = int(now / self.window_s), 0


@dataclass
class SlidingWindow:
    """At most `rate` requests in any second."""

    rate: float
    accepted: deque[float] = field(default_factory=deque[float])

    def try_accept(self, now: float) -> float | None:
        if self.remaining(now) < 1:
            return self.accepted[0] + 1.0 - now
        self.accepted.append(now)
        return None

    def remaining(self, now: float) -> int:
        while self.accepted and self.accepted[0] <= now - 1.0:
            self.accepted.popleft()
        return int(self.rate) - len(self.accepted)


@dataclass
class TokenBucket:
    """Refilled at `rate` a second, holds `burst`."""

    rate: float
    burst: float
    level: float = -1.0
    at: float = 0.0

    def try_accept(self, now: float) -> float | None:
        if self.remaining(now) < 1:
            return (1 - self.level) / self.rate
        self.level -= 1
        return None

    def remaining(self, now: float) -> int:
        self.level = self.burst if self.level < 0 else min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now
        return int(self.level)


KINDS: dict[str, Callable[[float], Limiter]] = {
    "fixed window 1 s": FixedWindow,
    "fixed window 10 s": lambda rate: FixedWindow(rate, window_s=10.0),
    "sliding window 1 s": SlidingWindow,
    "token bucket, burst 1 s": lambda rate: TokenBucket(rate, burst=rate),
    "token bucket, burst 20": lambda rate: TokenBucket(rate, burst=20),
}

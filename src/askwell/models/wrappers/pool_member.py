"""One member of a pool: whether it may be called now, and how soon it is expected to answer."""

from __future__ import annotations

import math

from askwell.core.types import Completion, Fault
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.meter import Metered

_MISCONFIGURED_S = 300.0  # after a rejected key: somebody may repair it while the run continues
_FIRST_SUSPENSION_S, _MAX_SUSPENSION_S = 1.0, 60.0  # doubled each time: from a restart to an outage
_MAX_FAILURES_IN_A_ROW = 5  # server errors and time-outs: fewer may be bad luck
_MEMORY_S = 30.0  # an idle member has to be tried again, so its old latency must not count for ever
_SMOOTHING = 0.2  # the weight of the latest latency in the moving average
_LONG_WAIT_S = 1.0  # a retry waits this long for a member it has not tried

REROUTABLE_FAULTS: frozenset[Fault] = frozenset({"auth", "connection", "rate_limit", "bad_request"})
"""Failures before any work on the call: it may go to another member at once."""


class PoolMember:
    """A model of a pool with its own limits. All times are seconds of one clock."""

    def __init__(self, limited: Limited, *, label: str) -> None:
        self.label = label
        self.model = Metered(limited)
        self.in_flight = 0
        """Calls of this member on all event loops."""
        self.suspended_until = 0.0
        """Receives no call before this time, unless all members are suspended."""
        self.is_misconfigured = False
        """Whether it is suspended for a fault that does not pass by itself (a bad key, an unknown model)."""
        self._limited = limited
        self._suspensions = self._failures = 0
        self._latency_s: float | None = None
        self._measured_at = 0.0

    def is_suspended(self, now: float) -> bool:
        """Return whether to call other members only. After the suspension, a single call tests the member."""
        return now < self.suspended_until or (self._suspensions > 0 and self.in_flight > 0)

    def wait_s(self) -> float:
        """Return how long a call made now would wait; infinity if it has to wait for another call's reply."""
        return self._limited.wait_s()

    def is_rate_limited(self) -> bool:
        """Return whether its rate limit, not its number of calls in flight, blocks it for long."""
        return self.in_flight < self._limited.max_concurrency and self.wait_s() > _LONG_WAIT_S

    def expected_latency_s(self, now: float, usual: float) -> float:
        """Return the expected latency of a call made now. An old measurement decays to `usual`."""
        trust = 0.0 if self._latency_s is None else math.exp((self._measured_at - now) / _MEMORY_S)
        seconds = trust * (self._latency_s or 0.0) + (1 - trust) * usual
        return seconds * (1 + self.in_flight / self._limited.max_concurrency)

    @property
    def latency_s(self) -> float | None:
        """Return the moving average of the latency; None before the first answer."""
        return self._latency_s

    def record_success(self, now: float, seconds: float) -> None:
        """Record an answer and its latency."""
        self._suspensions = self._failures = 0
        self.suspended_until, self.is_misconfigured = 0.0, False
        before = seconds if self._latency_s is None else self._latency_s
        self._latency_s = before + _SMOOTHING * (seconds - before)
        self._measured_at = now

    def record_failure(self, now: float, completion: Completion) -> bool:
        """Record a failure; return whether it suspends a member that was active."""
        if completion.fault == "rate_limit":
            return False  # its rate controller handles it
        if now < self.suspended_until:
            return False  # a call that was in flight when the member was suspended
        self._failures += 1
        if completion.fault not in ("auth", "connection") and self._failures < _MAX_FAILURES_IN_A_ROW:
            return False
        was_active = self._suspensions == 0
        self.is_misconfigured = completion.fault in ("auth", "bad_request")
        pause = (
            _MISCONFIGURED_S
            if self.is_misconfigured
            else min(_MAX_SUSPENSION_S, _FIRST_SUSPENSION_S * 2.0 ** min(self._suspensions, 10))
        )
        self.suspended_until = now + pause
        self._suspensions += 1
        return was_active

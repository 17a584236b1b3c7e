"""One member of a pool: whether it is to be asked now, and how soon it is expected to answer."""

from __future__ import annotations

import math

from askwell.core.types import Completion, Fault
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.meter import Metered

_AUTH_OUT_S = 300.0  # a key that was refused; somebody may mend it while the run is on
_FIRST_OUT_S, _LONGEST_OUT_S = 1.0, 60.0
_TOO_MANY_IN_A_ROW = 5
_FORGOTTEN_S = 30.0
_NEWEST = 0.2
_A_GOOD_WHILE_S = 1.0

MISPLACED: frozenset[Fault] = frozenset({"auth", "connection", "rate_limit", "bad_request"})
"""Failures of calls that no server has worked on: another member may be asked at once."""


class Member:
    """A model of a pool with its own limits. Times are seconds of one clock, `now`."""

    def __init__(self, limited: Limited, *, label: str) -> None:
        self.label = label
        self.model = Metered(limited)
        self.in_flight = 0
        """Calls handed to this member and not back, on all event loops."""
        self.out_until = 0.0
        """Not to be asked before this moment, unless there is nobody else."""
        self.refuses = False
        """Whether it is out for something that waiting does not mend (a bad key, a model it lacks)."""
        self._limited = limited
        self._outs = self._failures = 0
        self._seconds: float | None = None
        self._measured_at = 0.0

    def is_out(self, now: float) -> bool:
        """Whether another member should be asked. After a while out, one call goes there to see."""
        return now < self.out_until or (self._outs > 0 and self.in_flight > 0)

    def wait_s(self) -> float:
        """Return how long a call made now would wait to be sent; infinity until another one is answered."""
        return self._limited.wait_s()

    def is_shut(self) -> bool:
        """Whether its limits, and not the calls under way, keep it from being asked for a good while."""
        return self.in_flight < self._limited.max_concurrency and self.wait_s() > _A_GOOD_WHILE_S

    def expected_s(self, now: float, usual: float) -> float:
        """Return how long an answer is expected to take. What was measured long ago fades to `usual`."""
        trust = 0.0 if self._seconds is None else math.exp((self._measured_at - now) / _FORGOTTEN_S)
        seconds = trust * (self._seconds or 0.0) + (1 - trust) * usual
        return seconds * (1 + self.in_flight / self._limited.max_concurrency)

    @property
    def seconds(self) -> float | None:
        """How long an answer took of late; None before the first."""
        return self._seconds

    def answered(self, now: float, seconds: float) -> None:
        """Book an answer that took so long."""
        self._outs = self._failures = 0
        self.out_until, self.refuses = 0.0, False
        before = seconds if self._seconds is None else self._seconds
        self._seconds = before + _NEWEST * (seconds - before)
        self._measured_at = now

    def failed(self, now: float, completion: Completion) -> bool:
        """Book a failure; return whether the member is out because of it, having been in until now."""
        if completion.fault == "rate_limit":
            return False  # its limits see to that
        if now < self.out_until:
            return False  # one of those that were under way when it went out
        self._failures += 1
        if completion.fault not in ("auth", "connection") and self._failures < _TOO_MANY_IN_A_ROW:
            return False
        was_in = self._outs == 0
        self.refuses = completion.fault in ("auth", "bad_request")
        pause = _AUTH_OUT_S if self.refuses else min(_LONGEST_OUT_S, _FIRST_OUT_S * 2.0 ** min(self._outs, 10))
        self.out_until = now + pause
        self._outs += 1
        return was_in

"""How fast a server lets itself be asked: learnt from what it refuses, with no clock and no socket of its own.

Until the first refusal the pace doubles every tenth of a second and the number in flight once a round trip. After it
the *rate* is what is learnt (a limit is a rate: a window of requests in flight would follow every swing of latency).
The rate follows RFC 9438 (CUBIC): cut a little below the rate that was refused, back to it fast, long near it,
carefully and then ever faster beyond it. So a limit costs a few refusals every few seconds, and a limit that is
raised is found within seconds.

Deviations: the cut is 3 % (a limit is sharp, a congested link is not); where the server let much less pass than was
sent, the cut goes to what it let pass; a refusal of something sent before the last cut teaches nothing new.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_FIRST_RATE, _DOUBLING_S = 500.0, 0.1  # the ramp before anything was refused
_FIRST_WINDOW = 128
_DOUBLING_AGAIN_S = 1.0  # after a first refusal so early that the rate is hardly known
_UNLIMITED_RATE = 100_000.0
_LEAST_WINDOW = 16.0  # once the rate is known it is the rate that counts; this bounds a server that stalls
_CATCH_UP_S = 0.01  # a timer that fired late may be made up for by this much
_CUT = 0.97
_BREATH = 5.0  # requests not sent at a cut: what the server is behind by
_LONGEST_BREATH_S = 0.2
_BACK_S = 2.0  # CUBIC's K: how long until the refused rate is reached again
_GROWTH = (1 - _CUT) / _BACK_S**3  # CUBIC's C, in shares of the rate
_FEW_ASKED, _USUAL_SHARE = 20, 0.05
_FEW_IN_OVERLOAD = 5
_SLOWEST = 0.02  # requests a second
_LONG_WAIT_S = 2.0  # a server that asks for so much means all of us, not one request too many
_FIRST_GAP_S, _GAP_GROWTH, _LONGEST_GAP_S = 0.05, 1.5, 1.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request on its way."""

    number: int
    epoch: int
    sent_at: float


@dataclass(slots=True)
class _Overload:
    """What a server let pass of the requests sent between its first refusal and the news of it: its rate, unbiased."""

    begun_at: float = math.inf
    until: float = math.inf
    passed: int = 0
    refused: int = 0

    def saw(self, ticket: Ticket, *, passed: bool) -> None:
        if ticket.sent_at > self.begun_at:
            self.until = max(self.until, ticket.sent_at)
            self.passed += passed
            self.refused += not passed

    def rate(self) -> float | None:
        """Return requests a second, 0 where the server was shut, None where too few were sent to tell."""
        if self.passed + self.refused < _FEW_IN_OVERLOAD or self.until <= self.begun_at:
            return None
        shut = self.passed < 0.02 * self.refused
        return 0.0 if shut else self.passed / (self.until - self.begun_at)


class Throttle:
    """Say when the next request may be sent; told of every answer and refusal. All times in seconds of one clock."""

    def __init__(self) -> None:
        self.rate: float | None = None
        """Requests a second the server is believed to take, at the last cut; None while it refused nothing."""
        self.refusals = 0
        self._sent = 0
        self._started: float | None = None
        self._next_at = 0.0
        self._window = float(_FIRST_WINDOW)
        self._round_trip_s = 0.0
        self._peak, self._since = 0.0, 0.0
        self._epoch = 0
        self._accepted, self._refused, self._first_answer_at = 0, 0, 0.0
        self._opened_at, self._passed = 0.0, 0
        self._ramping = False
        self._overload = _Overload()
        self._closed_until = 0.0
        self._probing, self._probe_is_out, self._gap_s = False, False, _FIRST_GAP_S
        self._last_refusal_at = 0.0
        self._left: float | None = None
        self._left_as_of = 0
        self._least_in_flight = 1.0

    def wait_s(self, now: float, in_flight: int) -> float:
        """Return how long to wait before the next request: 0 for none, infinity until something comes back."""
        if now < self._closed_until:
            return self._closed_until - now
        if in_flight and (self._probe_is_out or in_flight >= self._window):
            return math.inf
        if self.rate is None and self._left is not None and in_flight >= max(self._left, self._least_in_flight):
            return math.inf
        return max(0.0, self._next_at - now)

    def sent(self, now: float) -> Ticket:
        """Book one request."""
        if self._started is None:
            self._started = now
        self._next_at = max(self._next_at, now - _CATCH_UP_S) + 1 / self._rate_at(now)
        self._sent += 1
        self._probe_is_out = self._probing
        return Ticket(self._sent, self._epoch, now)

    def answered(
        self, ticket: Ticket, now: float, in_flight: int, *, left: float | None = None, reset_s: float | None = None
    ) -> None:
        """Book an answer (any but a refusal), with what is still in flight.

        `left` is how many more requests the server says it will take, `reset_s` in how many seconds it will take more.
        """
        seconds = now - ticket.sent_at
        self._round_trip_s += (seconds - self._round_trip_s) * (0.1 if self._round_trip_s else 1.0)
        if ticket.epoch != self._epoch:
            self._overload.saw(ticket, passed=True)
            return
        if self._probing:
            self._reopen(now)
        if not self._accepted:
            self._first_answer_at = now
        if not self._passed:
            self._opened_at = now
        self._accepted += 1
        self._passed += 1
        if self.rate is not None:
            self._window = max(_LEAST_WINDOW, 4 * self._rate_at(now) * self._round_trip_s)
        else:
            self._window += 1
            self._heed(ticket, now, in_flight, left, reset_s)

    def failed(self, ticket: Ticket) -> None:
        """Book a call that came to nothing for another reason."""
        if ticket.epoch == self._epoch:
            self._probe_is_out = False

    def refused(self, ticket: Ticket, now: float, retry_after_s: float | None) -> bool:
        """Book a 429; return whether it lowered the rate."""
        self.refusals += 1
        if ticket.epoch != self._epoch:
            self._overload.saw(ticket, passed=False)
            if self._probing and retry_after_s:
                self._closed_until = max(self._closed_until, now + retry_after_s)
            return False
        self._refused += 1
        self._last_refusal_at = now + (retry_after_s or 0.0)
        is_for_all = (retry_after_s or 0.0) >= _LONG_WAIT_S
        if self.rate is None:
            self._overload = _Overload(begun_at=ticket.sent_at, until=ticket.sent_at)
            self._cut(now)
            self._close(now, retry_after_s)
        elif not self._accepted:
            if not self._probing and self._refused < 2 and not is_for_all:
                return False
            self._peak = max(_SLOWEST, self._peak * (1.0 if self._probing else _CUT))
            self._resume_at(now)
            self._close(now, retry_after_s)
        elif is_for_all or self._is_too_fast(now):
            self._cut(now)
            if is_for_all:
                self._close(now, retry_after_s)
        else:
            return False
        return True

    def _is_too_fast(self, now: float) -> bool:
        """Whether this refusal comes of the rate. Below the rate last refused a few may come of anything."""
        asked = self._accepted + self._refused
        expected = _USUAL_SHARE * asked
        if asked >= _FEW_ASKED and self._refused > expected + 2 * math.sqrt(expected):
            return True
        return self._refused > 1 if self._ramping else self._rate_at(now) >= self._peak

    def _cut(self, now: float) -> None:
        current, span = self._rate_at(now), now - self._first_answer_at if self._accepted else 0.0
        if self.rate is None:
            self._ramping = span < 1.0  # too short to tell a rate from a burst
            self._peak = max(1.0, self._accepted / max(1.0, span))
        else:
            self._peak = max(_SLOWEST, current * self._accepted / (self._accepted + self._refused))
            self._ramping = False
        self._resume_at(now)
        self._next_at = now + min(_BREATH / self._rate_at(now), _LONGEST_BREATH_S)

    def _reopen(self, now: float) -> None:
        """Go on after a pause, at the rate that the pause has taught."""
        self._probing, self._gap_s = False, _FIRST_GAP_S
        seen = self._overload.rate()
        open_for = max(1.0, self._last_refusal_at - self._opened_at)
        over_all = self._passed / open_for
        if self._ramping and seen:
            self._ramping, self._peak = False, max(self._peak, seen)
        elif self._ramping and seen == 0:
            self._ramping, self._peak = False, max(_SLOWEST, over_all)  # a window of so many, and it is so long
        self._opened_at, self._passed = now, 0
        self._overload = _Overload()
        self._resume_at(now)

    def _resume_at(self, now: float) -> None:
        self.rate = self._peak * _CUT
        self._begin_cycle(now)

    def _heed(self, ticket: Ticket, now: float, in_flight: int, left: float | None, reset_s: float | None) -> None:
        """Have no more in flight than the server says it has room for, with a little more each time that went well.

        What is left was counted half a round trip ago, and a small bucket is refilled many times in one.
        """
        if left is None or ticket.number < self._left_as_of:
            return
        self._left, self._left_as_of = left, ticket.number
        if left >= 1:
            self._least_in_flight += 0.25 if left <= in_flight else 0.0
        elif reset_s is not None:  # some say when all is full again, which is later than needed
            self._closed_until = max(self._closed_until, now + min(reset_s, _LONG_WAIT_S))

    def _begin_cycle(self, now: float) -> None:
        self._probe_is_out = False
        self._since = now
        self._epoch += 1
        self._accepted = self._refused = 0

    def _close(self, now: float, retry_after_s: float | None) -> None:
        """Send nothing for a while, then one request to see whether the server takes any again."""
        self._probing = True
        self._closed_until = now + (self._gap_s if retry_after_s is None else retry_after_s)
        self._gap_s = min(_LONGEST_GAP_S, self._gap_s * _GAP_GROWTH)

    def _rate_at(self, now: float) -> float:
        if self.rate is None:
            ramp = min((now - (self._started or now)) / _DOUBLING_S, 10.0)
            return min(_FIRST_RATE * 2**ramp, _UNLIMITED_RATE)
        if self._ramping:
            doubling_s = max(_DOUBLING_AGAIN_S, 4 * self._round_trip_s)
            return min(self.rate * 2 ** min((now - self._since) / doubling_s, 20.0), _UNLIMITED_RATE)
        late = now - self._since - _BACK_S
        return min(self._peak * (1 + _GROWTH * late**3), _UNLIMITED_RATE)

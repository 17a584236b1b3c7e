"""How fast a server lets itself be asked: learnt from what it refuses, with no clock and no socket of its own.

Until the first refusal the pace doubles every tenth of a second, and each answer allows three more in flight: a server
without limits is soon full, and one with a limit refuses about what is in flight when news of it comes. Then nothing
is sent until that news is complete (one trip of a refusal). What passed amid the refusals is the rate; or else single
requests, ever further apart, find when the server opens again (Retry-After says it), and what passed before is the rate
(`overload` has the arithmetic). A refusal so early that nothing can be told (others share the limit) begins a second,
slower ramp. The *rate* is what is learnt and kept, not a number in flight, which would follow every swing of latency.

From then on the rate follows the curve of RFC 9438 (CUBIC): a little below the rate that was refused, back to it fast,
long near it, carefully and then ever faster beyond it. So a limit costs a few refusals every few seconds, and a limit
that is raised is found within about ten.

Deviations from the RFC: it is a rate that follows the curve. The cut is 2 % (a limit is sharp, a congested link is not)
below a plateau 1 % under the refused rate, and beyond the plateau C is about a third. Where the share that passed, or
what passed amid refusals, says that the limit lies lower, the plateau goes there at once; refusals of requests sent
before a cut count only as such shares. Refusals in a row are a server that is shut, and it is waited for as at first.
Below the plateau up to a twentieth may be refused for other reasons (a burst after a stall, a server's mood) without a
cut, and a cut that did not help is not repeated.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from askwell.models.wrappers.refusal_stats import Evidence, unusual

_FIRST_BURST, _FIRST_RATE, _DOUBLING_S = 10, 500.0, 0.1  # the ramp before anything was refused
_DOUBLING_AGAIN_S = 0.5  # after a refusal so early that the rate is hardly known
_FIRST_WINDOW, _WINDOW_GROWTH = 128.0, 3.0
_UNLIMITED_RATE = 100_000.0
_LEAST_WINDOW = 16.0  # once the rate is known it is the rate that counts; this bounds a server that stalls
_CATCH_UP_S = 0.05  # a timer that fired late may be made up for by this much
_CUT = 0.98  # where a cycle begins, of its plateau
_PLATEAU = 0.99  # of the rate that was refused
_GROWTH = 0.00375  # CUBIC's C, in shares of the rate a second cubed: the plateau is reached again in 1.7 s
_BEYOND = 0.35  # of C, above the plateau
_FEW_ASKED = 20  # of fewer a share tells nothing
_LITTLE, _HELPED = 0.01, 0.75  # a share of refusals that is none; one that fell less than to this did not fall
_ROW, _SHORT_ROW, _ROW_S = 20, 5, 0.1  # refusals in a row that mean shut: a tenth of a second's, within bounds
_SLOWEST = 0.02  # requests a second
_LONG_WAIT_S = 2.0  # a server that asks for so much means all of us, not one request too many
_SETTLE_S = 0.01  # by how much news of a request may be later than that of the one before
_FIRST_GAP_S, _GAP_SHARE = 0.05, 0.15  # between single requests to a shut server, of how long it is shut


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request on its way."""

    number: int
    epoch: int
    sent_at: float


class RateController:
    """Say when the next request may be sent; told of every answer and refusal. All times in seconds of one clock."""

    def __init__(self) -> None:
        self.rate: float | None = None
        """Requests a second the server is believed to take, at the last cut; None while it refused nothing."""
        self.refusals = 0
        self._sent = 0
        self._started = self._next_at = -math.inf
        self._window = _FIRST_WINDOW
        self._round_trip_s, self._refusal_trip_s = 0.0, 0.0
        self._evidence = Evidence()
        self._plateau, self._since, self._back_s = 0.0, 0.0, 0.0
        self._epoch, self._accepted, self._refused = 0, 0, 0
        self._asked_rate, self._share = 0.0, 0.0
        self._is_shut, self._is_ramping = False, False
        self._closed_until = -math.inf
        self._probes: deque[Ticket] = deque()
        self._left: float | None = None
        self._left_as_of = 0
        self._least_in_flight = 1.0

    def wait_s(self, now: float, in_flight: int) -> float:
        """Return how long to wait before the next request: 0 for none, infinity until something comes back."""
        if now < self._closed_until:
            return self._closed_until - now
        if in_flight and in_flight >= self._window:
            return math.inf
        if self.rate is None and self._left is not None and in_flight >= max(self._left, self._least_in_flight):
            return math.inf
        return 0.0 if self._is_shut else max(0.0, self._next_at - now)

    def sent(self, now: float) -> Ticket:
        """Book one request."""
        if not self._sent:
            self._started, self._next_at = now, now - _FIRST_BURST / _FIRST_RATE
        if self._is_shut and self._evidence.rate_amid() is not None:
            self._reopen(now, now)
        if self._is_shut and self._probes and now >= self._probes[0].sent_at + 2 * self._refusal_trip_s:
            self._reopen(now, self._probes[0].sent_at)  # it would have been refused by now; answers may take longer
        self._sent += 1
        ticket = Ticket(self._sent, self._epoch, now)
        if self._is_shut:
            self._probes.append(ticket)
            shut_s = now - self._evidence.overload.first_at
            self._closed_until = now + max(_FIRST_GAP_S, _GAP_SHARE * shut_s)
        self._next_at = max(self._next_at, now - _CATCH_UP_S) + 1 / self._rate_at(now)
        self._evidence.sent(now)
        return ticket

    def answered(
        self, ticket: Ticket, now: float, in_flight: int, *, left: float | None = None, reset_s: float | None = None
    ) -> None:
        """Book an answer (any but a refusal), with what is still in flight.

        `left` is how many more requests the server says it will take, `reset_s` in how many seconds it will take more.
        """
        seconds = now - ticket.sent_at
        self._round_trip_s += (seconds - self._round_trip_s) * (0.1 if self._round_trip_s else 1.0)
        if self._probes and ticket.number > self._evidence.overload.last:
            self._reopen(now, ticket.sent_at)
        self._accepted += ticket.epoch == self._epoch
        if self.rate is not None:
            self._window = max(_LEAST_WINDOW, 4 * self._rate_at(now) * self._round_trip_s)
        else:
            self._window += _WINDOW_GROWTH
            self._heed(ticket, now, in_flight, left, reset_s)

    def failed(self, ticket: Ticket) -> None:
        """Book a call that came to nothing for another reason."""
        if ticket in self._probes:
            self._probes.remove(ticket)

    def refused(self, ticket: Ticket, now: float, retry_after_s: float | None) -> bool:
        """Book a 429; return whether it lowered the rate."""
        self.refusals += 1
        self._refused += ticket.epoch == self._epoch
        self._refusal_trip_s = max(now - ticket.sent_at, 0.9 * self._refusal_trip_s)
        self._evidence.refused(ticket.number, ticket.sent_at, retry_after_s, is_shut=self._is_shut)
        until = _open_again(ticket, now, retry_after_s or 0.0)
        if self._is_shut:
            while self._probes and self._probes[0].number <= ticket.number:
                self._probes.popleft()
            self._closed_until = max(self._closed_until, until)
            return False
        if self.rate is None:
            self._begin(now, max(1.0, self._evidence.slots.between(now - 1.0, ticket.sent_at)[1]))
            self._shut(max(until, now + self._refusal_trip_s + _SETTLE_S))
            return True
        if until >= now + _LONG_WAIT_S or self._is_a_row():
            self._shut(until)
            return False
        return self._learn(ticket, now)

    def _is_a_row(self) -> bool:
        row = min(_ROW, max(_SHORT_ROW, _ROW_S * (self.rate or 0.0)))
        return self._evidence.overload.is_whole and self._evidence.overload.refused >= row

    def _learn(self, ticket: Ticket, now: float) -> bool:
        """Cut the rate where this refusal comes of it, to what is known to pass."""
        rate, asked = self._rate_at(now), self._accepted + self._refused
        is_unusual = asked >= _FEW_ASKED and unusual(self._refused, asked)
        is_cut = ticket.epoch == self._epoch and (self._is_ramping or rate >= self._plateau or is_unusual)
        if is_cut:
            self._asked_rate, before, self._share = rate, self._share, self._refused / asked
            if not is_unusual and self._share > max(_LITTLE, _HELPED * before) and before > _LITTLE:
                self._asked_rate = 0.0
                self._begin(now, rate / _CUT)  # the last cut did not help: these refusals do not come of the rate
                return False
        passing = self._evidence.rate_amid()
        if passing is None and self._asked_rate:
            passing = self._evidence.rate_until(ticket.sent_at, self._asked_rate)
        plateau = min(_PLATEAU * rate if is_cut else self._plateau, math.inf if passing is None else passing)
        if not is_cut and (plateau >= self._plateau or plateau >= rate):
            self._plateau = min(plateau, self._plateau)
            return False
        self._begin(now, plateau)
        return True

    def _shut(self, until: float) -> None:
        """Send nothing until then, then single requests to see whether the server takes any again."""
        self._is_shut = True
        self._closed_until = max(self._closed_until, until)

    def _reopen(self, now: float, passed_at: float) -> None:
        """Go on after a pause, at the rate that it has taught."""
        is_first, is_thin = not self._evidence.pauses, self._evidence.is_thin
        likely, most = self._evidence.reopened(passed_at)
        bound = math.inf if is_first else self._rate_at(now)
        self._is_shut, self._asked_rate = False, 0.0
        self._probes.clear()
        least = 1.0 if is_first else 0.0
        self._begin(now, max(least, min(bound, likely)), min(bound, most))
        self._is_ramping = is_first and is_thin
        self._closed_until = self._next_at = now

    def _begin(self, now: float, rate: float, plateau: float = 0.0) -> None:
        """Begin a cycle a little below this rate, and go back to it, or to a higher plateau."""
        self.rate = max(_SLOWEST, rate * _CUT)
        self._plateau = max(plateau, self.rate / _CUT)
        self._back_s = ((1 - self.rate / self._plateau) / _GROWTH) ** (1 / 3)
        self._since, self._is_ramping = now, False
        self._epoch += 1
        self._accepted = self._refused = 0

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

    def _rate_at(self, now: float) -> float:
        if self.rate is None:
            return min(_FIRST_RATE * 2 ** min((now - self._started) / _DOUBLING_S, 10.0), _UNLIMITED_RATE)
        if self._is_ramping:
            doublings = (now - self._since) / max(_DOUBLING_AGAIN_S, 4 * self._round_trip_s)
            return min(self.rate * 2 ** min(doublings, 20.0), _UNLIMITED_RATE)
        late = now - self._since - self._back_s
        growth = _GROWTH if late < 0 else _GROWTH * _BEYOND
        return min(self._plateau * (1 + growth * late**3), _UNLIMITED_RATE)


def _open_again(ticket: Ticket, now: float, wait_s: float) -> float:
    """Return when to ask again: a short wait was told when the request came, and is over when the next one comes."""
    return now + wait_s if wait_s >= _LONG_WAIT_S else max(now, ticket.sent_at + wait_s + _SETTLE_S)

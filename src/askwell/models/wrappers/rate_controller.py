"""Learn from refusals how fast a server may be called. No clock and no socket: time is an argument.

**Ramp-up.** Until the first refusal the rate doubles every tenth of a second, and each reply allows three more requests
in flight. A server without limits is soon fully used. A server with a limit refuses about as many requests as are in
flight when the first refusal arrives.

**Pause.** After the first refusal nothing is sent until the fate of all requests in flight is known (one refusal's
round trip). If some requests were accepted amid the refusals, their rate is the server's. Otherwise single requests
(probes), ever further apart, find when the server reopens (Retry-After tells it), and what was accepted before gives
the rate. `refusal_stats` has the arithmetic. A refusal too early for an estimate (other clients share the limit) starts
a second, slower ramp-up. What is learnt and kept is a *rate*, not a number in flight: the latter would follow every
change of latency.

**Cycles.** From then on the rate follows the curve of RFC 9438 (CUBIC): it starts a little below the rate that was
refused, returns to it fast, stays near it for long, then grows carefully and ever faster. So a limit costs a few
refusals every few seconds, and a raised limit is found within about ten seconds.

Deviations from the RFC:

* The curve governs a rate, not a window.
* The cut is 2 % (a rate limit is sharp, a congested link is not) below a plateau 1 % under the refused rate.
* Beyond the plateau, C is about a third.
* If the accepted share, or what was accepted amid refusals, says that the limit is lower, the plateau moves there at
  once. Refusals of requests sent before a cut count only towards such shares.
* Refusals in a row mean that the server is closed: a pause follows, as at first.
* Below the plateau, up to a twentieth may be refused for other reasons (a burst after a stall, an overloaded replica)
  without a cut, and a cut that did not help is not repeated.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from askwell.models.wrappers.refusal_stats import RefusalStats, exceeds_background

# Ramp-up. Ten requests at once are below the burst of any known limit; 500 per second with a doubling every 0.1 s
# fill 512 requests in flight within 0.4 s, while one round trip of too many requests stays small.
_FIRST_BURST, _FIRST_RATE, _DOUBLING_S = 10, 500.0, 0.1
# The second ramp-up starts with little evidence about the rate, so it has to leave time for refusals to arrive.
_SECOND_DOUBLING_S = 0.5
# In flight during the ramp-up. Growth with each reply bounds what is sent to a slow server, at any latency.
_FIRST_WINDOW, _WINDOW_GROWTH = 128.0, 3.0
_MAX_RATE = 100_000.0
# Once the rate is known it decides; the window only bounds what piles up at a server that stalls.
_MIN_WINDOW = 16.0
# A timer that fired late may send what it missed, up to this much. More would be a burst that a limiter refuses.
_MAX_CATCH_UP_S = 0.05

# Cycles. A limit is sharp, so a small cut is enough; deeper ones waste the limit, as the rate is low for longer.
_CUT = 0.98  # the rate after a cut, of the plateau
_PLATEAU = 0.99  # the plateau, of the rate that was refused
_GROWTH = (
    0.00375  # CUBIC's C, relative to the rate, per cubed second: back at the plateau after (0.02 / C)^(1/3) = 1.7 s
)
_GROWTH_BEYOND = 0.35  # of C above the plateau: each step there is likely to be refused

# When a refusal counts.
_MIN_REQUESTS = 20  # the refused share of fewer requests is mostly chance
_NEGLIGIBLE_SHARE = 0.01  # a refused share that is no reason to ask whether a cut helped
_HELPFUL_RATIO = 0.75  # a cut helped if it lowered the refused share to less than this part of it
# Refusals in a row that mean a closed server: as many as are sent in a tenth of a second, within bounds.
_MAX_ROW, _MIN_ROW, _ROW_S = 20, 5, 0.1

# Pauses.
_MIN_RATE = 0.02  # requests per second: one every 50 s still notices that a server recovers
_LONG_WAIT_S = 2.0  # a Retry-After this long concerns all requests, not the one that was too many
_SETTLE_S = 0.01  # two refusals of requests sent together may arrive this far apart
# Between probes: a share of how long the server has been closed, so that few are sent however long it takes, and the
# error of the measured pause stays in proportion.
_MIN_PROBE_GAP_S, _PROBE_GAP_SHARE = 0.05, 0.15


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request in flight."""

    number: int
    """Requests are numbered in the order sent, from 1."""
    cycle: int
    """The cycle it was sent in: only its own cycle's rate is to blame for a refusal."""
    sent_at: float


class RateController:
    """Decide when the next request may be sent, from every reply and refusal. All times are seconds of one clock."""

    def __init__(self) -> None:
        self.rate: float | None = None
        """Requests per second that the server is believed to accept, at the last cut; None before the first refusal."""
        self.refusals = 0
        self._sent = 0
        self._started = self._next_at = -math.inf
        self._window = _FIRST_WINDOW
        self._round_trip_s, self._refusal_trip_s = 0.0, 0.0
        self._stats = RefusalStats()
        # The cycle: its plateau, its start, and CUBIC's K, the seconds from the start back to the plateau.
        self._plateau, self._cycle_start, self._recovery_s = 0.0, 0.0, 0.0
        self._cycle, self._accepted, self._refused = 0, 0, 0
        # At the last cut: the rate then requested (0: unknown), and the share then refused.
        self._requested_rate, self._refused_share = 0.0, 0.0
        self._is_paused, self._is_ramping = False, False
        self._paused_until = -math.inf
        self._probes: deque[SentRequest] = deque()
        # What the server says in its headers: how many more requests it accepts.
        self._remaining: float | None = None
        self._remaining_as_of = 0
        self._min_in_flight = 1.0

    def wait_s(self, now: float, in_flight: int) -> float:
        """Return how long to wait before the next request: 0 for not at all, infinity until a reply arrives."""
        if now < self._paused_until:
            return self._paused_until - now
        if in_flight and in_flight >= self._window:
            return math.inf
        # The headers count only while no rate is known: a measured rate is more exact, and needs no idle round trips.
        if self.rate is None and self._remaining is not None and in_flight >= max(self._remaining, self._min_in_flight):
            return math.inf
        return 0.0 if self._is_paused else max(0.0, self._next_at - now)

    def record_sent(self, now: float) -> SentRequest:
        if not self._sent:
            self._started, self._next_at = now, now - _FIRST_BURST / _FIRST_RATE
        # End the pause before this request is numbered: it belongs to the new cycle, and its rate spaces the next one.
        if self._is_paused and self._stats.rate_amid_refusals() is not None:
            self._resume(now, now)
        # A probe not refused within twice a refusal's trip was accepted; its answer may take much longer to generate.
        if self._is_paused and self._probes and now >= self._probes[0].sent_at + 2 * self._refusal_trip_s:
            self._resume(now, self._probes[0].sent_at)
        self._sent += 1
        request = SentRequest(self._sent, self._cycle, now)
        if self._is_paused:
            self._probes.append(request)
            closed_s = now - self._stats.burst.first_at
            self._paused_until = now + max(_MIN_PROBE_GAP_S, _PROBE_GAP_SHARE * closed_s)
        # From the planned time, not from now: the average rate holds although timers fire late.
        self._next_at = max(self._next_at, now - _MAX_CATCH_UP_S) + 1 / self._rate_at(now)
        self._stats.record_sent(now)
        return request

    def record_reply(
        self,
        request: SentRequest,
        now: float,
        in_flight: int,
        *,
        remaining: float | None = None,
        reset_s: float | None = None,
    ) -> None:
        """Record any reply but a refusal, with the number of requests still in flight.

        `remaining` is how many more requests the server says it accepts, `reset_s` in how many seconds it accepts more.
        """
        seconds = now - request.sent_at
        # A moving average of about ten replies; the first reply is taken as it is.
        self._round_trip_s += (seconds - self._round_trip_s) * (0.1 if self._round_trip_s else 1.0)
        if self._probes and request.number > self._stats.burst.last:
            self._resume(now, request.sent_at)
        self._accepted += request.cycle == self._cycle
        if self.rate is not None:
            # Little's law with a factor of 4, so that the window never binds while the server answers as usual.
            self._window = max(_MIN_WINDOW, 4 * self._rate_at(now) * self._round_trip_s)
        else:
            self._window += _WINDOW_GROWTH
            self._apply_quota(request, now, in_flight, remaining, reset_s)

    def record_failure(self, request: SentRequest) -> None:
        """Record a call that failed for a reason other than the rate: as a probe it says nothing."""
        if request in self._probes:
            self._probes.remove(request)

    def record_refusal(self, request: SentRequest, now: float, retry_after_s: float | None) -> bool:
        """Record a 429; return whether it lowered the rate."""
        self.refusals += 1
        self._refused += request.cycle == self._cycle
        # Nearly the longest trip of late: a pause has to outlast the slowest refusal, and forget an outlier in time.
        self._refusal_trip_s = max(now - request.sent_at, 0.9 * self._refusal_trip_s)
        self._stats.record_refused(request.number, request.sent_at, retry_after_s, is_paused=self._is_paused)
        until = _retry_at(request, now, retry_after_s or 0.0)
        if self._is_paused:
            # The server was still closed when this probe arrived, and so for all probes before it.
            while self._probes and self._probes[0].number <= request.number:
                self._probes.popleft()
            self._paused_until = max(self._paused_until, until)
            return False
        if self.rate is None:
            self._start_cycle(now, max(1.0, self._stats.histogram.count_between(now - 1.0, request.sent_at)[1]))
            self._pause(max(until, now + self._refusal_trip_s + _SETTLE_S))
            return True
        if until >= now + _LONG_WAIT_S or self._is_closed():
            self._pause(until)
            return False
        return self._adjust_rate(request, now)

    def _is_closed(self) -> bool:
        """Return whether so many requests in a row were refused that the server accepts none."""
        row = min(_MAX_ROW, max(_MIN_ROW, _ROW_S * (self.rate or 0.0)))
        return self._stats.burst.is_total and self._stats.burst.refused >= row

    def _adjust_rate(self, request: SentRequest, now: float) -> bool:
        """Cut the rate to what is known to be accepted, if the rate caused this refusal; return whether it did."""
        rate, total = self._rate_at(now), self._accepted + self._refused
        is_unusual = total >= _MIN_REQUESTS and exceeds_background(self._refused, total)
        is_cut = request.cycle == self._cycle and (self._is_ramping or rate >= self._plateau or is_unusual)
        if is_cut:
            self._requested_rate, before = rate, self._refused_share
            self._refused_share = self._refused / total
            if (
                not is_unusual
                and self._refused_share > max(_NEGLIGIBLE_SHARE, _HELPFUL_RATIO * before)
                and before > _NEGLIGIBLE_SHARE
            ):
                # The last cut did not help, so the rate does not cause these refusals. Keep the rate:
                # the division undoes the cut of `_start_cycle`.
                self._requested_rate = 0.0
                self._start_cycle(now, rate / _CUT)
                return False
        # The evidence may put the limit lower than this cut would: then one large cut replaces many small ones.
        accepted_rate = self._stats.rate_amid_refusals()
        if accepted_rate is None and self._requested_rate:
            accepted_rate = self._stats.rate_before(request.sent_at, self._requested_rate)
        plateau = min(
            _PLATEAU * rate if is_cut else self._plateau, math.inf if accepted_rate is None else accepted_rate
        )
        # A refusal that this cycle's rate did not cause starts no new cycle, unless the rate is above the evidence.
        if not is_cut and (plateau >= self._plateau or plateau >= rate):
            self._plateau = min(plateau, self._plateau)
            return False
        self._start_cycle(now, plateau)
        return True

    def _pause(self, until: float) -> None:
        """Send nothing until then, then single requests to see whether the server accepts any again."""
        self._is_paused = True
        self._paused_until = max(self._paused_until, until)

    def _resume(self, now: float, accepted_at: float) -> None:
        """End a pause, at the rate that it revealed."""
        is_first, is_thin = not self._stats.pauses, self._stats.is_thin
        likely, highest = self._stats.estimate_after_pause(accepted_at)
        # A pause may lower a rate that was learnt with care, never raise it: raising is the curve's job.
        bound = math.inf if is_first else self._rate_at(now)
        self._is_paused, self._requested_rate = False, 0.0
        self._probes.clear()
        lowest = 1.0 if is_first else 0.0
        self._start_cycle(now, max(lowest, min(bound, likely)), min(bound, highest))
        # After `_start_cycle`, which ends a ramp-up.
        self._is_ramping = is_first and is_thin
        self._paused_until = self._next_at = now

    def _start_cycle(self, now: float, rate: float, plateau: float = 0.0) -> None:
        """Continue a little below `rate`, and return to it, or to a higher `plateau`."""
        self.rate = max(_MIN_RATE, rate * _CUT)
        self._plateau = max(plateau, self.rate / _CUT)
        self._recovery_s = ((1 - self.rate / self._plateau) / _GROWTH) ** (1 / 3)  # RFC 9438, equation 2
        self._cycle_start, self._is_ramping = now, False
        self._cycle += 1
        self._accepted = self._refused = 0

    def _apply_quota(
        self, request: SentRequest, now: float, in_flight: int, remaining: float | None, reset_s: float | None
    ) -> None:
        """Keep no more in flight than the server says it accepts, and a little more each time that this went well.

        `remaining` was counted half a round trip ago, and a small token bucket is refilled many times in one: to obey
        it exactly would waste most of the limit.
        """
        if remaining is None or request.number < self._remaining_as_of:
            return
        self._remaining, self._remaining_as_of = remaining, request.number
        if remaining >= 1:
            self._min_in_flight += 0.25 if remaining <= in_flight else 0.0
        elif reset_s is not None:
            # Some servers give the time until all is refilled, which is later than needed.
            self._paused_until = max(self._paused_until, now + min(reset_s, _LONG_WAIT_S))

    def _rate_at(self, now: float) -> float:
        # The exponents are bounded only so that a long idle time can't overflow a float.
        if self.rate is None:
            return min(_FIRST_RATE * 2 ** min((now - self._started) / _DOUBLING_S, 10.0), _MAX_RATE)
        if self._is_ramping:
            # No faster than refusals arrive: four round trips for a doubling.
            doublings = (now - self._cycle_start) / max(_SECOND_DOUBLING_S, 4 * self._round_trip_s)
            return min(self.rate * 2 ** min(doublings, 20.0), _MAX_RATE)
        late_s = now - self._cycle_start - self._recovery_s
        growth = _GROWTH if late_s < 0 else _GROWTH * _GROWTH_BEYOND
        return min(self._plateau * (1 + growth * late_s**3), _MAX_RATE)  # RFC 9438, equation 1


def _retry_at(request: SentRequest, now: float, wait_s: float) -> float:
    """Return when to send again.

    The server computed a short wait when the request arrived, and the next request needs as long to arrive: so it is
    counted from when the refused one was sent. A long wait is counted from now, to be safe.
    """
    return now + wait_s if wait_s >= _LONG_WAIT_S else max(now, request.sent_at + wait_s + _SETTLE_S)

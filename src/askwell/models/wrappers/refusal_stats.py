"""Estimate a server's rate limit from its refusals, ordered by when requests were sent, not by when replies arrived.

A server decides on requests in the order they arrive. Its replies come back later and in any order: a refusal often
long before a reply with text. So a request counts as accepted from the moment it is sent until it is refused.

Two kinds of limiters leave different traces:

* A token bucket accepts some requests between refusals. Its rate is the number of requests accepted between the first
  and the last refusal, divided by that time.
* A window counter refuses everything until its window ends. Its rate is the number of requests accepted in the second
  before it reopened, or in the whole time since it reopened before, if it was closed for longer than a second.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

# A hundredth of a second is finer than any limiter's window. 400 bins are 4 s: two windows of the commonest length,
# and the news of their refusals. The bound keeps memory and the sums over all bins constant.
_BIN_S = 0.01
_MAX_BINS = 400

# Servers refuse some requests for other reasons: a burst after a stall, an overloaded replica.
_BACKGROUND_SHARE = 0.05

# With less evidence than this, another client may have used the limit up before us.
_MIN_REQUESTS, _MIN_OPEN_S = 30, 0.15

_WINDOW_S = 1.0  # the commonest window of limiters

# If fewer were accepted than this share of the refused, the limiter is a closed window, not a token bucket.
_CLOSED_SHARE = 0.1

# A rate measured amid refusals needs this much evidence: the ragged end of a window also mixes both kinds of replies.
_MIN_ACCEPTED, _MIN_BURST_S, _MIN_ACCEPTED_SHARE = 8, 0.1, 1 / 3

# The first time, there is no better estimate to protect, so weaker evidence counts.
_FIRST_MIN_ACCEPTED, _FIRST_MIN_ACCEPTED_SHARE = 4, 1 / 12

# To test whether requests were accepted until the end of a burst, the last refused numbers suffice.
_MAX_NUMBERS, _MIN_LATE_SHARE = 500, 1 / 4

# Refusals further apart than both the time and the number of requests belong to different bursts. Both are needed: at a
# low rate two neighbouring requests are far apart in time, at a high rate in number.
_BURST_GAP_S, _BURST_GAP_REQUESTS = 0.1, 10

# If the second before last accepted this many times more than the last one, the window is longer than a second: the
# first of its seconds took the most.
_LONG_WINDOW_RATIO = 1.5

# A shorter pause than this, after fewer refusals, is no used-up window: one that ends this soon would be a coincidence.
_BRIEF_PAUSE_S, _FEW_REFUSALS = 0.05, 5


@dataclass(slots=True)
class RequestHistogram:
    """Count the requests sent, and of those the refused, in bins of a hundredth of a second."""

    sent: dict[int, int] = field(default_factory=dict[int, int])
    refused: dict[int, int] = field(default_factory=dict[int, int])

    def record_sent(self, now: float) -> None:
        index = int(now / _BIN_S)
        self.sent[index] = self.sent.get(index, 0) + 1
        if len(self.sent) > _MAX_BINS:
            # Half at once, so that the cost of dropping bins is spread over many requests.
            for old in list(self.sent)[: _MAX_BINS // 2]:
                del self.sent[old]
                self.refused.pop(old, None)

    def record_refused(self, sent_at: float) -> None:
        index = int(sent_at / _BIN_S)
        if index in self.sent:
            self.refused[index] = self.refused.get(index, 0) + 1

    def count_between(self, begin: float, end: float) -> tuple[int, int]:
        """Return the number of requests sent in [begin, end), and how many of them were accepted."""
        indices = [index for index in self.sent if begin <= index * _BIN_S < end]
        sent = sum(self.sent[index] for index in indices)
        return sent, sent - sum(self.refused.get(index, 0) for index in indices)

    def first_accepted_after(self, begin: float) -> float:
        """Return when the first accepted request after `begin` was sent; infinity if there is none."""
        indices = (index for index, sent in self.sent.items() if sent > self.refused.get(index, 0))
        return min((index for index in indices if index * _BIN_S >= begin), default=math.inf) * _BIN_S


@dataclass(slots=True)
class RefusalBurst:
    """The latest run of refusals, with what was accepted in between. Requests are numbered in the order sent."""

    first: int = -1
    """Number of the first refused request; -1 before any refusal."""
    last: int = -1
    first_at: float = -math.inf
    """When the first refused request was sent."""
    last_at: float = -math.inf
    refused: int = 0
    numbers: deque[int] = field(default_factory=lambda: deque[int](maxlen=_MAX_NUMBERS))
    """Numbers of the latest refused requests."""
    retry_at: float = math.inf
    """When the server accepts requests again, by its latest Retry-After."""

    def record_refused(
        self, number: int, sent_at: float, retry_after_s: float | None, *, continues_pause: bool
    ) -> None:
        is_apart = number > self.last + _BURST_GAP_REQUESTS and sent_at > self.last_at + _BURST_GAP_S
        if self.first < 0 or (is_apart and not continues_pause):
            self.first, self.first_at, self.refused, self.retry_at = number, sent_at, 0, math.inf
            self.numbers.clear()
        # Refusals arrive out of order, so either end of the burst may move.
        if number < self.first:
            self.first, self.first_at = number, sent_at
        if number > self.last:
            self.last, self.last_at = number, sent_at
        self.refused += 1
        self.numbers.append(number)
        if retry_after_s is not None:
            self.retry_at = sent_at + retry_after_s

    @property
    def accepted(self) -> int:
        return self.last - self.first + 1 - self.refused

    @property
    def is_total(self) -> bool:
        """Whether (nearly) every request was refused."""
        return self.accepted < _CLOSED_SHARE * self.refused

    def accepted_rate(self, *, is_first: bool) -> float | None:
        """Return the requests per second accepted amid the refusals; None if the evidence is too weak."""
        seconds, share = self.last_at - self.first_at, self.accepted / (self.accepted + self.refused)
        if is_first:
            is_reliable = seconds > 0 and self.accepted >= _FIRST_MIN_ACCEPTED and share >= _FIRST_MIN_ACCEPTED_SHARE
        else:
            is_reliable = seconds >= _MIN_BURST_S and self.accepted >= _MIN_ACCEPTED and share >= _MIN_ACCEPTED_SHARE
            # Four deviations: a wrong estimate replaces a good one, while a missed one only costs another cut.
            is_reliable = is_reliable and exceeds_background(self.refused, self.accepted + self.refused, deviations=4)
        return self.accepted / seconds if is_reliable and self._lasted() else None

    def _lasted(self) -> bool:
        """Return whether requests were accepted until the end of the burst.

        At the end of a window, requests that overtake others on the network are accepted amid the first refusals only.
        """
        if self.refused > _MAX_NUMBERS:
            return True
        middle = (self.first + self.last) // 2
        accepted = self.last - middle - sum(number > middle for number in self.numbers)
        return accepted >= _MIN_LATE_SHARE * self.accepted


@dataclass(slots=True)
class RefusalStats:
    """All evidence about which requests were accepted and which were refused."""

    histogram: RequestHistogram = field(default_factory=RequestHistogram)
    burst: RefusalBurst = field(default_factory=RefusalBurst)
    opened_at: float = -math.inf
    """When the server last began to accept requests; minus infinity before the first request."""
    accepted: int = 0
    """Requests accepted since `opened_at`."""
    cycle_began_at: float = -math.inf
    """When the first request at the present rate was sent."""
    pauses: int = 0

    @property
    def is_thin(self) -> bool:
        """Whether the server refused before it had accepted enough requests to estimate a rate."""
        seconds = self.burst.first_at - self.opened_at
        return self.rate_amid_refusals() is None and (self.accepted < _MIN_REQUESTS or seconds < _MIN_OPEN_S)

    def record_sent(self, now: float) -> None:
        if self.opened_at == -math.inf:
            self.opened_at = now
        self.accepted += 1
        self.histogram.record_sent(now)

    def record_refused(self, number: int, sent_at: float, retry_after_s: float | None, *, is_paused: bool) -> None:
        """Record that request `number` was refused. A refusal during a pause always joins the latest burst."""
        self.histogram.record_refused(sent_at)
        self.accepted -= sent_at >= self.opened_at
        self.burst.record_refused(number, sent_at, retry_after_s, continues_pause=is_paused)

    def rate_amid_refusals(self) -> float | None:
        """Return the requests per second accepted amid the latest refusals; None if the evidence is too weak."""
        return self.burst.accepted_rate(is_first=not self.pauses)

    def rate_before(self, sent_at: float, requested_rate: float) -> float:
        """Return the requested rate times the share accepted in the second before a refused request was sent."""
        seconds = max(_WINDOW_S, 30 / requested_rate)  # at least 30 requests: the share of fewer is mostly chance
        sent, accepted = self.histogram.count_between(max(self.cycle_began_at, sent_at - seconds), sent_at)
        return requested_rate * accepted / sent if sent else requested_rate

    def estimate_after_pause(self, accepted_at: float) -> tuple[float, float]:
        """Record that a request sent at `accepted_at` ended a pause; return (likely rate, highest possible rate)."""
        amid, is_first = self.rate_amid_refusals(), not self.pauses
        self.pauses += 1
        self.cycle_began_at = accepted_at
        if amid is not None:
            return amid, amid
        earliest = self.burst.last_at
        latest = min(accepted_at, self.histogram.first_accepted_after(earliest))
        if self.burst.retry_at < math.inf:
            # The server's own word, but never outside what was observed: clocks and roundings differ.
            earliest = latest = max(earliest, min(self.burst.retry_at, latest))
        reopened_at = (earliest + latest) / 2
        after = self.histogram.count_between(reopened_at, math.inf)[1]
        self.accepted -= after
        rates = self._rates(reopened_at, earliest, is_first=is_first)
        self.opened_at = self.cycle_began_at = reopened_at
        self.accepted = after
        return rates

    def _rates(self, reopened_at: float, earliest: float, *, is_first: bool) -> tuple[float, float]:
        closed_s, open_s = reopened_at - self.burst.first_at, reopened_at - self.opened_at
        if is_first and closed_s < _BRIEF_PAUSE_S and self.burst.refused < _FEW_REFUSALS:
            return self.accepted / open_s, self.accepted / open_s
        overall = self.accepted / max(_WINDOW_S, open_s)
        if closed_s >= _WINDOW_S:
            return overall, overall
        likely = self._accepted_rate_before(reopened_at)
        before = self._accepted_rate_before(reopened_at - _WINDOW_S)
        if is_first and before > _LONG_WINDOW_RATIO * likely:
            return overall, overall
        highest = self._accepted_rate_before(earliest)
        # The first time, requests came in a burst, which may span two windows: take the lower rate. Later they come
        # evenly, and a stall of ours can only make the measured rate too low: take the higher one.
        if is_first:
            return min(overall, likely), min(overall, highest)
        return max(overall, likely), max(overall, highest)

    def _accepted_rate_before(self, moment: float) -> float:
        return self.histogram.count_between(moment - _WINDOW_S, moment)[1] / _WINDOW_S


def exceeds_background(refused: int, total: int, *, deviations: float = 2.0) -> bool:
    """Return whether clearly more were refused than the twentieth that may have reasons other than the rate."""
    expected = _BACKGROUND_SHARE * total
    return refused > expected + deviations * math.sqrt(expected)

"""What a server's refusals say about its rate: counted by when requests were sent, not by when news of them came.

A limiter decides on requests in the order they come; the news of it comes back later and in any order, a refusal often
long before an answer. So a request counts as passed from when it is sent until it is refused.

Two kinds of limiter show themselves. One lets some pass amid refusals (a bucket that is refilled): what passed between
the first and the last refusal is its rate. The other is shut for a while (a window that is used up): its rate is what
passed in the second before it opened again, or in the whole time since it opened before, where it was shut for longer.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

_SLOT_S = 0.01
_KEPT_SLOTS = 400
_USUAL_SHARE = 0.05
_FEW_AT_ALL, _LITTLE_TIME_S = 30, 0.15  # less tells nothing: others may have used the limit up
_SECOND = 1.0  # the commonest window
_WHOLE_SHARE = 0.1  # where less than this share passes in between, nothing does
_FEW_PASSED, _SHORT_S, _LEAST_SHARE = 8, 0.1, 1 / 3  # less tells no rate: the ragged end of a window looks alike
_FIRST_FEW_PASSED, _FIRST_LEAST_SHARE = 4, 1 / 12  # the same while nothing better is known
_REMEMBERED, _LATE_SHARE = 500, 1 / 4
_APART_S, _APART = 0.1, 10  # refusals further apart than both belong to different overloads
_TOO_MANY = 1.5  # so much more in the second before the last, and the window is longer than a second
_BRIEF_S, _FEW_REFUSED = 0.05, 5  # so short a pause is no used-up window, unless it turned just then


@dataclass(slots=True)
class Slots:
    """How many requests were sent in each hundredth of the last seconds, and how many of them were refused."""

    sent: dict[int, int] = field(default_factory=dict[int, int])
    refused: dict[int, int] = field(default_factory=dict[int, int])

    def send(self, now: float) -> None:
        slot = int(now / _SLOT_S)
        self.sent[slot] = self.sent.get(slot, 0) + 1
        if len(self.sent) > _KEPT_SLOTS:
            for old in list(self.sent)[: _KEPT_SLOTS // 2]:
                del self.sent[old]
                self.refused.pop(old, None)

    def refuse(self, sent_at: float) -> None:
        slot = int(sent_at / _SLOT_S)
        if slot in self.sent:
            self.refused[slot] = self.refused.get(slot, 0) + 1

    def between(self, begin: float, end: float) -> tuple[int, int]:
        """Return how many were sent, and how many of them passed."""
        slots = [slot for slot in self.sent if begin <= slot * _SLOT_S < end]
        sent = sum(self.sent[slot] for slot in slots)
        return sent, sent - sum(self.refused.get(slot, 0) for slot in slots)

    def first_passed_after(self, begin: float) -> float:
        """Return when the first request was sent, of those after `begin` that passed; infinity for none."""
        slots = (slot for slot, sent in self.sent.items() if sent > self.refused.get(slot, 0))
        return min((slot for slot in slots if slot * _SLOT_S >= begin), default=math.inf) * _SLOT_S


@dataclass(slots=True)
class Overload:
    """A stretch of requests that were refused, wholly or in part; a later stretch takes its place."""

    first: int = -1
    last: int = -1
    first_at: float = -math.inf
    last_at: float = -math.inf
    refused: int = 0
    numbers: deque[int] = field(default_factory=lambda: deque[int](maxlen=_REMEMBERED))
    over_at: float = math.inf
    """When a request would have had to be sent to pass, by what the server said last (Retry-After)."""

    def refuse(self, number: int, sent_at: float, retry_after_s: float | None, *, is_same: bool) -> None:
        is_apart = number > self.last + _APART and sent_at > self.last_at + _APART_S
        if self.first < 0 or (is_apart and not is_same):
            self.first, self.first_at, self.refused, self.over_at = number, sent_at, 0, math.inf
            self.numbers.clear()
        if number < self.first:
            self.first, self.first_at = number, sent_at
        if number > self.last:
            self.last, self.last_at = number, sent_at
        self.refused += 1
        self.numbers.append(number)
        if retry_after_s is not None:
            self.over_at = sent_at + retry_after_s

    @property
    def passed(self) -> int:
        return self.last - self.first + 1 - self.refused

    @property
    def is_whole(self) -> bool:
        """Whether (nearly) all were refused."""
        return self.passed < _WHOLE_SHARE * self.refused

    def rate(self, *, is_first: bool) -> float | None:
        """Return requests a second that passed amid refusals, None where that can't be told."""
        seconds, share = self.last_at - self.first_at, self.passed / (self.passed + self.refused)
        if is_first:
            is_known = seconds > 0 and self.passed >= _FIRST_FEW_PASSED and share >= _FIRST_LEAST_SHARE
        else:
            is_known = seconds >= _SHORT_S and self.passed >= _FEW_PASSED and share >= _LEAST_SHARE
            is_known = is_known and unusual(self.refused, self.passed + self.refused, deviations=4)
        return self.passed / seconds if is_known and self._is_even() else None

    def _is_even(self) -> bool:
        """Whether some passed to the end. At a window's end those overtaken on the way pass amid the first refusals."""
        if self.refused > _REMEMBERED:
            return True
        middle = (self.first + self.last) // 2
        passed = self.last - middle - sum(number > middle for number in self.numbers)
        return passed >= _LATE_SHARE * self.passed


@dataclass(slots=True)
class Evidence:
    """All that is known of what passed and what was refused."""

    slots: Slots = field(default_factory=Slots)
    overload: Overload = field(default_factory=Overload)
    opened_at: float = -math.inf
    """When the server was last known to begin to take requests; before the first one, never."""
    passed: int = 0
    """Since then."""
    begun_at: float = -math.inf
    """When the present rate was begun with."""
    pauses: int = 0

    @property
    def is_thin(self) -> bool:
        """Whether the server refused before it took enough to tell a rate."""
        seconds = self.overload.first_at - self.opened_at
        return self.rate_amid() is None and (self.passed < _FEW_AT_ALL or seconds < _LITTLE_TIME_S)

    def sent(self, now: float) -> None:
        """Book a request."""
        if self.opened_at == -math.inf:
            self.opened_at = now
        self.passed += 1
        self.slots.send(now)

    def refused(self, number: int, sent_at: float, retry_after_s: float | None, *, is_shut: bool) -> None:
        """Book the refusal of the request of this number, sent then; `is_shut` joins it to those before."""
        self.slots.refuse(sent_at)
        self.passed -= sent_at >= self.opened_at
        self.overload.refuse(number, sent_at, retry_after_s, is_same=is_shut)

    def rate_amid(self) -> float | None:
        """Return requests a second that passed amid the latest refusals, None where that can't be told."""
        return self.overload.rate(is_first=not self.pauses)

    def rate_until(self, sent_at: float, asked_rate: float) -> float:
        """Return the rate asked for times the share of it that passed in the second up to a refused request."""
        seconds = max(_SECOND, 30 / asked_rate)  # of few requests a share tells little
        sent, passed = self.slots.between(max(self.begun_at, sent_at - seconds), sent_at)
        return asked_rate * passed / sent if sent else asked_rate

    def reopened(self, passed_at: float) -> tuple[float, float]:
        """Book that a request sent then passed after a pause; return the rate it has taught: likely, and at most."""
        amid, is_first = self.rate_amid(), not self.pauses
        self.pauses += 1
        self.begun_at = passed_at
        if amid is not None:
            return amid, amid
        earliest = self.overload.last_at
        latest = min(passed_at, self.slots.first_passed_after(earliest))
        if self.overload.over_at < math.inf:
            earliest = latest = max(earliest, min(self.overload.over_at, latest))
        turned_at = (earliest + latest) / 2
        after = self.slots.between(turned_at, math.inf)[1]
        self.passed -= after
        found = self._rates(turned_at, earliest, is_first=is_first)
        self.opened_at = self.begun_at = turned_at
        self.passed = after
        return found

    def _rates(self, turned_at: float, earliest: float, *, is_first: bool) -> tuple[float, float]:
        shut_s, open_s = turned_at - self.overload.first_at, turned_at - self.opened_at
        if is_first and shut_s < _BRIEF_S and self.overload.refused < _FEW_REFUSED:
            return self.passed / open_s, self.passed / open_s
        overall = self.passed / max(_SECOND, open_s)
        if shut_s >= _SECOND:
            return overall, overall
        likely = self.slots.between(turned_at - _SECOND, turned_at)[1] / _SECOND
        before = self.slots.between(turned_at - 2 * _SECOND, turned_at - _SECOND)[1] / _SECOND
        if is_first and before > _TOO_MANY * likely:
            return overall, overall
        most = self.slots.between(earliest - _SECOND, earliest)[1] / _SECOND
        # The first time, requests came in a burst, which may have spanned two windows; later they come evenly.
        return (min(overall, likely), min(overall, most)) if is_first else (max(overall, likely), max(overall, most))


def unusual(refused: int, asked: int, *, deviations: float = 2.0) -> bool:
    """Whether clearly more were refused than the twentieth that may be for reasons other than the rate."""
    expected = _USUAL_SHARE * asked
    return refused > expected + deviations * math.sqrt(expected)

"""Hard caps on what a run spends, on the target and the optimizer model together.

Every call acquires budget first, so the number of calls never exceeds its cap. Tokens, money and time are known only
once a call is done, so their caps can be exceeded by the calls in flight. Enough is reserved to test the winner: a run
that reaches a cap stops optimizing, tests its best prompt so far and ends normally.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Request
from askwell.core.validation import check_positive
from askwell.runlog.fold import Spend

_UNITS = {"calls": "max_calls", "tokens": "max_tokens", "dollars": "max_usd", "minutes": "max_minutes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The most a run may spend; None is no cap."""

    max_calls: int | None = None
    """Completions of both models (a request for 8 samples is 8 calls). Answers taken from the log are not calls."""
    max_tokens: int | None = None
    """Prompt and completion tokens."""
    max_usd: float | None = None
    """US dollars. Calls of unknown price count as 0, so this cap needs prices."""
    max_minutes: float | None = None
    """Minutes of this process: a resumed run starts at 0 again."""

    def __post_init__(self) -> None:
        for name in _UNITS.values():
            check_positive(name, getattr(self, name))


_REACHED = re.compile(rf"the cap of (\S+) ({'|'.join(_UNITS)}) is reached")


def is_raised(reason: str, caps: Caps) -> bool:
    """Return whether a run that ended for this reason was ended by a cap that is higher in `caps`, or not set."""
    reached = _REACHED.match(reason)
    if reached is None:
        return False
    cap = getattr(caps, _UNITS[reached[2]])
    return cap is None or (f"{cap:g}" != reached[1] and cap > float(reached[1]))


class BudgetTracker:
    """Count what is spent and decide whether one more call may be made.

    `reserve` calls are left for the final test; nothing else may use them. Their tokens, money and time are estimated
    from the average cost of a call so far. `count_in_flight` adds an estimate for the calls in flight too. Provider
    batches need it: with a whole step in flight, a cap would otherwise be noticed only after all of it is paid.
    """

    def __init__(
        self,
        caps: Caps,
        *,
        spent: Iterable[Spend] = (),
        reserve: int = 0,
        count_in_flight: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        earlier = list(spent)
        self.caps = caps
        self.reserve = reserve
        self.calls = sum(spend.calls - spend.failed for spend in earlier)
        self.tokens = sum(spend.prompt_tokens + spend.completion_tokens for spend in earlier)
        self.usd = sum(spend.cost_usd or 0.0 for spend in earlier)
        self.reason = ""
        """The cap that was reached, in words; empty while no call was refused."""
        self._clock = clock
        self._started = clock()
        self._answered_here = 0
        self._count_in_flight = count_in_flight
        self._in_flight = 0

    def acquire(self) -> bool:
        """Count one call if no cap is reached; `record` must follow. Return False if the call may not be made."""
        reached = self._reached_cap()
        if reached:
            self.reason = reached
            return False
        self.calls += 1
        self._in_flight += 1
        return True

    def record(self, completion: Completion) -> None:
        """Add what an acquired call cost; a failed call is subtracted from the count again."""
        self._in_flight -= 1
        if completion.outcome == "failed":
            self.calls -= 1
            return
        self._answered_here += 1
        self.tokens += completion.usage.prompt_tokens + completion.usage.completion_tokens
        self.usd += completion.usage.cost_usd or 0.0

    def release_reserve(self) -> None:
        """Let the final test use the reserved calls."""
        self.reserve = 0
        self.reason = ""

    def _reached_cap(self) -> str:
        in_flight = self._in_flight if self._count_in_flight else 0
        # The calls in flight are counted in `calls` already, but their cost isn't in `tokens` and `usd` yet.
        priced_calls = max(1, self.calls - in_flight)
        growth = 1 + (self.reserve + in_flight) / priced_calls
        minutes = (self._clock() - self._started) / 60
        minutes_per_call = minutes / max(1, self._answered_here)
        checks = (
            ("calls", self.caps.max_calls, self.calls + 1 + self.reserve, True),
            ("tokens", self.caps.max_tokens, self.tokens * growth, False),
            ("dollars", self.caps.max_usd, self.usd * growth, False),
            ("minutes", self.caps.max_minutes, minutes + self.reserve * minutes_per_call, False),
        )
        for name, cap, level, may_equal in checks:
            if cap is not None and (level > cap if may_equal else level >= cap):
                return f"the cap of {cap:g} {name} is reached"
        return ""


class BudgetLimited:
    """A model whose every call acquires budget first. A refused call is a failed completion with the fault `budget`."""

    def __init__(self, model: ChatModel, budget: BudgetTracker) -> None:
        self.inner = model
        self.budget = budget

    @property
    def name(self) -> str:
        return self.inner.name

    async def complete(self, request: Request) -> Completion:
        if not self.budget.acquire():
            return Completion(outcome="failed", fault="budget", error=self.budget.reason)
        completion = Completion(outcome="failed")  # recorded if the call is cancelled
        try:
            completion = await self.inner.complete(request)
        finally:
            self.budget.record(completion)
        return completion

    async def aclose(self) -> None:
        await self.inner.aclose()

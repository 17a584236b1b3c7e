"""Hard caps on what a run spends, both models together.

Every call asks the purse first, so the number of calls never exceeds its cap; tokens, money and time are known only
when a call is done, so those caps hold within what is in flight. Enough is kept back to test the winner: a run that
reaches a cap stops optimizing and ends in order, with its best so far.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from askwell.checks import positive
from askwell.models.base import ChatModel
from askwell.types import Completion, Request
from askwell.views import Spend


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The most a run may spend; None is no cap."""

    max_calls: int | None = None
    """Completions of both models (a request for 8 samples is 8 calls). Answers taken from the log are not calls."""
    max_tokens: int | None = None
    """Prompt and completion tokens."""
    max_usd: float | None = None
    """Calls of unknown price count as nothing: a cap in dollars needs prices."""
    max_minutes: float | None = None
    """Of this process: a resumed run starts its clock anew."""

    def __post_init__(self) -> None:
        for name in ("max_calls", "max_tokens", "max_usd", "max_minutes"):
            positive(name, getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The most that one step of an optimizer asks for: what a plan adds up before anything is paid."""

    proposals: int
    """New prompts to be scored on the dev split."""
    optimizer_calls: int
    """Completions of the optimizer model."""
    train_cells: int = 0
    """Target calls on training examples, beside the scoring (reflections, bandits)."""
    usual_calls: int | None = None
    """Completions of the optimizer model in a step that goes well; None: `optimizer_calls`."""
    reply_tokens: int = 2048
    """Longest reply that the optimizer model is asked for (`Request.max_tokens`)."""
    shown_texts: int = 32
    """Most texts (past prompts, reflections, summaries) that one request to the optimizer model shows."""
    shown_examples: int = 16
    """Most training examples that one such request shows, each with its question, a reply and the answer."""
    demos: int = 0
    """Most demonstrations that a proposed prompt carries."""


class Purse:
    """Keeps count of what is spent and says whether one more call may be made.

    `keep_back` calls are refused to everything but the final test; their tokens, money and time are reckoned at what a
    call cost on average so far. `reckon_ahead` reckons the calls under way so as well: where a whole step is under way
    at once (batches), a cap would else be known to be passed only when all of it is paid.
    """

    def __init__(
        self,
        caps: Caps,
        *,
        spent: Iterable[Spend] = (),
        keep_back: int = 0,
        reckon_ahead: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        before = list(spent)
        self.caps = caps
        self.keep_back = keep_back
        self.calls = sum(one.calls - one.failed for one in before)
        self.tokens = sum(one.prompt_tokens + one.completion_tokens for one in before)
        self.usd = sum(one.cost_usd or 0.0 for one in before)
        self.reason = ""
        """Which cap was reached, in words; empty while there is room."""
        self._clock = clock
        self._begun = clock()
        self._answered_here = 0
        self._reckon_ahead, self._under_way = reckon_ahead, 0

    def admit(self) -> bool:
        """Book one call if every cap has room for it; `settle` must follow."""
        reached = self._reached()
        if reached:
            self.reason = reached
            return False
        self.calls += 1
        self._under_way += 1
        return True

    def settle(self, completion: Completion) -> None:
        """Book what the call turned out to cost; a failed one is taken off the count again."""
        self._under_way -= 1
        if completion.outcome == "failed":
            self.calls -= 1
            return
        self._answered_here += 1
        self.tokens += completion.usage.prompt_tokens + completion.usage.completion_tokens
        self.usd += completion.usage.cost_usd or 0.0

    def open_for_the_test(self) -> None:
        """Let the final test have what was kept back."""
        self.keep_back = 0
        self.reason = ""

    def _reached(self) -> str:
        ahead = self._under_way if self._reckon_ahead else 0
        caps, calls = self.caps, max(1, self.calls - ahead)
        kept = self.keep_back
        minutes = (self._clock() - self._begun) / 60
        per_call_minutes = minutes / max(1, self._answered_here)
        checks = (
            ("calls", caps.max_calls, self.calls + 1 + kept, True),
            ("tokens", caps.max_tokens, self.tokens * (1 + (kept + ahead) / calls), False),
            ("dollars", caps.max_usd, self.usd * (1 + (kept + ahead) / calls), False),
            ("minutes", caps.max_minutes, minutes + kept * per_call_minutes, False),
        )
        for name, cap, level, may_equal in checks:
            if cap is not None and (level > cap if may_equal else level >= cap):
                return f"the cap of {cap:g} {name} is reached"
        return ""


class Capped:
    """A model whose every call asks a purse first. A refused one is a failed completion with the fault `budget`."""

    def __init__(self, model: ChatModel, purse: Purse) -> None:
        self.inner = model
        self.purse = purse

    @property
    def name(self) -> str:
        return self.inner.name

    async def complete(self, request: Request) -> Completion:
        if not self.purse.admit():
            return Completion(outcome="failed", fault="budget", error=self.purse.reason)
        completion = Completion(outcome="failed")  # what a call is that was cancelled
        try:
            completion = await self.inner.complete(request)
        finally:
            self.purse.settle(completion)
        return completion

    async def aclose(self) -> None:
        await self.inner.aclose()

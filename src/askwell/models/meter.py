"""Count what goes through a model, for live progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from askwell.models.base import ChatModel
from askwell.types import Completion, Fault, Request, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Running totals of a model. `usage.cost_usd` adds up the calls whose price is known, None if there is none."""

    calls: int = 0
    """Finished calls, failed ones included."""
    failed: int = 0
    faults: Mapping[Fault, int] = field(default_factory=dict[Fault, int])
    """Failed calls by fault class."""
    in_flight: int = 0
    usage: Usage = field(default_factory=Usage)
    unpriced_calls: int = 0
    """Calls that used tokens at an unknown price: above 0, `usage.cost_usd` is a lower bound."""


class Metered:
    """Keep count for `totals`; changes nothing about the calls."""

    def __init__(self, model: ChatModel) -> None:
        self.inner = model
        self._calls = self._in_flight = self._unpriced_calls = 0
        self._prompt_tokens = self._completion_tokens = 0
        self._cost_usd: float | None = None
        self._faults = Counter[Fault]()

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def totals(self) -> Totals:
        """Return what has gone through so far."""
        return Totals(
            calls=self._calls,
            failed=self._faults.total(),
            faults=dict(self._faults),
            in_flight=self._in_flight,
            usage=Usage(
                prompt_tokens=self._prompt_tokens, completion_tokens=self._completion_tokens, cost_usd=self._cost_usd
            ),
            unpriced_calls=self._unpriced_calls,
        )

    async def complete(self, request: Request) -> Completion:
        self._in_flight += 1
        try:
            completion = await self.inner.complete(request)
        finally:
            self._in_flight -= 1
        self._count(completion)
        return completion

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _count(self, completion: Completion) -> None:
        usage = completion.usage
        self._calls += 1
        self._prompt_tokens += usage.prompt_tokens
        self._completion_tokens += usage.completion_tokens
        if usage.cost_usd is not None:
            self._cost_usd = (self._cost_usd or 0.0) + usage.cost_usd
        elif usage.prompt_tokens or usage.completion_tokens:
            self._unpriced_calls += 1
        if completion.outcome == "failed":
            self._faults[completion.fault] += 1

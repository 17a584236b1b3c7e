"""Count what goes through a model, for live progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
    """Keep `totals` up to date; changes nothing about the calls."""

    def __init__(self, model: ChatModel) -> None:
        self.inner = model
        self.totals = Totals()

    @property
    def name(self) -> str:
        return self.inner.name

    async def complete(self, request: Request) -> Completion:
        self.totals = replace(self.totals, in_flight=self.totals.in_flight + 1)
        try:
            completion = await self.inner.complete(request)
        finally:
            self.totals = replace(self.totals, in_flight=self.totals.in_flight - 1)
        self.totals = _plus(self.totals, completion)
        return completion

    async def aclose(self) -> None:
        await self.inner.aclose()


def _plus(totals: Totals, completion: Completion) -> Totals:
    usage, failed = completion.usage, completion.outcome == "failed"
    spent = totals.usage.cost_usd
    if usage.cost_usd is not None:
        spent = (spent or 0.0) + usage.cost_usd
    is_unpriced = usage.cost_usd is None and usage.prompt_tokens + usage.completion_tokens > 0
    faults = totals.faults
    if failed:
        faults = {**faults, completion.fault: faults.get(completion.fault, 0) + 1}
    return replace(
        totals,
        calls=totals.calls + 1,
        failed=totals.failed + failed,
        faults=faults,
        unpriced_calls=totals.unpriced_calls + is_unpriced,
        usage=Usage(
            prompt_tokens=totals.usage.prompt_tokens + usage.prompt_tokens,
            completion_tokens=totals.usage.completion_tokens + usage.completion_tokens,
            cost_usd=spent,
        ),
    )

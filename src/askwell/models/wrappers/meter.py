"""Count a model's calls, tokens and costs, for live progress."""

from __future__ import annotations

from collections import Counter

from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Fault, Request, Usage
from askwell.models.parts import parts_of
from askwell.models.totals import Totals


class Metered:
    """Count calls, tokens and costs in `totals`; the calls are unchanged."""

    def __init__(self, model: ChatModel) -> None:
        self.inner = model
        self.parts = parts_of(model)
        self._calls = self._in_flight = self._unpriced_calls = 0
        self._prompt_tokens = self._completion_tokens = 0
        self._cost_usd: float | None = None
        self._faults = Counter[Fault]()

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def totals(self) -> Totals:
        """Return the totals so far."""
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
        self._record(completion)
        return completion

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _record(self, completion: Completion) -> None:
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

"""Optimizers of other packages on askwell's engine: their search; our calls, log, caps and budget.

Such an optimizer is synchronous code with its own loop. It runs in a thread and calls back through a `Bridge`. Its
whole search is one step of the loop. It scores on the dev split as its validation set, and no dev text reaches the
optimizer model (none of these packages sends it texts of the validation set). The search returns one prompt; the loop
then finds that prompt's dev scores in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from askwell.core.errors import AskwellError, RunFailed
from askwell.core.protocols import ChatModel, Demand, PromptRunner
from askwell.core.trajectory import Trajectory
from askwell.core.types import Example, Prompt, Proposal
from askwell.optimizers.baselines.bridge import Bridge, ExternalSettings, SearchEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTask:
    """The initial prompt, the data and the budget of a search."""

    initial: Prompt
    train: Sequence[Example]
    dev: Sequence[Example]
    settings: ExternalSettings
    seed: int


class ExternalSearch(Protocol):
    """Another package's optimizer, as a function.

    Contract: synchronous; all calls go through the bridge; only scores of `dev` affect the search, and none of its
    texts is sent to the optimizer model; deterministic by `seed` as far as the package is; propagates `SearchEnded`, or
    returns soon after it. Returns the prompt it would deploy.
    """

    def __call__(self, bridge: Bridge, task: SearchTask) -> Prompt: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalOptimizer:
    """Run a whole external search as the first step of the loop; later steps propose nothing."""

    search: ExternalSearch
    origin: str
    model: ChatModel
    run_prompt: PromptRunner
    train: Sequence[Example]
    dev: Sequence[Example]
    settings: ExternalSettings = field(default_factory=ExternalSettings)

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        if trajectory.next_step > 1:
            return []
        bridge = Bridge(
            model=self.model,
            run_prompt=self.run_prompt,
            step=trajectory.next_step,
            seed=seed,
            settings=self.settings,
        )
        initial = trajectory.candidates[0].prompt
        winner = await asyncio.to_thread(self._run_search, bridge, initial, seed)
        if bridge.error is not None:
            raise bridge.error
        return [] if winner is None else [Proposal(prompt=winner, parent=initial, origin=self.origin)]

    def demand(self, step: int) -> Demand:
        if step > 1:
            return Demand(proposals=0, optimizer_calls=0)
        settings = self.settings
        return Demand(proposals=1, optimizer_calls=settings.optimizer_calls, train_calls=settings.target_calls)

    def _run_search(self, bridge: Bridge, initial: Prompt, seed: int) -> Prompt | None:
        try:
            task = SearchTask(
                initial=initial,
                train=self.train,
                dev=self.dev,
                settings=self.settings,
                seed=seed % 2**31,  # numpy, which these packages seed, takes 32 bits
            )
            return self.search(bridge, task)
        except SearchEnded:
            return bridge.best_on_dev(self.dev)
        except AskwellError:
            raise
        except Exception as error:  # another package may raise anything when it cannot read a model's reply
            raise RunFailed(
                f"the search of {self.origin!r} broke with {type(error).__name__}: {error}; what it paid for is in the "
                "log, another optimizer model may give answers that it can read"
            ) from error

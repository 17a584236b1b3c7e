"""The progress of a run, for a display."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from askwell.core.trajectory import Trajectory
from askwell.core.types import Rollout
from askwell.engine.replies.first_look import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The state of a run after each change; passed to the `Watch` callback."""

    step: int
    steps: int
    stage: str
    rollouts_done: int
    rollouts_total: int
    """Upper bound for a race, which may need fewer."""
    trajectory: Trajectory
    findings: tuple[Finding, ...] = ()
    """What is wrong with the initial prompt's replies; passed once, before the first step."""


Watch = Callable[[Progress], None]


async def with_progress(
    rollouts: AsyncGenerator[Rollout, None], on_rollout: Callable[[], None]
) -> AsyncGenerator[Rollout, None]:
    """Pass rollouts on, calling `on_rollout` at each."""
    async with aclosing(rollouts) as arrivals:
        async for rollout in arrivals:
            on_rollout()
            yield rollout

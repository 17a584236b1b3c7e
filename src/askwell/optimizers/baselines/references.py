"""Prompts nobody optimized, as presets: what a search has to beat."""

from __future__ import annotations

from dataclasses import dataclass

from askwell.core.protocols import Demand
from askwell.core.trajectory import Trajectory
from askwell.core.types import Prompt, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSettings:
    """A prompt that is given, not found."""

    instruction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Propose one given prompt in the first step, and nothing after it. Asks no model."""

    settings: ReferenceSettings

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        prompt = Prompt(instruction=self.settings.instruction)
        return [Proposal(prompt=prompt, origin="reference")] if trajectory.next_step == 1 else []

    def demand(self, step: int) -> Demand:
        return Demand(proposals=1 if step == 1 else 0, optimizer_calls=0)

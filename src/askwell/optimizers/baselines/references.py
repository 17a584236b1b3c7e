"""Fixed prompts as presets: references for the optimizers."""

from __future__ import annotations

from dataclasses import dataclass

from askwell.core.protocols import Demand
from askwell.core.trajectory import Trajectory
from askwell.core.types import Prompt, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSettings:
    """A fixed prompt."""

    instruction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Propose one fixed prompt in the first step, and nothing later. Makes no calls."""

    settings: ReferenceSettings

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        prompt = Prompt(instruction=self.settings.instruction)
        return [Proposal(prompt=prompt, origin="reference")] if trajectory.next_step == 1 else []

    def demand(self, step: int) -> Demand:
        return Demand(proposals=1 if step == 1 else 0, optimizer_calls=0)

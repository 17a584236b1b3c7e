"""Protocols that several wings share, with the values that they exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from askwell.core.trajectory import Trajectory
from askwell.core.types import Example, Prompt, Proposal, Rollout, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Upper bounds on what one step of an optimizer asks for; a plan adds them up before anything is paid."""

    proposals: int
    """New prompts to be scored on the dev split."""
    optimizer_calls: int
    """Completions of the optimizer model."""
    train_cells: int = 0
    """Target calls on training examples, in addition to the scoring (reflections, bandits)."""
    usual_calls: int | None = None
    """Completions of the optimizer model in a step without retries; None: `optimizer_calls`."""
    reply_tokens: int = 2048
    """Longest reply requested from the optimizer model (`Request.max_tokens`)."""
    shown_texts: int = 32
    """Most texts (past prompts, reflections, summaries) that one request to the optimizer model contains."""
    shown_examples: int = 16
    """Most training examples that one such request contains, each with its question, a reply and the answer."""
    demos: int = 0
    """Most demonstrations that a proposed prompt contains."""


class Optimizer(Protocol):
    """Propose prompts worth scoring.

    Contract: all state is the trajectory (so a resumed run replays it), all randomness comes from the seed. Return no
    proposal twice; the list may be empty. Include the proposals that the optimizer itself turned down (`rejected`):
    they are logged and not scored. Never look at the dev or test examples. Raise `ModelError` or `RunFailed` if the
    optimizer model returns nothing usable.
    """

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]: ...

    def demand(self, step: int) -> Demand:
        """Return the most that `propose` asks for in this step (1 is the first), never less."""
        ...


class PromptRunner(Protocol):
    """Run a prompt on training or dev examples through the run's evaluator.

    Contract: one rollout per example, in the order of the examples; the rollout of a failed call has score None. The
    calls count as target calls and share the run's log, cache, budget and failure rules. Raises `RunFailed` if too many
    calls fail. `split` says which split the examples come from; it is never "test".
    """

    async def __call__(
        self,
        prompt: Prompt,
        examples: Sequence[Example],
        *,
        step: int,
        split: Split = "train",
        temperature: float | None = None,
        draw: int = 0,
    ) -> list[Rollout]: ...

"""Protocols that several wings share, with the values that they exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from askwell.trajectory import Trajectory
from askwell.types import Example, Prompt, Proposal, Rollout, Split


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


class Optimizer(Protocol):
    """Proposes prompts worth scoring.

    Contract: all state is the trajectory (so resuming is replaying), all randomness is the seed; returns no proposal
    twice, may return none; what it turned down itself (`rejected`) it returns too, to be written down and not scored;
    never looks at the dev or test examples. Raises `ModelError` or `RunFailed` where its model gives nothing to work
    with.
    """

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]: ...

    def demand(self, step: int) -> Demand:
        """Return the most that `propose` asks for in this step (1 is the first), never less."""
        ...


class SplitJudge(Protocol):
    """Try a prompt on training or dev examples: one rollout an example, in their order. Raises where cells fail."""

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

"""The contracts that several wings share, with the values that they exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from askwell.core.trajectory import Trajectory
from askwell.core.types import Completion, Example, Message, Prompt, Proposal, Request, Rollout, Score, Split


@runtime_checkable
class ChatModel(Protocol):
    """Answer chat requests.

    Contract: `complete` never raises for what a server or network does; that is a `Completion` whose outcome is
    `failed`, with its fault class and the provider's own words (no key in them). Hundreds of tasks may call it at once
    on one event loop. `name` is stable and part of the cache key: two models that may answer differently have
    different names. `aclose` frees sockets and threads; calling it twice is harmless.

    A model that wraps another one also passes its `parts` on (the optional protocol `models.parts.Composed`): without
    them a run knows no price and does not keep what the server refused.
    """

    @property
    def name(self) -> str: ...

    async def complete(self, request: Request) -> Completion: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class LikelihoodModel(Protocol):
    """Return how likely a reply is: natural log, summed over the reply's tokens; 0 is certain."""

    async def logprob(self, request: Request, reply: str) -> float: ...


class Render(Protocol):
    """Place a prompt's instruction and demonstrations around one example's question.

    Contract: pure; never reads the example's target (demonstrations show their own targets).
    """

    def __call__(self, prompt: Prompt, example: Example) -> tuple[Message, ...]: ...


class Metric(Protocol):
    """Score one reply: `value` in 0..1, higher is better. Raises `DataError` only for a broken target or callable."""

    def __call__(self, reply: str, example: Example) -> Score: ...


class Policy(Protocol):
    """Choose a prompt for each query.

    Contract: returns exactly one prompt per query, in the order of the queries; pure (same queries, same prompts).
    """

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]: ...


class Embedder(Protocol):
    """Return how similar texts are to one text.

    Contract: one number per text, in their order; higher is more similar, at most 1 (equal texts get 1 up to
    rounding); pure: the same texts give the same numbers.
    """

    def similarities(self, text: str, others: Sequence[str]) -> list[float]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Upper bounds on what one step of an optimizer asks for; a plan adds them up before anything is paid."""

    proposals: int
    """New prompts to be scored on the dev split."""
    optimizer_calls: int
    """Completions of the optimizer model."""
    train_calls: int = 0
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
        sample_index: int = 0,
    ) -> list[Rollout]: ...

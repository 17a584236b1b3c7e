"""The protocols that several wings share, with the values that they exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from askwell.core.trajectory import Trajectory
from askwell.core.types import Completion, Example, Message, Prompt, Proposal, Request, Rollout, Score, Split


@runtime_checkable
class ChatModel(Protocol):
    """Answer chat requests.

    Contract: `complete` never raises for an error of a server or network. It returns a `Completion` whose outcome is
    `failed`, with the fault and the provider's message (without any API key). Hundreds of tasks may call it
    concurrently on one event loop. `name` is stable and part of the cache key: two models that may answer differently
    have different names. `aclose` frees sockets and threads; a second call does nothing.

    A model that wraps another one also exposes the inner model's `parts` (the optional protocol
    `models.parts.Composed`). Without them a run knows no price and does not log which parameters the server refused.
    """

    @property
    def name(self) -> str: ...

    async def complete(self, request: Request) -> Completion: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class LikelihoodModel(Protocol):
    """Return the log-probability of a reply: natural log, summed over the reply's tokens; 0 is certain."""

    async def logprob(self, request: Request, reply: str) -> float: ...


class Render(Protocol):
    """Build the chat messages from a prompt and one example's question.

    Contract: pure; never reads the example's target (only demonstrations show their targets).
    """

    def __call__(self, prompt: Prompt, example: Example) -> tuple[Message, ...]: ...


class Metric(Protocol):
    """Score one reply: `value` in 0..1, higher is better. Raise `DataError` only for a broken target or callable."""

    def __call__(self, reply: str, example: Example) -> Score: ...


class Policy(Protocol):
    """Choose a prompt for each query.

    Contract: return exactly one prompt per query, in the order of the queries; pure (same queries, same prompts).
    """

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]: ...


class Embedder(Protocol):
    """Return the similarity of texts to one text.

    Contract: one number per text, in their order; higher is more similar, at most 1 (equal texts get 1 up to
    rounding); pure: the same texts give the same numbers.
    """

    def similarities(self, text: str, others: Sequence[str]) -> list[float]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Upper bounds on the calls of one optimizer step. `askwell plan` adds them up before any call is paid for."""

    proposals: int
    """New prompts to score on the dev split."""
    optimizer_calls: int
    """Calls to the optimizer model."""
    train_calls: int = 0
    """Target calls on training examples, in addition to the scoring (reflections, bandits)."""
    typical_calls: int | None = None
    """Calls to the optimizer model in a step in which no reply is rejected; None: `optimizer_calls`."""
    reply_tokens: int = 2048
    """Longest reply requested from the optimizer model (`Request.max_tokens`)."""
    shown_texts: int = 32
    """Maximum number of texts (past prompts, reflections, summaries) in one request to the optimizer model."""
    shown_examples: int = 16
    """Maximum number of training examples in one such request, each with its question, a reply and the answer."""
    demos: int = 0
    """Maximum number of demonstrations in a proposed prompt."""


class Optimizer(Protocol):
    """Propose prompts worth scoring.

    Contract: all state is in the trajectory (a resumed run replays it), and all randomness comes from the seed. Return
    no proposal twice; the list may be empty. Include the proposals that the optimizer itself rejected (`rejected`):
    they are logged and not scored. Never read the dev or test examples. Raise `ModelError` or `RunFailed` if the
    optimizer model returns nothing usable.
    """

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]: ...

    def demand(self, step: int) -> Demand:
        """Return an upper bound on the calls of `propose` in this step (the first step is 1)."""
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

"""The contracts that several wings share: each is one verb, and states what its implementations must keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from askwell.core.types import Completion, Example, Message, Prompt, Request, Score


@runtime_checkable
class ChatModel(Protocol):
    """Answer chat requests.

    Contract: `complete` never raises for what a server or network does; that is a `Completion` whose outcome is
    `failed`, with its fault class and the provider's own words (no key in them). Hundreds of tasks may call it at once
    on one event loop. `name` is stable and part of the cache key: two models that may answer differently have
    different names. `aclose` frees sockets and threads; calling it twice is harmless.
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

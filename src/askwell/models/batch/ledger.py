"""What must outlive the process while a batch is on: which requests are in which batch. `batch_notes` is a run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A batch that was, or was about to be, handed in."""

    tag: str
    keys: tuple[str, ...]
    """`request_key` of each request."""
    at: float
    """Unix time at which it was noted, before it was handed in."""
    id: str = ""
    """The provider's name for it; empty where the process ended before it was known."""


class Ledger(Protocol):
    """Contract: what `write` was given is durable when it returns, and `submissions` and `probe` tell it again."""

    def submissions(self) -> Sequence[Submission]: ...

    def probe(self) -> str:
        """Return the key of the request that was, or was about to be, asked directly before the first batch."""
        ...

    def is_answered(self, key: str) -> bool:
        """Whether the answer to a request is durable."""
        ...

    async def write(self, note: Mapping[str, object]) -> None: ...


class NoLedger:
    """Remembers nothing: what is in a batch when the process ends is lost."""

    def submissions(self) -> Sequence[Submission]:
        return ()

    def probe(self) -> str:
        return ""

    def is_answered(self, key: str) -> bool:
        return False

    async def write(self, note: Mapping[str, object]) -> None:
        """Nothing to keep."""

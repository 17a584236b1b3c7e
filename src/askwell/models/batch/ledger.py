"""The durable record of provider batches: which request is in which batch. `runlog.batches` keeps it in a run's log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A batch that was submitted, or was about to be."""

    tag: str
    keys: tuple[str, ...]
    """`request_key` of each request."""
    at: float
    """Unix time at which it was recorded, before its submission."""
    id: str = ""
    """The provider's id; empty if the process ended before the id was known."""


class Ledger(Protocol):
    """Contract: what `write` was given is durable when it returns, and later processes read it back."""

    def submissions(self) -> Sequence[Submission]: ...

    def probe_key(self) -> str:
        """Return the key of the request that was, or was about to be, sent directly before the first batch."""
        ...

    def is_answered(self, key: str) -> bool:
        """Return whether the answer to a request is durable."""
        ...

    async def write(self, note: Mapping[str, object]) -> None: ...


class NoLedger:
    """A ledger that records nothing: the answers of open batches are lost when the process ends."""

    def submissions(self) -> Sequence[Submission]:
        return ()

    def probe_key(self) -> str:
        return ""

    def is_answered(self, key: str) -> bool:
        return False

    async def write(self, note: Mapping[str, object]) -> None:
        """Drop the note."""

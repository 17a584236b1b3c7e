"""Build a log in memory from events, for the functions that read a store."""

from __future__ import annotations

from collections.abc import Iterable

from askwell.core.types import Event
from askwell.runlog.store import MemoryStore


def stored(events: Iterable[Event]) -> MemoryStore:
    """Return a log that holds these events."""
    store = MemoryStore()
    store.append(events)
    return store

"""Log a run's batches as unordered events, so that a run with batches has the same ordered log as one without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Event
from askwell.models.batch.ledger import Submission
from askwell.models.parts import Batches, parts_of
from askwell.runlog.codec import Body
from askwell.runlog.reading import read_events
from askwell.runlog.store import BEFORE_UNORDERED, UNORDERED, RunStore
from askwell.runlog.writer import Journal

_KEY = "batch"
"""The key of a `note` event's body that holds the note about a batch."""


class BatchNotes:
    """The `Ledger` of a run, kept in its log."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def submissions(self) -> Sequence[Submission]:
        return submissions(self._journal.store)

    def probe_key(self) -> str:
        return next((str(note["probe"]) for _, note in _notes(self._journal.store) if "probe" in note), "")

    def is_answered(self, key: str) -> bool:
        return self._journal.recall(key, UNORDERED) is not None

    async def write(self, note: Mapping[str, object]) -> None:
        await self._journal.write(Event(position=UNORDERED, kind="note", body={_KEY: dict(note)}))


def submissions(store: RunStore) -> list[Submission]:
    """Return the batches that a run submitted, or was about to submit, in order."""
    notes = list(_notes(store))
    ids = {str(note["tag"]): str(note["id"]) for _, note in notes if "id" in note}
    return [
        Submission(
            tag=str(note["tag"]),
            keys=tuple(cast("list[str]", note["keys"])),
            at=event.at,
            id=ids.get(str(note["tag"]), ""),
        )
        for event, note in notes
        if "keys" in note
    ]


def unfetched(store: RunStore) -> list[str]:
    """Return the ids of the batches with answers that are not in the log."""
    return [
        submission.id
        for submission in submissions(store)
        if submission.id and any(store.find(key) is None for key in submission.keys)
    ]


def attach(model: ChatModel, journal: Journal) -> Batches | None:
    """Record a model's batches, if it uses any, in a run's log; return them, for the caller to settle.

    Raises `ConfigError` if batches are still open and the model does not use batches: it would pay for them again.
    """
    batches = parts_of(model).batches
    if batches is not None:
        batches.ledger = BatchNotes(journal)
        return batches
    left = unfetched(journal.store)
    if left:
        raise ConfigError(
            f"batch {left[-1]} of this run has answers that were not fetched yet: resume with --batch (they are paid "
            "for), and without it only after they are fetched"
        )
    return None


def _notes(store: RunStore) -> Iterator[tuple[Event, Body]]:
    for event in read_events(store, after=BEFORE_UNORDERED, kinds=["note"]):
        note = event.body.get(_KEY)
        if isinstance(note, Mapping):
            yield event, cast("Body", note)

"""A run's batches in its log: aside, so that a run with batches reads like one without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from askwell.errors import ConfigError
from askwell.journal import Journal
from askwell.models.base import ChatModel
from askwell.models.batch_ledger import Submission
from askwell.models.parts import Batches, parts_of
from askwell.records import Body
from askwell.store import ASIDE, BEFORE_ASIDE, RunStore
from askwell.types import Event

_SAID = "batch"
"""The key under which a `note` event holds what is noted of a batch."""


class BatchNotes:
    """The `Ledger` of a run."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def submissions(self) -> Sequence[Submission]:
        return submissions(self._journal.store)

    def probe(self) -> str:
        return next((str(note["probe"]) for _, note in _notes(self._journal.store) if "probe" in note), "")

    def is_answered(self, key: str) -> bool:
        return self._journal.recall(key, ASIDE) is not None

    async def write(self, note: Mapping[str, object]) -> None:
        await self._journal.write(Event(position=ASIDE, kind="note", body={_SAID: dict(note)}))


def submissions(store: RunStore) -> list[Submission]:
    """Return the batches that a run has handed in, or was about to, in their order."""
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
    """Return the ids of the batches of which not every answer is in the log."""
    return [one.id for one in submissions(store) if one.id and any(store.find(key) is None for key in one.keys)]


def attach(model: ChatModel, journal: Journal) -> Batches | None:
    """Let a model's batches, if it is asked in any, be remembered in a run's log; return what has to be settled.

    Raises `ConfigError` where batches are on and the model is not asked in batches: their answers would be paid again.
    """
    batches = parts_of(model).batches
    if batches is not None:
        batches.ledger = BatchNotes(journal)
        return batches
    left = unfetched(journal.store)
    if left:
        raise ConfigError(
            f"batch {left[-1]} of this run has answers that were not fetched yet: go on with --batch (they are paid "
            "for), and without it only when they are in"
        )
    return None


def _notes(store: RunStore) -> Iterator[tuple[Event, Body]]:
    for event in store.events(after=BEFORE_ASIDE, kinds=["note"]):
        note = event.body.get(_SAID)
        if isinstance(note, Mapping):
            yield event, cast("Body", note)

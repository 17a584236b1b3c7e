"""Persist server quirks in the run log, so that a resumed run need not rediscover them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from askwell.core.protocols import ChatModel
from askwell.core.types import Event
from askwell.models.parts import parts_of
from askwell.models.providers.negotiation import Negotiating
from askwell.models.providers.quirks import Quirk
from askwell.runlog.codec import Body
from askwell.runlog.reading import read_events
from askwell.runlog.store import BEFORE_UNORDERED, UNORDERED, RunStore
from askwell.runlog.writer import Journal


def remember(journal: Journal, model: ChatModel) -> None:
    """Give a model the logged quirks of its server, and log those that it discovers from now on.

    Quirks belong to one address: a run that is resumed with another server starts without them.
    """
    logged = _logged_quirks(journal.store)
    for base in parts_of(model).negotiating:
        _remember(journal, base, logged)


def recall(store: RunStore, model: ChatModel) -> None:
    """Give a model the logged quirks of its server, without logging any."""
    logged = _logged_quirks(store)
    for base in parts_of(model).negotiating:
        _restore(base, logged)


def _remember(journal: Journal, base: Negotiating, logged: Sequence[Body]) -> None:
    _restore(base, logged)

    def write(quirk: Quirk) -> None:
        body = {"model": base.name, "quirk": quirk.name, "meaning": quirk.meaning}
        journal.put(Event(position=UNORDERED, kind="quirk", body=body)).add_done_callback(_ignore_failure)

    base.negotiation.on_quirk = write


def _restore(base: Negotiating, logged: Sequence[Body]) -> None:
    base.negotiation.restore([str(body["quirk"]) for body in logged if body["model"] == base.name])


def describe_quirks(store: RunStore) -> tuple[str, ...]:
    """Describe the logged quirks in words, each once, in the order of their discovery."""
    return tuple(dict.fromkeys(f"{body['model']} {body['meaning']}" for body in _logged_quirks(store)))


def _logged_quirks(store: RunStore) -> list[Body]:
    return [event.body for event in read_events(store, after=BEFORE_UNORDERED, kinds=["quirk"])]


def _ignore_failure(written: asyncio.Future[None]) -> None:
    """Ignore a failed write: results report it, and a quirk can be discovered again."""
    if not written.cancelled():
        written.exception()

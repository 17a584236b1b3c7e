"""What a model's server turned out not to take, kept in the run's log: a run that goes on asks accordingly at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from askwell.journal import Journal
from askwell.models.base import ChatModel
from askwell.models.negotiation import Negotiating
from askwell.models.parts import parts_of
from askwell.models.quirks import Quirk
from askwell.records import Body
from askwell.store import ASIDE, BEFORE_ASIDE, RunStore
from askwell.types import Event


def remember(journal: Journal, model: ChatModel) -> None:
    """Tell a model what the log says of its server, and write down what it learns from now on.

    What was learnt of one address is not held against another: the run may go on elsewhere.
    """
    known = _known(journal.store)
    for base in parts_of(model).negotiating:
        _remember(journal, base, known)


def _remember(journal: Journal, base: Negotiating, known: Sequence[Body]) -> None:
    base.negotiation.recall([str(body["quirk"]) for body in known if body["model"] == base.name])

    def write(quirk: Quirk) -> None:
        body = {"model": base.name, "quirk": quirk.name, "meaning": quirk.meaning}
        journal.put(Event(position=ASIDE, kind="learnt", body=body)).add_done_callback(_let_go)

    base.negotiation.on_learnt = write


def told(store: RunStore) -> tuple[str, ...]:
    """Say in words what servers turned out not to take, in the order in which it was learnt, each once."""
    return tuple(dict.fromkeys(f"{body['model']} {body['meaning']}" for body in _known(store)))


def _known(store: RunStore) -> list[Body]:
    return [event.body for event in store.events(after=BEFORE_ASIDE, kinds=["learnt"])]


def _let_go(written: asyncio.Future[None]) -> None:
    """A log that can't be written is told where a result was to go there; this can be learnt again."""
    if not written.cancelled():
        written.exception()

"""The journal: durable before it counts, places in order, nothing paid for twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from askwell.core.errors import StoreError
from askwell.core.types import Completion, Event, Message, Request
from askwell.runlog.store import MemoryStore, SqliteStore
from askwell.runlog.writer import Journal, LoggedModel
from askwell.testing.fakes import ScriptedModel


def note(position: int) -> Event:
    return Event(position=position, kind="note", body={"n": position})


def ask(text: str, sample_index: int = 0) -> Request:
    return Request(messages=(Message(role="user", content=text),), sample_index=sample_index)


class CountingStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def append(self, events: Iterable[Event]) -> None:
        batch = list(events)
        self.batches.append(len(batch))
        super().append(batch)


class BrokenStore(MemoryStore):
    def append(self, events: Iterable[Event]) -> None:
        raise StoreError("the disk is full")


async def test_an_event_is_in_the_store_when_write_returns() -> None:
    store = MemoryStore()
    async with Journal(store) as journal:
        await journal.write(note(0))
        assert [event.position for event in store.events()] == [0]


async def test_concurrent_writes_share_commits() -> None:
    store = CountingStore()
    async with Journal(store) as journal:
        await asyncio.gather(*(journal.write(note(n)) for n in range(500)))
    assert sum(store.batches) == 500
    assert len(store.batches) < 100


async def test_what_is_put_in_one_turn_of_the_loop_is_one_batch_and_done_in_order() -> None:
    store, order = CountingStore(), list[int]()
    async with Journal(store) as journal:
        done = [journal.put(note(position)) for position in range(50)]
        for position, one in enumerate(done):
            one.add_done_callback(lambda _, position=position: order.append(position))
        await asyncio.gather(*done)
    assert store.batches == [50]
    assert order == list(range(50))


async def test_a_write_that_failed_is_told_to_every_waiter() -> None:
    async with Journal(BrokenStore()) as journal:
        found = await asyncio.gather(*(journal.write(note(n)) for n in range(3)), return_exceptions=True)
    assert [str(error) for error in found] == ["the disk is full"] * 3


async def test_an_event_that_cannot_be_written_is_an_error_not_a_hang(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "log.db") as store:
        async with Journal(store) as journal:
            with pytest.raises(TypeError, match="not JSON serializable"):
                await journal.write(Event(position=0, kind="note", body={"what": object()}))
            await journal.write(note(1))
        assert [event.position for event in store.events()] == [1]


async def test_leaving_the_journal_writes_what_was_handed_in() -> None:
    store = MemoryStore()
    async with Journal(store) as journal:
        waiting = [asyncio.create_task(journal.write(note(n))) for n in range(10)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert len(list(store.events())) == 10


async def test_positions_are_reserved_in_program_order() -> None:
    async with Journal(MemoryStore(), next_position=10) as journal:
        assert (journal.reserve(), journal.reserve(5), journal.reserve()) == (10, 11, 16)


async def test_a_journaled_model_is_asked_once_and_then_answers_from_the_log() -> None:
    store = MemoryStore()
    model = ScriptedModel(["first"])
    async with Journal(store) as journal:
        logged = LoggedModel(model, journal, role="optimizer")
        assert (await logged.complete(ask("q"))).text == "first"
        assert (await logged.complete(ask("q"))).text == "first"
    assert len(model.requests) == 1
    assert [event.body.get("cached", False) for event in store.events()] == [False, True]


async def test_another_draw_is_another_sample() -> None:
    model = ScriptedModel(["a", "b"])
    async with Journal(MemoryStore()) as journal:
        logged = LoggedModel(model, journal, role="optimizer")
        assert [(await logged.complete(ask("q", sample_index))).text for sample_index in (0, 1)] == ["a", "b"]


async def test_a_failed_call_is_not_written_and_is_asked_again() -> None:
    store = MemoryStore()
    failed = Completion(outcome="failed", fault="server", error="500")
    model = ScriptedModel([failed, "now"])
    async with Journal(store) as journal:
        logged = LoggedModel(model, journal, role="optimizer")
        assert (await logged.complete(ask("q"))).outcome == "failed"
        assert list(store.events()) == []
        assert (await logged.complete(ask("q"))).text == "now"


async def test_calls_keep_their_places_whichever_answers_first() -> None:
    store = MemoryStore()
    gates = {name: asyncio.Event() for name in "abc"}

    class Gated:
        name = "gated"

        async def complete(self, request: Request) -> Completion:
            text = request.messages[0].content
            await gates[text].wait()
            return Completion(text=text)

        async def aclose(self) -> None:
            pass

    async with Journal(store) as journal:
        logged = LoggedModel(Gated(), journal, role="optimizer")
        calls = [asyncio.create_task(logged.complete(ask(name))) for name in "abc"]
        for name in "cab":
            await asyncio.sleep(0)
            gates[name].set()
        await asyncio.gather(*calls)
    assert [event.body["completion"] for event in store.events()] == [
        {"text": name, "tokens": [0, 0]} for name in "abc"
    ]


async def test_a_closed_journal_refuses_to_write() -> None:
    with pytest.raises(StoreError, match="not open"):
        await Journal(MemoryStore()).write(note(0))

"""The contract of `RunStore`."""

from __future__ import annotations

from askwell.core.errors import StoreError
from askwell.core.types import Event, EventKind
from askwell.runlog.store import UNORDERED, RunStore
from askwell.testing.expect import raises

TEXTS = ("", "a\nb", "naïve — ≤ 🙂", "\ud800 lone surrogate", "null\0byte", "'; DROP TABLE")
"""Texts that a store may lose or change: each has been lost by some database or encoding."""


def make_event(position: int, text: str = "x", *, kind: EventKind = "note", key: str = "") -> Event:
    """Build an event with a text."""
    return Event(position=position, kind=kind, body={"text": text}, key=key)


class RunStoreContract:
    """Inherit this class and give it a fixture `store`: an empty store, made anew for each test."""

    def test_events_come_in_order_of_position_whatever_the_order_of_writing(self, store: RunStore) -> None:
        store.append([make_event(5, "e"), make_event(2, "b")])
        store.append([make_event(3, "c")])
        assert [(event.position, event.body["text"]) for event in store.events()] == [(2, "b"), (3, "c"), (5, "e")]

    def test_after_is_exclusive_and_kinds_select(self, store: RunStore) -> None:
        store.append([make_event(0), make_event(1, kind="step"), make_event(2), make_event(3, kind="step")])
        assert [event.position for event in store.events(after=1)] == [2, 3]
        assert [event.position for event in store.events(kinds=["step"])] == [1, 3]

    def test_appending_an_equal_event_again_does_nothing(self, store: RunStore) -> None:
        store.append([make_event(0, "a"), make_event(1, "b")])
        store.append([make_event(1, "b"), make_event(2, "c")])
        assert [event.body["text"] for event in store.events()] == ["a", "b", "c"]

    def test_a_different_event_at_a_taken_position_is_refused_and_nothing_of_its_batch_is_written(
        self, store: RunStore
    ) -> None:
        store.append([make_event(0, "a")])
        with raises(StoreError, "position 0"):
            store.append([make_event(7, "new"), make_event(0, "other"), make_event(8, "new")])
        assert [event.position for event in store.events()] == [0]

    def test_times_do_not_make_events_different(self, store: RunStore) -> None:
        store.append([Event(position=0, kind="note", body={}, at=1.0, seconds=2.0)])
        store.append([Event(position=0, kind="note", body={}, at=9.0, seconds=9.0)])
        assert [(event.at, event.seconds) for event in store.events()] == [(1.0, 2.0)]

    def test_unordered_events_come_after_all_others_in_order_of_arrival(self, store: RunStore) -> None:
        store.append([make_event(UNORDERED, "first"), make_event(UNORDERED, "second")])
        store.append([make_event(4, "fixed"), make_event(UNORDERED, "third")])
        assert [event.body["text"] for event in store.events()] == ["fixed", "first", "second", "third"]

    def test_find_returns_the_first_event_by_position_with_the_key(self, store: RunStore) -> None:
        store.append([make_event(9, "late", key="k"), make_event(3, "early", key="k"), make_event(1, "none")])
        first = store.find("k")
        assert first is not None
        assert first.body["text"] == "early"
        assert store.find("other") is None
        at_position = store.find("k", position=9)
        assert at_position is not None
        assert at_position.body["text"] == "late"
        assert store.find("k", position=1) == first
        assert store.find("") is None

    def test_find_sees_what_was_written_earlier_in_the_order_but_later_in_time(self, store: RunStore) -> None:
        store.append([make_event(9, "late", key="k")])
        store.append([make_event(3, "early", key="k"), make_event(4, "other", key="l")])
        events = [store.find("k"), store.find("k", position=4), store.find("k", position=9)]
        assert [event.body["text"] for event in events if event] == ["early", "early", "late"]

    def test_a_key_that_was_missing_is_found_once_it_is_written(self, store: RunStore) -> None:
        store.append([make_event(0, key="k0")])
        assert store.find("k1") is None
        store.append([make_event(1, key="k1"), make_event(2, key="k2")])
        assert [event.position for key in ("k0", "k1", "k2") if (event := store.find(key))] == [0, 1, 2]

    def test_the_store_stamps_events_without_a_time(self, store: RunStore) -> None:
        store.append([make_event(0)])
        assert [event.at > 1_600_000_000 for event in store.events()] == [True]

    def test_any_text_is_read_as_it_was_written(self, store: RunStore) -> None:
        store.append(make_event(position, text) for position, text in enumerate(TEXTS))
        assert [event.body for event in store.events()] == [{"text": text} for text in TEXTS]

    def test_many_events_are_all_there(self, store: RunStore) -> None:
        store.append(make_event(position) for position in range(5_001))
        assert [event.position for event in store.events()] == list(range(5_001))

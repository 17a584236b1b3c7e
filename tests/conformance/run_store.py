"""What every `RunStore` must do. A store's tests inherit this class and say how one is made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from askwell.core.errors import StoreError
from askwell.core.types import Event
from askwell.runlog.store import UNORDERED, RunStore


def event(position: int, text: str = "x", *, kind: str = "note", key: str = "") -> Event:
    return Event(position=position, kind=kind, body={"text": text}, key=key)  # type: ignore[arg-type]


class RunStoreContract:
    @pytest.fixture
    def store(self) -> Iterator[RunStore]:
        raise NotImplementedError

    def test_events_come_in_order_of_position_whatever_the_order_of_writing(self, store: RunStore) -> None:
        store.append([event(5, "e"), event(2, "b")])
        store.append([event(3, "c")])
        assert [(one.position, one.body["text"]) for one in store.events()] == [(2, "b"), (3, "c"), (5, "e")]

    def test_after_is_exclusive_and_kinds_select(self, store: RunStore) -> None:
        store.append([event(0), event(1, kind="step"), event(2), event(3, kind="step")])
        assert [one.position for one in store.events(after=1)] == [2, 3]
        assert [one.position for one in store.events(kinds=["step"])] == [1, 3]

    def test_appending_an_equal_event_again_does_nothing(self, store: RunStore) -> None:
        store.append([event(0, "a"), event(1, "b")])
        store.append([event(1, "b"), event(2, "c")])
        assert [one.body["text"] for one in store.events()] == ["a", "b", "c"]

    def test_a_different_event_at_a_taken_position_is_refused_and_nothing_of_its_batch_is_written(
        self, store: RunStore
    ) -> None:
        store.append([event(0, "a")])
        with pytest.raises(StoreError, match="position 0"):
            store.append([event(7, "new"), event(0, "other"), event(8, "new")])
        assert [one.position for one in store.events()] == [0]

    def test_times_do_not_make_events_different(self, store: RunStore) -> None:
        store.append([Event(position=0, kind="note", body={}, at=1.0, seconds=2.0)])
        store.append([Event(position=0, kind="note", body={}, at=9.0, seconds=9.0)])
        [found] = store.events()
        assert (found.at, found.seconds) == (1.0, 2.0)

    def test_events_aside_stand_behind_all_others_in_order_of_arrival(self, store: RunStore) -> None:
        store.append([event(UNORDERED, "first"), event(UNORDERED, "second")])
        store.append([event(4, "fixed"), event(UNORDERED, "third")])
        assert [one.body["text"] for one in store.events()] == ["fixed", "first", "second", "third"]

    def test_find_returns_the_first_event_by_position_with_the_key(self, store: RunStore) -> None:
        store.append([event(9, "late", key="k"), event(3, "early", key="k"), event(1, "none")])
        found = store.find("k")
        assert found is not None
        assert found.body["text"] == "early"
        assert store.find("other") is None
        here = store.find("k", position=9)
        assert here is not None
        assert here.body["text"] == "late"
        assert store.find("k", position=1) == found
        assert store.find("") is None

    def test_find_sees_what_was_written_earlier_in_the_order_but_later_in_time(self, store: RunStore) -> None:
        store.append([event(9, "late", key="k")])
        store.append([event(3, "early", key="k"), event(4, "other", key="l")])
        found = [store.find("k"), store.find("k", position=4), store.find("k", position=9)]
        assert [one.body["text"] for one in found if one] == ["early", "early", "late"]

    def test_a_key_that_was_not_there_is_found_once_it_is_written(self, store: RunStore) -> None:
        store.append([event(0, key="k0")])
        assert store.find("k1") is None
        store.append([event(1, key="k1"), event(2, key="k2")])
        assert [one.position for key in ("k0", "k1", "k2") if (one := store.find(key))] == [0, 1, 2]

    def test_the_store_stamps_events_without_a_time(self, store: RunStore) -> None:
        store.append([event(0)])
        assert next(store.events()).at > 1_600_000_000

    @pytest.mark.parametrize(
        "text", ["", "a\nb", "naïve — ≤ 🙂", "\ud800 lone surrogate", "null\0byte", "'; DROP TABLE"]
    )
    def test_any_text_comes_back_as_it_was(self, store: RunStore, text: str) -> None:
        store.append([event(0, text)])
        assert next(store.events()).body == {"text": text}

    def test_many_events_are_all_there(self, store: RunStore) -> None:
        store.append(event(position) for position in range(5_001))
        assert [one.position for one in store.events()] == list(range(5_001))

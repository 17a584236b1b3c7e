"""Both stores keep the contract; the file store also survives what happens to files."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from askwell.core.errors import StoreError
from askwell.core.types import Event
from askwell.runlog.store import MemoryStore, RunStore, SqliteStore
from askwell.testing import RunStoreContract
from askwell.testing.run_store import make_event


class TestMemoryStore(RunStoreContract):
    @pytest.fixture
    def store(self) -> RunStore:
        return MemoryStore()


class TestSqliteStore(RunStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RunStore]:
        with SqliteStore(tmp_path / "run" / "log.db") as store:
            yield store

    def test_what_was_written_is_there_when_the_file_is_opened_again(self, tmp_path: Path) -> None:
        with SqliteStore(tmp_path / "log.db") as store:
            store.append([make_event(0, "kept", key="k")])
        with SqliteStore(tmp_path / "log.db") as store:
            assert next(store.events()).body == {"text": "kept"}
            assert store.find("k") is not None

    def test_a_reader_finds_by_key_too_and_keys_of_one_hash_are_told_apart(self, tmp_path: Path) -> None:
        class Twin(str):
            __slots__ = ()

            def __hash__(self) -> int:
                return 7

        with SqliteStore(tmp_path / "log.db") as store:
            store.append([make_event(0, "a", key=Twin("a")), make_event(1, "b", key=Twin("b"))])
            found = [store.find(Twin(name)) for name in "abc"]
            assert [one and one.body["text"] for one in found] == ["a", "b", None]
        with SqliteStore(tmp_path / "log.db", read_only=True) as reader:
            found = [reader.find(name, position=0) for name in "abc"]
            assert [one and one.body["text"] for one in found] == ["a", "b", None]

    def test_keys_are_found_when_the_file_is_opened_again(self, tmp_path: Path) -> None:
        with SqliteStore(tmp_path / "log.db") as store:
            store.append([make_event(number, key=f"k{number}") for number in range(300)])
        for read_only in (True, False):
            with SqliteStore(tmp_path / "log.db", read_only=read_only) as store:
                found = [store.find(f"k{number}") for number in range(301)]
                assert [one.position if one else None for one in found] == [*range(300), None]

    def test_it_can_be_read_while_it_is_written(self, tmp_path: Path) -> None:
        with SqliteStore(tmp_path / "log.db") as writer, SqliteStore(tmp_path / "log.db", read_only=True) as reader:
            writer.append([make_event(0)])
            assert len(list(reader.events())) == 1
            writer.append([make_event(1)])
            assert len(list(reader.events())) == 2

    def test_a_second_writer_is_refused_while_the_first_lives(self, tmp_path: Path) -> None:
        refusal = pytest.raises(StoreError, match="'a' is being written by another process")
        with SqliteStore(tmp_path / "a" / "log.db"), refusal:
            SqliteStore(tmp_path / "a" / "log.db")
        SqliteStore(tmp_path / "a" / "log.db").close()

    def test_a_reader_cannot_write(self, tmp_path: Path) -> None:
        SqliteStore(tmp_path / "log.db").close()
        with SqliteStore(tmp_path / "log.db", read_only=True) as store, pytest.raises(StoreError, match="read-only"):
            store.append([make_event(0)])

    def test_a_file_that_is_no_log_is_refused_by_name(self, tmp_path: Path) -> None:
        path = tmp_path / "log.db"
        path.write_bytes(b"this is not a database, it is a shopping list; " * 100)
        with pytest.raises(StoreError, match=r"log\.db"):
            SqliteStore(path)

    def test_a_log_of_another_format_is_refused(self, tmp_path: Path) -> None:
        SqliteStore(tmp_path / "log.db").close()
        connection = sqlite3.connect(tmp_path / "log.db")
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        with pytest.raises(StoreError, match="format 99"):
            SqliteStore(tmp_path / "log.db")

    def test_threads_may_read_while_one_appends(self, tmp_path: Path) -> None:
        with SqliteStore(tmp_path / "log.db") as store:
            counts: list[int] = []
            stop = threading.Event()

            def read() -> None:
                while not stop.is_set():
                    counts.append(len(list(store.events())))

            reader = threading.Thread(target=read)
            reader.start()
            for start in range(0, 500, 10):
                store.append(make_event(start + offset, key=f"{start + offset}") for offset in range(10))
            stop.set()
            reader.join()
            assert all(count % 10 == 0 for count in counts)  # a batch is seen whole or not at all
            assert counts == sorted(counts)

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
    def test_an_acknowledged_batch_survives_kill_9(self, tmp_path: Path) -> None:
        path = tmp_path / "log.db"
        context = multiprocessing.get_context("spawn")
        for _ in range(3):
            acknowledged = context.Value("i", -1)
            writer = context.Process(target=_write_forever, args=(path, acknowledged))
            writer.start()
            while acknowledged.value < 0 or acknowledged.value % 7:
                time.sleep(0.001)
            last = acknowledged.value
            os.kill(writer.pid or 0, signal.SIGKILL)
            writer.join()
            with SqliteStore(path, read_only=True) as store:
                positions = [one.position for one in store.events()]
            assert positions == list(range(len(positions)))
            assert len(positions) > last
            assert len(positions) % 3 == 0  # batches of three: whole or not at all


def _write_forever(path: Path, acknowledged: object) -> None:
    with SqliteStore(path) as store:
        position = len(list(store.events()))
        while True:
            store.append(Event(position=position + offset, kind="note", body={}) for offset in range(3))
            acknowledged.value = position  # type: ignore[attr-defined]
            position += 3

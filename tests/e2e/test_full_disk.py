"""A disk that is full and a folder that is read-only: a clear error, what was committed stays, and resuming works."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from askwell.core.errors import ConfigError, StoreError
from askwell.core.types import Event
from askwell.runlog import transfer
from askwell.runlog.fold import fold
from askwell.runlog.store import MemoryStore, SqliteStore
from tests.support.harness import assert_same_events, ended, events, invoke, optimize_flags, serving, start

NOBODY = 65534
FILE_BYTES = 150_000


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], None]]:
    """Makes a folder read-only, also for root: permissions are checked as those of nobody until the test ends."""
    is_root = os.geteuid() == 0
    made: list[Path] = []

    def make(folder: Path) -> None:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        made.append(folder)
        if is_root:
            os.setresuid(NOBODY, NOBODY, 0)

    yield make
    if is_root:
        os.setresuid(0, 0, 0)
    for folder in made:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def folder() -> Path:
    """A folder that anybody may enter, which pytest's own are not."""
    place = Path(mkdtemp(prefix="askwell-test-"))
    place.chmod(0o755)
    return place


def note(position: int, text: str = "x") -> Event:
    return Event(position=position, kind="note", body={"text": text})


@pytest.mark.slow
def test_a_run_on_a_full_disk_says_so_keeps_what_it_has_and_is_resumed(tmp_path: Path) -> None:
    def no_room() -> None:  # as a full disk does: a write past the limit fails, whatever the program does
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))

    with serving() as server:
        flags = optimize_flags(server)
        run = ended(start("optimize", *flags, "--run", "r", cwd=tmp_path, preexec_fn=no_room))
        assert run.status == 2, run.err
        assert "cannot write to the run log 'runs/r/log.db'" in run.err
        assert "what was committed before is safe" in run.err
        assert "Traceback" not in run.err
        kept = events(tmp_path / "runs" / "r" / "log.db")
        assert any(event.kind == "rollout" for event in kept)
        runs = tmp_path / "runs"
        resumed = invoke("optimize", "--resume", "r", "--runs", runs)
        assert resumed.status == 0, resumed.err
        assert invoke("optimize", *flags, "--run", "clean", "--runs", runs).status == 0
        assert set(server.answered.values()) <= {2, 3}  # the calls in flight when the disk filled up were lost
    whole = events(runs / "r" / "log.db")
    assert [event for event in whole if event in kept] == kept
    assert_same_events(whole[1:], events(runs / "clean" / "log.db")[1:])


def test_a_batch_that_does_not_fit_is_not_written_at_all(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "log.db") as store:
        store.append([note(0), note(1)])
    connection = sqlite3.connect(tmp_path / "log.db")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.close()
    with SqliteStore(tmp_path / "log.db") as store:
        assert store._writer is not None  # pyright: ignore[reportPrivateUsage]  SQLite's own limit on its file
        store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(StoreError, match="database or disk is full; what was committed before is safe"):
            store.append(note(position, "x" * 1000) for position in range(2, 100))
        store.append([note(2)])
        assert [event.position for event in store.events()] == [0, 1, 2]


def test_a_new_run_in_a_read_only_folder_is_refused(folder: Path, read_only: Callable[[Path], None]) -> None:
    read_only(folder)
    with pytest.raises(StoreError, match=r"cannot write in the run folder '.*': Permission denied"):
        SqliteStore(folder / "r" / "log.db")


def test_a_run_in_a_read_only_folder_can_be_read_but_not_resumed(
    folder: Path, read_only: Callable[[Path], None]
) -> None:
    with serving() as server:
        assert invoke("optimize", *optimize_flags(server), "--run", "r", "--runs", folder).status == 0
        before = invoke("show", "r", "--runs", folder, "--json").json
        read_only(folder)
        assert invoke("show", "r", "--runs", folder, "--json").json == before
        assert "finished" in invoke("runs", "--runs", folder).out
        with SqliteStore(folder / "r" / "log.db", read_only=True) as store:
            assert len(fold(store).trajectory)
        resumed = invoke("optimize", "--resume", "r", "--runs", folder)
    assert resumed.status == 2
    assert "cannot write in the run folder" in resumed.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_export_to_a_full_disk_is_told() -> None:
    store = MemoryStore()
    store.append(note(position, "x" * 1000) for position in range(100))
    with pytest.raises(ConfigError, match="cannot write '/dev/full': No space left on device"):
        transfer.export_log(store, Path("/dev/full"), form="jsonl")

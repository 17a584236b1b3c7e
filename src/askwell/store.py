"""The run log: an append-only table of events, in memory or in one SQLite file.

A run is a folder with `log.db` in it (WAL mode: readable while it is written). One process writes at a time, held by a
lock file; any number may read.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Protocol, cast

from askwell.errors import StoreError
from askwell.marks import KeyMarks
from askwell.types import Event, EventKind

ASIDE = -1
"""Position of an event outside the run's fixed order (an incident): the store gives it a place at the end."""

_ASIDE_BASE = 1 << 40
_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_key ON events (key) WHERE key != '';
"""
_COLUMNS = "position, kind, key, at, seconds, body"
_FIND = f"SELECT {_COLUMNS} FROM events WHERE key = ? AND key != '' ORDER BY position != ?, position LIMIT 1"  # noqa: S608
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_Row = tuple[int, str, str, float, float, str]


class RunStore(Protocol):
    """Where a run's events are kept.

    Contract: `append` writes all of a batch or none of it, and the batch is durable when it returns. Appending an event
    equal to the one already at its position does nothing; a different one raises `StoreError` and writes nothing.
    Events at `ASIDE` get the next free position after all fixed ones. `events` yields in ascending position, only
    committed ones; `after` is exclusive. `find` returns the event with this key at `position`, or else the first one,
    by position, with this key.
    """

    def append(self, events: Iterable[Event]) -> None: ...

    def events(self, *, after: int = -1, kinds: Collection[EventKind] = ()) -> Iterator[Event]: ...

    def find(self, key: str, *, position: int = ASIDE) -> Event | None: ...

    def close(self) -> None: ...


class MemoryStore:
    """A run log that lives and dies with the process."""

    def __init__(self) -> None:
        self._events: dict[int, Event] = {}
        self._by_key: dict[str, Event] = {}
        self._lock = threading.Lock()

    def append(self, events: Iterable[Event]) -> None:
        with self._lock:
            fresh: dict[int, Event] = {}
            aside = max(_ASIDE_BASE, max(self._events, default=0) + 1)
            for event in events:
                placed = _placed(event, aside)
                aside += event.position == ASIDE
                known = self._events.get(placed.position) or fresh.get(placed.position)
                if known is None:
                    fresh[placed.position] = placed
                elif known != placed:
                    raise _conflict(known, placed)
            self._events.update(fresh)
            for event in fresh.values():
                known = self._by_key.get(event.key)
                if event.key and (known is None or event.position < known.position):
                    self._by_key[event.key] = event

    def events(self, *, after: int = -1, kinds: Collection[EventKind] = ()) -> Iterator[Event]:
        with self._lock:
            positions = sorted(position for position in self._events if position > after)
            found = [self._events[position] for position in positions]
        return iter([event for event in found if not kinds or event.kind in kinds])

    def find(self, key: str, *, position: int = ASIDE) -> Event | None:
        with self._lock:
            here = self._events.get(position)
            return here if here is not None and key and here.key == key else self._by_key.get(key)

    def close(self) -> None:
        """Nothing to free."""


class SqliteStore:
    """A run log in one file. `read_only` opens a log that another process may be writing.

    Raises `StoreError` where the file can't be opened, is another program's, or is being written by another process.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._write_lock = threading.Lock()
        self._lock_file = None if read_only else _take_lock(path)
        self._marks: KeyMarks | None = None
        try:
            self._writer = None if read_only else self._open_writer()
            self._reader = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
            self._reader_lock = threading.Lock()
            self._check_format()
        except StoreError:
            self.close()
            raise
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise StoreError(f"cannot open the run log {str(path)!r}: {error}") from error

    def append(self, events: Iterable[Event]) -> None:
        if self._writer is None:
            raise StoreError(f"the run log {str(self.path)!r} was opened read-only")
        batch = list(events)
        with self._write_lock:
            try:
                self._append(self._writer, batch)
            except (sqlite3.Error, OSError) as error:
                raise StoreError(
                    f"cannot write to the run log {str(self.path)!r}: {error}; what was committed before is safe, "
                    "free the disk or fix the folder's permissions and resume"
                ) from error

    def events(self, *, after: int = -1, kinds: Collection[EventKind] = ()) -> Iterator[Event]:
        where = f" AND kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        query = f"SELECT {_COLUMNS} FROM events WHERE position > ?{where} ORDER BY position LIMIT 2000"  # noqa: S608
        while True:
            rows = self._read(query, (after, *kinds))
            yield from map(_event, rows)
            if len(rows) < 2000:
                return
            after = rows[-1][0]

    def find(self, key: str, *, position: int = ASIDE) -> Event | None:
        if self._writer is not None and not self._marked().may_hold(key):
            return None
        return next(map(_event, self._read(_FIND, (key, position))), None)

    def close(self) -> None:
        with contextlib.suppress(AttributeError):  # a store whose opening failed half-way
            self._reader.close()
        self._release()

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _marked(self) -> KeyMarks:
        """Return the marks of every key in the log; only the one who writes it can know them."""
        if self._marks is None:
            with self._write_lock, self._reader_lock:
                try:
                    keys = self._reader.execute("SELECT key FROM events WHERE key != ''")
                    self._marks = KeyMarks(key for (key,) in keys)
                except sqlite3.Error as error:
                    raise self._unreadable(error) from error
        return self._marks

    def _unreadable(self, error: sqlite3.Error) -> StoreError:
        return StoreError(f"cannot read the run log {str(self.path)!r}: {error}")

    def _open_writer(self) -> sqlite3.Connection:
        if not self.path.exists():
            _create(self.path)
        writer = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA synchronous = FULL")  # with group commit the price is one fsync per batch
        if writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            writer.execute(f"PRAGMA user_version = {_FORMAT}")
        writer.executescript(_SCHEMA)
        return writer

    def _check_format(self) -> None:
        version = int(self._reader.execute("PRAGMA user_version").fetchone()[0])
        is_empty = not self._reader.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version != _FORMAT and not is_empty:  # empty: made a moment ago, or left so by a process that was killed
            raise StoreError(f"the run log {str(self.path)!r} has format {version}, this askwell reads {_FORMAT}")

    def _read(self, query: str, parameters: tuple[object, ...]) -> list[_Row]:
        try:
            with self._reader_lock:
                return cast("list[_Row]", self._reader.execute(query, parameters).fetchall())
        except sqlite3.Error as error:
            if str(error).startswith("no such table"):
                return []  # a log that was made a moment ago
            raise self._unreadable(error) from error

    def _append(self, writer: sqlite3.Connection, batch: list[Event]) -> None:
        writer.execute("BEGIN IMMEDIATE")
        try:
            rows = list(self._rows(writer, batch))
            if self._marks is not None:
                self._marks.add(event.key for event in batch)
            before = writer.total_changes
            writer.executemany(f"INSERT OR IGNORE INTO events ({_COLUMNS}) VALUES (?,?,?,?,?,?)", rows)  # noqa: S608
            if writer.total_changes - before < len(rows):
                self._refuse_conflicts(writer, rows)
            writer.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise

    def _rows(self, writer: sqlite3.Connection, batch: list[Event]) -> Iterator[_Row]:
        aside = _ASIDE_BASE
        if any(event.position == ASIDE for event in batch):
            last = cast("int | None", writer.execute("SELECT max(position) FROM events").fetchone()[0])
            aside = max(aside, (last or 0) + 1)
        now = time.time()
        for event in batch:
            place = event.position
            if place == ASIDE:
                place, aside = aside, aside + 1
            yield (place, event.kind, event.key, event.at or now, event.seconds, dump_body(event.body))

    def _refuse_conflicts(self, writer: sqlite3.Connection, rows: list[_Row]) -> None:
        for row in rows:
            found = writer.execute(f"SELECT {_COLUMNS} FROM events WHERE position = ?", (row[0],)).fetchone()  # noqa: S608
            known, given = _event(cast("_Row", found)), _event(row)
            if known != given:
                raise _conflict(known, given)

    def _release(self) -> None:
        writer = getattr(self, "_writer", None)
        if writer is not None:
            writer.close()
            self._writer = None
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None


def _create(path: Path) -> None:
    """Make an empty log under another name first: a process that is killed meanwhile leaves no half-made one."""
    draft = path.with_suffix(".new")
    for stale in path.parent.glob(f"{draft.name}*"):
        stale.unlink()
    writer = sqlite3.connect(draft, isolation_level=None)
    try:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute(f"PRAGMA user_version = {_FORMAT}")
        writer.executescript(_SCHEMA)
    finally:
        writer.close()
    draft.replace(path)


def dump_body(body: Mapping[str, object]) -> str:
    """Write a body as JSON text that any UTF-8 file can hold (a lone surrogate is escaped, not lost)."""
    text = _as_json(body)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":"))
    return text


def _placed(event: Event, aside: int) -> Event:
    if event.position != ASIDE and event.at:
        return event
    return Event(
        position=aside if event.position == ASIDE else event.position,
        kind=event.kind,
        body=event.body,
        key=event.key,
        at=event.at or time.time(),
        seconds=event.seconds,
    )


def _event(row: _Row) -> Event:
    position, kind, key, at, seconds, body = row
    return Event(
        position=position, kind=cast("EventKind", kind), body=json.loads(body), key=key, at=at, seconds=seconds
    )


def _conflict(known: Event, given: Event) -> StoreError:
    return StoreError(
        f"position {given.position} of the run log holds a {known.kind!r} event, and a different {given.kind!r} event "
        f"was to be written there: the run's settings, data or code changed since it began; start a new run"
    )


def _take_lock(path: Path) -> IO[str]:
    """Hold the log for writing. The lock goes with the process, also when it is killed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.with_suffix(".lock").open("a+")
    except OSError as error:
        raise StoreError(f"cannot write in the run folder {str(path.parent)!r}: {error.strerror or error}") from error
    try:
        _lock(handle)
    except OSError as error:
        handle.close()
        raise StoreError(f"the run {path.parent.name!r} is being written by another process; wait for it") from error
    return handle


def _lock(handle: IO[str]) -> None:
    if os.name == "nt":  # pragma: no cover
        import msvcrt

        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

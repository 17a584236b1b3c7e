"""The run log: an append-only table of events, in memory or in one SQLite file.

A run is a folder with `log.db` in it (WAL mode: readable while it is written). One process writes at a time, held by a
lock file; any number may read.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from askwell.core.errors import StoreError
from askwell.core.types import Event, EventKind
from askwell.runlog.codec import FORMAT
from askwell.runlog.rows import EventRow, RolloutRow, UsageRow, decode_cells, decode_event, decode_row, usage_rows
from askwell.runlog.sqlite_file import SCHEMA, create_log, open_reader, take_lock

UNORDERED = -1
"""Position of an event outside the run's fixed order (an incident): the store gives it a free one at the end."""

_UNORDERED_BASE = 1 << 40
BEFORE_UNORDERED = _UNORDERED_BASE - 1
"""`events(after=BEFORE_UNORDERED)` yields the unordered events without reading the others."""
_COLUMNS = "position, kind, key, at, seconds, body"
_AT = f"SELECT {_COLUMNS} FROM events WHERE position = ? AND key = ?"  # noqa: S608
_FIRST = f"SELECT {_COLUMNS} FROM events WHERE key = ? ORDER BY position LIMIT 1"  # noqa: S608
_CELLS = """
SELECT position, json_extract(body, '$.split', '$.prompt', '$.example', '$.sample_index', '$.score[0]', '$.cached')
FROM events WHERE kind = 'rollout' AND position > ? ORDER BY position LIMIT 2000
"""
"""With several paths, SQLite returns JSON text that keeps every digit of the numbers."""
_USAGE = """
SELECT {role}, count(*), count(*) FILTER (WHERE json_extract(body, '$.completion.outcome') = 'failed'),
    sum(json_extract(body, '$.completion.tokens[0]')), sum(json_extract(body, '$.completion.tokens[1]')),
    sum(json_extract(body, '$.completion.cost_usd')), sum(seconds)
FROM events WHERE kind = '{kind}' AND json_extract(body, '$.cached') IS NULL
"""
_TARGET_USAGE = _USAGE.format(role="'target'", kind="rollout")  # no GROUP BY: it would take twice as long
_OTHER_USAGE = _USAGE.format(role="json_extract(body, '$.role')", kind="call") + " GROUP BY 1"
_UNCOUNTED = """
SELECT min(position) FROM events WHERE kind IN ('rollout', 'call') AND NOT (
    json_type(body, '$.completion.tokens[0]') IS 'integer' AND json_type(body, '$.completion.tokens[1]') IS 'integer')
"""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ROWS_AT_ONCE = 64


class RunStore(Protocol):
    """Where a run's events are kept.

    Contract: `append` writes all of a batch or none of it, and the batch is durable when it returns. Appending an event
    equal to the one already at its position does nothing; a different one raises `StoreError` and writes nothing.
    Events at `UNORDERED` get the next free position after all fixed ones. `events` yields in ascending position, only
    committed ones; `after` is exclusive. `find` returns the event with this key at `position`, or else the first one,
    by position, with this key. `rollout_rows` and `usage` read no texts: the first yields one row per rollout, in
    ascending position, the second yields rows that add up to what was spent. `name` is the run's name in messages,
    None if it has none.
    """

    @property
    def name(self) -> str | None: ...

    def append(self, events: Iterable[Event]) -> None: ...

    def events(self, *, after: int = -1, kinds: Collection[EventKind] = ()) -> Iterator[Event]: ...

    def find(self, key: str, *, position: int = UNORDERED) -> Event | None: ...

    def rollout_rows(self) -> Iterator[RolloutRow]: ...

    def usage(self) -> Iterable[UsageRow]: ...

    def close(self) -> None: ...


class MemoryStore:
    """A run log in memory."""

    def __init__(self) -> None:
        self._events: dict[int, Event] = {}
        self._by_key: dict[str, Event] = {}
        self._lock = threading.Lock()
        self.name = None

    def append(self, events: Iterable[Event]) -> None:
        with self._lock:
            fresh: dict[int, Event] = {}
            unordered = max(_UNORDERED_BASE, max(self._events, default=0) + 1)
            for event in events:
                placed = _placed(event, unordered)
                unordered += event.position == UNORDERED
                present = self._events.get(placed.position) or fresh.get(placed.position)
                if present is None:
                    fresh[placed.position] = placed
                elif present != placed:
                    raise _conflict(present, placed)
            self._events.update(fresh)
            for event in fresh.values():
                first = self._by_key.get(event.key)
                if event.key and (first is None or event.position < first.position):
                    self._by_key[event.key] = event

    def events(self, *, after: int = -1, kinds: Collection[EventKind] = ()) -> Iterator[Event]:
        with self._lock:
            positions = sorted(position for position in self._events if position > after)
            events = [self._events[position] for position in positions]
        return iter([event for event in events if not kinds or event.kind in kinds])

    def find(self, key: str, *, position: int = UNORDERED) -> Event | None:
        with self._lock:
            here = self._events.get(position)
            return here if here is not None and key and here.key == key else self._by_key.get(key)

    def rollout_rows(self) -> Iterator[RolloutRow]:
        return map(decode_row, self.events(kinds=["rollout"]))

    def usage(self) -> Iterable[UsageRow]:
        return usage_rows(self.events(kinds=["rollout", "call"]))

    def close(self) -> None:
        """Nothing to free."""


class SqliteStore:
    """A run log in one file. `read_only` opens a log that another process may be writing.

    `any_format` is for the converter alone: it opens older logs, of which only `events` may be read. Raises
    `StoreError` if the file can't be opened, has another format, or is being written by another process.
    """

    def __init__(self, path: Path, *, read_only: bool = False, any_format: bool = False) -> None:
        self.path = path
        self.name: str | None = path.absolute().parent.name
        self._write_lock = threading.Lock()
        self._lock_file = None if read_only else take_lock(path)
        self._first: dict[int, int] = {}
        """Hash of a key -> first position that has it; complete in a store that writes."""
        try:
            self._writer = None if read_only else self._open_writer()
            self._reader = open_reader(path)
            self._reader_lock = threading.Lock()
            if not any_format:
                self._check_format()
            if not read_only:
                rows = self._reader.execute("SELECT position, key FROM events WHERE key != '' ORDER BY position DESC")
                self._first.update((hash(key), position) for position, key in rows)  # the first of equal keys stays
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
            for row in rows:
                yield decode_event(row, run=self.name)
            if len(rows) < 2000:
                return
            after = rows[-1][0]

    def find(self, key: str, *, position: int = UNORDERED) -> Event | None:
        if not key:
            return None
        first = self._first.get(hash(key))
        if first is None and self._writer is not None:
            return None  # most keys are new, and a query for each would cost 20 µs
        positions = [number for number in (position, first) if number is not None and number != UNORDERED]
        rows = [row for number in positions for row in self._read(_AT, (number, key))]
        # A read-only store keeps no keys, and two keys may have one hash.
        matching = rows or self._read(_FIRST, (key,))
        return decode_event(matching[0], run=self.name) if matching else None

    def rollout_rows(self) -> Iterator[RolloutRow]:
        after = -1
        while True:
            rows = self._read(_CELLS, (after,))
            yield from decode_cells(rows, run=self.name)
            if len(rows) < 2000:
                return
            after = rows[-1][0]

    def usage(self) -> Iterable[UsageRow]:
        for query in (_TARGET_USAGE, _OTHER_USAGE):
            for role, calls, failed, prompt_tokens, completion_tokens, cost, seconds in self._read(query, ()):
                if calls:
                    if not (isinstance(prompt_tokens, int) and isinstance(completion_tokens, int)):
                        raise StoreError(
                            f"run {self.name!r}, position {self._find_uncounted()}: completion.tokens is not two "
                            "whole numbers; the log is damaged or was edited"
                        )
                    yield UsageRow(role, False, calls - failed, prompt_tokens, completion_tokens, cost, seconds)
                    yield UsageRow(role, True, failed, 0, 0, None, 0.0)

    def close(self) -> None:
        with contextlib.suppress(AttributeError):  # a store whose opening failed half-way
            self._reader.close()
        self._release()

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_writer(self) -> sqlite3.Connection:
        if not self.path.exists():
            create_log(self.path)
        writer = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA synchronous = FULL")  # with group commit the price is one fsync per batch
        if writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            writer.execute(f"PRAGMA user_version = {FORMAT}")
        writer.executescript(SCHEMA)
        return writer

    def _check_format(self) -> None:
        version = int(self._reader.execute("PRAGMA user_version").fetchone()[0])
        is_empty = not self._reader.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version == FORMAT or is_empty:  # empty: created a moment ago, or by a process that was killed
            return
        what_to_do = (
            f"convert it: askwell log import {shlex.quote(str(self.path.parent))} -o NEW"
            if 0 < version < FORMAT
            else "it is not askwell's, or a newer askwell wrote it: update askwell"
        )
        raise StoreError(f"the run log {str(self.path)!r} has format {version}, expected {FORMAT}; {what_to_do}")

    def _read(self, query: str, parameters: tuple[object, ...]) -> list[Any]:
        try:
            with self._reader_lock:
                return self._reader.execute(query, parameters).fetchall()
        except (sqlite3.Error, OverflowError) as error:
            if str(error).startswith("no such table"):
                return []  # a log that was made a moment ago
            where = self._find_malformed() if "JSON" in str(error) else ""
            raise StoreError(f"cannot read the run log {str(self.path)!r}: {where}{error}") from error

    def _find_malformed(self) -> str:
        """Name the first event whose body is not JSON: SQLite's own message does not."""
        query = "SELECT position FROM events WHERE json_valid(body) IS NOT 1 ORDER BY position LIMIT 1"
        with self._reader_lock:
            row = self._reader.execute(query).fetchone()
        return "" if row is None else f"position {row[0]}: "

    def _find_uncounted(self) -> int:
        """Return the position of the first call without counts of its tokens."""
        [[position]] = self._read(_UNCOUNTED, ())
        return position

    def _append(self, writer: sqlite3.Connection, batch: list[Event]) -> None:
        writer.execute("BEGIN IMMEDIATE")
        try:
            rows = list(self._rows(writer, batch))
            before = writer.total_changes
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                some = rows[start : start + _ROWS_AT_ONCE]
                # One statement for many rows: each statement releases the interpreter's lock and has to wait for the
                # busy event loop to get it back.
                values = ",".join(["(?,?,?,?,?,?)"] * len(some))
                query = f"INSERT OR IGNORE INTO events ({_COLUMNS}) VALUES {values}"  # noqa: S608
                writer.execute(query, [value for row in some for value in row])
            if writer.total_changes - before < len(rows):
                self._refuse_conflicts(writer, rows)
            writer.execute("COMMIT")
            self._index_keys((row[0], row[2]) for row in rows if row[2])
        except BaseException:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise

    def _index_keys(self, keys: Iterable[tuple[int, str]]) -> None:
        first = self._first
        for position, key in keys:
            digest = hash(key)
            earlier = first.get(digest)
            if earlier is None or position < earlier:
                first[digest] = position

    def _rows(self, writer: sqlite3.Connection, batch: list[Event]) -> Iterator[EventRow]:
        unordered, now = _UNORDERED_BASE, time.time()
        if any(event.position == UNORDERED for event in batch):
            last = cast("int | None", writer.execute("SELECT max(position) FROM events").fetchone()[0])
            unordered = max(unordered, (last or 0) + 1)
        for event in batch:
            position = event.position
            if position == UNORDERED:
                position, unordered = unordered, unordered + 1
            yield (position, event.kind, event.key, event.at or now, event.seconds, serialize_json(event.body))

    def _refuse_conflicts(self, writer: sqlite3.Connection, rows: list[EventRow]) -> None:
        for row in rows:
            stored = writer.execute(f"SELECT {_COLUMNS} FROM events WHERE position = ?", (row[0],)).fetchone()  # noqa: S608
            present, given = decode_event(stored, run=self.name), decode_event(row, run=self.name)
            if present != given:
                raise _conflict(present, given)

    def _release(self) -> None:
        writer = getattr(self, "_writer", None)
        if writer is not None:
            writer.close()
            self._writer = None
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None


def serialize_json(body: Mapping[str, object]) -> str:
    """Write a body as JSON text that any UTF-8 file can hold (a lone surrogate is escaped, not lost)."""
    text = _encode(body)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":"))
    return text


def _placed(event: Event, unordered: int) -> Event:
    if event.position != UNORDERED and event.at:
        return event
    return Event(
        position=unordered if event.position == UNORDERED else event.position,
        kind=event.kind,
        body=event.body,
        key=event.key,
        at=event.at or time.time(),
        seconds=event.seconds,
    )


def _conflict(present: Event, given: Event) -> StoreError:
    return StoreError(
        f"position {given.position} of the run log holds a {present.kind!r} event, and a different {given.kind!r} "
        f"event would replace it: the run's settings, data or code changed since it began; start a new run"
    )

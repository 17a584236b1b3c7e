"""The file of a run log: created as a whole or not at all, and locked by one writer."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import IO

from askwell.core.errors import StoreError
from askwell.runlog.codec import FORMAT

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    body TEXT NOT NULL
);
DROP INDEX IF EXISTS events_by_key;
"""
"""No index on keys: in a large log every insertion would rewrite a page of it. The writer keeps them in memory."""


def create_log(path: Path) -> None:
    """Create an empty log under another name and rename it, so that a killed process leaves no incomplete one."""
    draft = path.with_suffix(".new")
    for stale in path.parent.glob(f"{draft.name}*"):
        stale.unlink()
    writer = sqlite3.connect(draft, isolation_level=None)
    try:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute(f"PRAGMA user_version = {FORMAT}")
        writer.executescript(SCHEMA)
    finally:
        writer.close()
    draft.replace(path)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a log for reading, in a read-only folder too: there nobody can write it, so it is opened as immutable.

    Otherwise SQLite creates a file beside the log, which a read-only folder refuses.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    reader = sqlite3.connect(uri, uri=True, check_same_thread=False)
    try:
        reader.execute("PRAGMA user_version")
    except sqlite3.OperationalError:
        reader.close()
        unread = path.with_name(f"{path.name}-wal")
        if os.access(path.parent, os.W_OK) or (unread.exists() and unread.stat().st_size):
            raise
        reader = sqlite3.connect(f"{uri}&immutable=1", uri=True, check_same_thread=False)
    return reader


def take_lock(path: Path) -> IO[str]:
    """Lock the log for writing. The system releases the lock when the process ends, even if it is killed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)  # a link would create a file elsewhere
        handle = os.fdopen(os.open(path.with_suffix(".lock"), flags, 0o666), "r+")
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

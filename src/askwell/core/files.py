"""Write a file as a whole or not at all, and never through a symbolic link that somebody put in its place."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Yield the path of a draft beside a file; at the end the draft replaces the file, or a link in its place.

    After an error the draft is removed and the file is as before. A device or a pipe, such as /dev/stdout, is yielded
    itself. Raises `OSError` where the folder cannot be written.
    """
    if _is_special(path):
        yield path
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        if path.is_file() and not path.is_symlink():
            shutil.copymode(path, draft)
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file's content by `replacing` it."""
    with replacing(path) as draft:
        draft.write_bytes(data)


def _is_special(path: Path) -> bool:
    """Return whether a path is no file of a disk: its folder cannot take a draft."""
    in_system = any(part in {Path("/dev"), Path("/proc")} for part in path.absolute().parents)
    return in_system or (path.exists() and not path.is_file() and not path.is_dir())

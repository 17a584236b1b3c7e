"""Write the file that `-o` names."""

from __future__ import annotations

from pathlib import Path

from askwell.core.errors import ConfigError
from askwell.core.files import write_whole


def write_file(path: Path, data: bytes) -> None:
    """Write a file as a whole; a symbolic link is replaced, not followed. Raises `ConfigError` if that fails."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise ConfigError(f"cannot write {str(path)!r}: {error.strerror or error}; give another -o") from error

"""Write the file that `-o` names."""

from __future__ import annotations

from pathlib import Path

from askwell.errors import ConfigError


def write_file(path: Path, data: bytes) -> None:
    """Write a file. Raises `ConfigError` if that fails."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"cannot write {str(path)!r}: {error.strerror or error}; give another -o") from error

"""Nested settings as one level of dotted names, so that two runs' settings can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast


def flatten_settings(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield each setting of nested sections with its dotted name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten_settings(cast("Mapping[str, object]", value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

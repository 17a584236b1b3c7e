"""Old names of flags and commands, each with its new one: what still uses an old name is refused with the new name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COMMANDS: Mapping[str, str] = MappingProxyType({"presets": "optimizers"})
"""Command -> its new name."""

FLAGS: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "--preset": {"optimize": "--optimizer", "plan": "--optimizer", "train": "--method"},
    "--optimizer-base-url": {"optimize": "--optimizer-model-base-url", "plan": "--optimizer-model-base-url"},
    "--collect": {"train": "--acquire"},
    "--choice": {"train": "--acquisition"},
    "--cells": {"show": "--calls"},
    "--cell": {"show": "--call"},
})  # fmt: skip
"""Flag -> its new name in each command that had it."""

VALUES: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "--method": {"paper": "qpo"},
    "--acquisition": {"information": "uncertainty"},
})  # fmt: skip
"""Flag -> old values with their new names."""


def flag(command: str, name: str) -> str | None:
    """Return the new name of a command's flag; None where it was not renamed."""
    return FLAGS.get(name, {}).get(command)

"""Old names of commands, flags, config keys, arguments and values: using one is refused with its new name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from askwell.core.errors import ConfigError

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

FLAG_VALUES: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "--method": {"paper": "qpo"},
    "--acquisition": {"information": "uncertainty"},
})  # fmt: skip
"""Flag -> old values with their new names."""

KEYS: Mapping[str, str] = MappingProxyType({
    "search": "optimizer",
    "gpo": "optimizer",
    "optimizer.preset": "optimizer.name",
    "target.draws": "target.repeats",
    "policy.preset": "policy.method",
    "policy.collect": "policy.acquire",
    "policy.choice": "policy.acquisition",
    "policy.choosing": "policy.selector_first",
    "policy.guard": "policy.fallback",
    "policy.aim": "policy.target_quantile",
    "policy.hidden_share": "policy.condition_dropout",
})  # fmt: skip
"""Key of a config -> its new name. A name without a dot is a section."""

KEY_VALUES: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "policy.method": {"paper": "qpo"},
    "policy.acquisition": {"information": "uncertainty"},
})  # fmt: skip
"""Key of a config -> old values with their new names."""

ARGUMENTS: Mapping[str, str] = MappingProxyType(
    {"preset": "optimizer", "optimizer_base_url": "optimizer_model_base_url"}
)
"""Argument of a public function -> its new name."""


def flag(command: str, name: str) -> str | None:
    """Return the new name of a command's flag; None if it was not renamed."""
    return FLAGS.get(name, {}).get(command)


def refuse_key(key: str) -> None:
    """Raise `ConfigError` with the new name if a key of a config was renamed."""
    new = KEYS.get(key)
    if new is not None:
        shown = f"[{new}]" if "." not in new else repr(new)
        raise ConfigError(f"{key!r} is called {shown} now; rename it")


def refuse_value(key: str, value: object) -> None:
    """Raise `ConfigError` with the new name if a value of a key was renamed."""
    new = KEY_VALUES.get(key, {}).get(value) if isinstance(value, str) else None
    if new is not None:
        raise ConfigError(f"{key} = {value!r} is called {new!r} now; rename it")


def refuse_argument(name: str) -> None:
    """Raise `ConfigError` with the new name if an argument of a public function was renamed."""
    if name in ARGUMENTS:
        raise ConfigError(f"{name}= is called {ARGUMENTS[name]}= now; rename the argument")

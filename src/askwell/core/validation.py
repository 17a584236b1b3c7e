"""Checks of settings: raise `ConfigError` with the field's name, its value and the expected values."""

from __future__ import annotations

from collections.abc import Iterable

from askwell.core.errors import ConfigError, nearest


def check_one_of(field: str, value: str, valid: Iterable[str]) -> None:
    """Raise `ConfigError` with the nearest match unless `value` is a valid name."""
    if value not in (choices := list(valid)):
        raise ConfigError(f"unknown {field} {value!r}; {nearest(value, choices)}")


def check_at_least(field: str, value: float, least: float) -> None:
    """Raise `ConfigError` if `value` is below `least`."""
    if value < least:
        raise ConfigError(f"{field} is {value!r}; expected at least {least}")


def check_positive(field: str, value: float | None) -> None:
    """Raise `ConfigError` unless `value` is above 0 or None."""
    if value is not None and value <= 0:
        raise ConfigError(f"{field} is {value!r}; expected more than 0, or None")

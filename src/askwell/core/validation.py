"""What settings have in common: refusing a value that can't be, with the field's name and what was expected."""

from __future__ import annotations

from collections.abc import Iterable

from askwell.core.errors import ConfigError, nearest


def check_one_of(field: str, value: str, known: Iterable[str]) -> None:
    """Raise `ConfigError` with the nearest match unless `value` is one of the known names."""
    if value not in (choices := list(known)):
        raise ConfigError(f"unknown {field} {value!r}; {nearest(value, choices)}")


def check_at_least(field: str, value: float, least: float) -> None:
    """Raise `ConfigError` where `value` is too small."""
    if value < least:
        raise ConfigError(f"{field} is {value!r}; expected at least {least}")


def check_positive(field: str, value: float | None) -> None:
    """Raise `ConfigError` unless `value` is above 0, or None."""
    if value is not None and value <= 0:
        raise ConfigError(f"{field} is {value!r}; expected more than 0, or nothing")

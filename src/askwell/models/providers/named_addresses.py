"""The addresses and key variables that this user has named: the memory that decides what a log may choose.

A run's log says where its requests went and in which environment variable the key was. A log may come from somebody
else, so these two values are used without a question only if they send a key where it belongs: the provider's usual
variable to its official address or to this machine. Any other pair must have been named here before, in a flag, a
config file or a Python call. Those are kept in a file of the user's, outside all run folders, so that the user's own
runs resume without flags.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, cast

from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.registry import Provider


class NamedAddress(NamedTuple):
    """An address without its secrets, and the name of a key variable; empty: the provider's usual ones."""

    url: str
    key_env: str


def has_usual_address(model: str, provider: Provider, url: str) -> bool:
    """Return whether a model is reached at its provider's official address, or on this machine."""
    if not url:
        return "://" not in model  # some of LiteLLM's models have their address in the name
    return url.rstrip("/") == provider.base_url or _is_this_machine(Endpoint.parse(url).host)


def has_usual_key(provider: Provider, key_env: str) -> bool:
    """Return whether a key variable is the provider's own."""
    return key_env in ("", provider.key_env)


def remember(named: Iterable[NamedAddress]) -> None:
    """Add addresses to the user's file."""
    new = sorted(set(named) - read_named())
    path = _memory()
    if not new or path is None:
        return
    lines = "".join(json.dumps(pair) + "\n" for pair in new)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
            file.write(lines)
    except OSError:  # a read-only home folder: the flags have to be given again
        return


def read_named() -> frozenset[NamedAddress]:
    """Return the addresses in the user's file."""
    path = _memory()
    try:
        lines = [] if path is None else path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(pair for line in lines if (pair := _parse(line)) is not None)


def _is_this_machine(host: str) -> bool:
    """Return whether a host is this machine by its name alone: no name server is asked."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _memory() -> Path | None:
    """Return the user's file of named addresses; None for a user without a home folder."""
    try:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return Path(base) / "askwell" / "addresses.jsonl"


def _parse(line: str) -> NamedAddress | None:
    try:
        value: Any = json.loads(line)
    except ValueError:  # a line that was being written when the machine stopped
        return None
    match cast("list[object]", value) if isinstance(value, list) else []:
        case [str() as url, str() as key_env]:
            return NamedAddress(url, key_env)
        case _:
            return None

"""Which addresses and key variables of a log may be used: those that the user has named on this machine.

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
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from askwell.api.config import Config, ModelConfig
from askwell.api.endpoints import pool_members, redact_url, require_single
from askwell.core.errors import ConfigError
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.registry import Provider, find_provider

FIELDS = ("base_url", "api_key_env")
_FLAGS: Mapping[str, tuple[str, str]] = {
    "target": ("--base-url", "--api-key-env"),
    "optimizer_model": ("--optimizer-model-base-url", "--optimizer-model-api-key-env"),
}

_Pair = tuple[str, str]
"""An address without its secrets, and the name of a key variable."""


def remember_addresses(config: Config) -> None:
    """Keep the addresses and key variables of a config that the user gave; the usual ones need no memory."""
    named = {
        pair
        for model in (config.target, config.optimizer_model)
        for member, provider in _served_members(model)
        if not all(_are_usual(member, provider, (pair := _pair(member))))
    }
    new = named - _known_pairs()
    path = _memory()
    if not new or path is None:
        return
    lines = "".join(json.dumps(pair) + "\n" for pair in sorted(new))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
            file.write(lines)
    except OSError:  # a read-only home folder: the flags have to be given again
        return


def check_logged_address(section: str, model: ModelConfig, *, named: Collection[str], run: str) -> None:
    """Raise `ConfigError` if a model's settings from a log send a key or data where the user never sent any.

    `section` is "target" or "optimizer_model"; `named` are the `FIELDS` that the user gave now.
    """
    known: frozenset[_Pair] | None = None
    for member, provider in _served_members(model):
        pair = _pair(member)
        usual_address, usual_key = _are_usual(member, provider, pair)
        if (usual_address or "base_url" in named) and (usual_key or "api_key_env" in named):
            continue
        known = _known_pairs() if known is None else known
        if pair not in known:
            raise ConfigError(_refusal(section, run, pair, provider))


def _refusal(section: str, run: str, pair: _Pair, provider: Provider) -> str:
    url, key = pair[0] or provider.base_url or "its own address", pair[1] or provider.key_env or "its own variable"
    flags = " and ".join(_FLAGS[section])
    return (
        f"the log of run {run!r} says that the {section.replace('_', ' ')}'s requests go to {url!r} with the key in "
        f"{key!r}, which was never named on this machine; if you trust this address with this key, give {flags}"
    )


def _served_members(model: ModelConfig) -> Iterator[tuple[ModelConfig, Provider]]:
    provider = find_provider(model.model)
    if provider is not None:
        yield from ((member, provider) for member in pool_members(model))


def _pair(member: ModelConfig) -> _Pair:
    url = require_single(member.base_url, "base_url")
    return redact_url(url), require_single(member.api_key_env, "api_key_env")


def _are_usual(member: ModelConfig, provider: Provider, pair: _Pair) -> tuple[bool, bool]:
    """Return whether an address is the provider's or this machine's, and whether the variable is the provider's."""
    url, key = pair
    if not url:
        is_usual = "://" not in member.model  # some of LiteLLM's models have their address in the name
    else:
        is_usual = url.rstrip("/") == provider.base_url or _is_this_machine(Endpoint.parse(url).host)
    return is_usual, key in ("", provider.key_env)


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


def _known_pairs() -> frozenset[_Pair]:
    path = _memory()
    try:
        lines = [] if path is None else path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(pair for line in lines if (pair := _parse_pair(line)) is not None)


def _parse_pair(line: str) -> _Pair | None:
    try:
        value: Any = json.loads(line)
    except ValueError:  # a line that was being written when the machine stopped
        return None
    items = cast("list[object]", value) if isinstance(value, list) else []
    match items:
        case [str() as url, str() as key]:
            return url, key
        case _:
            return None

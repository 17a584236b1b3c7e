"""Where a model is reached: one endpoint and key, or several that make a pool."""

from __future__ import annotations

from dataclasses import replace

from askwell.api.config import ModelConfig
from askwell.core.errors import ConfigError
from askwell.models.http.endpoint import Endpoint


def pool_members(config: ModelConfig) -> list[ModelConfig]:
    """Return the settings of each member: one endpoint and one key each.

    One endpoint goes with every key, one key with every endpoint, and as many of both in pairs; a member named twice is
    one. Raises `ConfigError` for numbers that do not match.
    """
    urls, keys = _as_tuple(config.base_url), _as_tuple(config.api_key_env)
    if len(urls) != len(keys) and min(len(urls), len(keys)) > 1:
        raise ConfigError(
            f"a pool of {len(urls)} endpoints and {len(keys)} keys: give as many base_url as api_key_env (they are "
            "taken in pairs), or one of either"
        )
    members = max(len(urls), len(keys))
    pairs = list(zip(urls * (members // len(urls)), keys * (members // len(keys)), strict=True))
    return [replace(config, base_url=url, api_key_env=key) for url, key in dict.fromkeys(pairs)]


def member_labels(config: ModelConfig) -> list[str]:
    """Name a pool's members for logs and tables by what tells them apart; never a key."""
    several_urls, several_keys = len(_as_tuple(config.base_url)) > 1, len(_as_tuple(config.api_key_env)) > 1
    found: list[str] = []
    for place in pool_members(config):
        url, key = require_single(place.base_url, "base_url"), require_single(place.api_key_env, "api_key_env")
        parts = [redact_url(url)] if several_urls else []
        found.append(" ".join(parts + ([f"key {key}"] if several_keys else [])))
    return found


def require_single(values: str | tuple[str, ...], what: str) -> str:
    """Return the one value there is; raises `ConfigError` where several were given to what takes one."""
    found = _as_tuple(values)
    if len(found) > 1:
        raise ConfigError(f"{what} names {len(found)} places and one is needed here; give --{what.replace('_', '-')}")
    return next(iter(found))


def redact_url(url: str) -> str:
    """Return a base URL as it may be logged; empty stays empty."""
    return Endpoint.parse(url).shown if url else ""


def redact_urls(urls: str | tuple[str, ...]) -> str | list[str]:
    """Return one or several base URLs as they may be logged."""
    return redact_url(urls) if isinstance(urls, str) else [redact_url(url) for url in urls]


def _as_tuple(values: str | tuple[str, ...]) -> tuple[str, ...]:
    found = (values,) if isinstance(values, str) else values
    if not found:
        raise ConfigError("an empty list of base_url or api_key_env; leave it out, or give at least one")
    return found

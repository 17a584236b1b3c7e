"""The endpoints and keys of a model: one of each, or several that make a pool."""

from __future__ import annotations

from dataclasses import replace

from askwell.api.config import ModelConfig
from askwell.core.errors import ConfigError
from askwell.models.http.endpoint import Endpoint


def pool_members(config: ModelConfig) -> list[ModelConfig]:
    """Return the settings of each member of a pool: one endpoint and one key each.

    One endpoint is combined with every key, one key with every endpoint; equal numbers of both are taken in pairs.
    Duplicate members count once. Raises `ConfigError` if the numbers do not match.
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
    """Label a pool's members for logs and tables by endpoint or key variable; a label never holds a key."""
    several_urls, several_keys = len(_as_tuple(config.base_url)) > 1, len(_as_tuple(config.api_key_env)) > 1
    labels: list[str] = []
    for member in pool_members(config):
        url, key = require_single(member.base_url, "base_url"), require_single(member.api_key_env, "api_key_env")
        parts = [redact_url(url)] if several_urls else []
        labels.append(" ".join(parts + ([f"key {key}"] if several_keys else [])))
    return labels


def require_single(values: str | tuple[str, ...], name: str) -> str:
    """Return the only value. Raises `ConfigError` for several."""
    several = _as_tuple(values)
    if len(several) > 1:
        raise ConfigError(f"{name} has {len(several)} values, expected one here; give one --{name.replace('_', '-')}")
    return next(iter(several))


def redact_url(url: str) -> str:
    """Return a base URL without its secrets, for the log; empty stays empty."""
    return Endpoint.parse(url).shown if url else ""


def redact_urls(urls: str | tuple[str, ...]) -> str | list[str]:
    """Return one or several base URLs without their secrets."""
    return redact_url(urls) if isinstance(urls, str) else [redact_url(url) for url in urls]


def _as_tuple(values: str | tuple[str, ...]) -> tuple[str, ...]:
    as_tuple = (values,) if isinstance(values, str) else values
    if not as_tuple:
        raise ConfigError("an empty list of base_url or api_key_env; leave it out, or give at least one")
    return as_tuple

"""The endpoints and keys of a model: one of each, or several that make a pool; and which of them a log may choose."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from askwell.api.config import Config, ModelConfig
from askwell.core.errors import ConfigError
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers import named_addresses
from askwell.models.providers.named_addresses import NamedAddress
from askwell.models.providers.registry import Provider, find_provider

FIELDS = ("base_url", "api_key_env")
"""Settings of a model that decide where a key and the data go."""
_FLAGS: Mapping[str, tuple[str, str]] = {
    "target": ("--base-url", "--api-key-env"),
    "optimizer_model": ("--optimizer-model-base-url", "--optimizer-model-api-key-env"),
}


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


def remember_addresses(config: Config) -> None:
    """Keep the addresses and key variables of a config that the user gave; the usual ones need no memory."""
    named_addresses.remember(
        address
        for model in (config.target, config.optimizer_model)
        for provider, address in _served_members(model)
        if not all(_are_usual(model.model, provider, address))
    )


def check_logged_address(section: str, model: ModelConfig, *, named: Collection[str], run: str) -> None:
    """Raise `ConfigError` if a model's settings from a log send a key or data where the user never sent any.

    `section` is "target" or "optimizer_model"; `named` are the `FIELDS` that the user gave now.
    """
    for provider, address in _served_members(model):
        is_usual_url, is_usual_key = _are_usual(model.model, provider, address)
        if (is_usual_url or "base_url" in named) and (is_usual_key or "api_key_env" in named):
            continue
        if address not in named_addresses.read_named():
            url = address.url or provider.base_url or model.model
            key, flags = address.key_env or provider.key_env, " and ".join(_FLAGS[section])
            raise ConfigError(
                f"the log of run {run!r} says that the {section.replace('_', ' ')}'s requests go to {url!r} with the "
                f"key in {key!r}, which was never named on this machine; if you trust this address with this key, "
                f"give {flags}"
            )


def _served_members(model: ModelConfig) -> Iterator[tuple[Provider, NamedAddress]]:
    provider = find_provider(model.model)
    if provider is not None:
        for member in pool_members(model):
            url, key = require_single(member.base_url, "base_url"), require_single(member.api_key_env, "api_key_env")
            yield provider, NamedAddress(redact_url(url), key)


def _are_usual(model: str, provider: Provider, address: NamedAddress) -> tuple[bool, bool]:
    url = named_addresses.has_usual_address(model, provider, address.url)
    return url, named_addresses.has_usual_key(provider, address.key_env)


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

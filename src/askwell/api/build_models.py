"""Build a model from its settings, with the wrappers that a run needs, and return its call rate."""

from __future__ import annotations

import os
from dataclasses import replace

from askwell.api.config import Config, ModelConfig, Trace
from askwell.api.endpoints import member_labels, pool_members, redact_url, require_single
from askwell.api.plan import CallRate
from askwell.core.errors import ConfigError, nearest
from askwell.core.protocols import ChatModel
from askwell.core.types import ModelRole
from askwell.engine.preflight import ModelCheck
from askwell.models.batch.batched import Batched
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.headers import fill_headers
from askwell.models.providers.factory import RequestSettings, build_hosted_model
from askwell.models.providers.http_model import HttpModel
from askwell.models.providers.registry import PROVIDERS, ModelAddress, find_provider, resolve_address
from askwell.models.providers.wire_format import ReplyOptions
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.meter import Metered
from askwell.models.wrappers.pool import Pool
from askwell.models.wrappers.renamed import Renamed
from askwell.models.wrappers.retry import Retrying
from askwell.models.wrappers.sample_batching import SampleBatching
from askwell.models.wrappers.shared_gate import SharedGates
from askwell.models.wrappers.traced import Traced

KINDS = (*PROVIDERS, "local", "pocket", "editor")
_EXPECTED = "PROVIDER:NAME (openai:NAME, anthropic:NAME, gemini:NAME, …), local:PATH, pocket or editor"
_USUAL_CALL_S = 2.0
_USUAL_LATENCY_S = {"editor": 0.05, "pocket": 0.5, "local": 10.0}
"""Typical latency in seconds, with full batches."""
_SLOWEST_S = {"editor": 1.0, "pocket": 10.0, "local": None}
"""Longest latency in seconds of models without a server, which have no timeout; unknown for a checkpoint."""
_LITELLM = "the provider that litellm finds"
_NO_KEY = "none"
"""Stands for the missing key of a model that is never called."""
_REQUEST_SETTINGS = ("headers", "extra_body", "top_p", "stop", "reasoning_effort", "completions")
_A_WHOLE_STEP = 50_000
_BATCH_ATTEMPTS = 5
_USUAL_BATCH_S, _SLOWEST_BATCH_S = 3600.0, 86_400.0  # the first is a guess, the second the providers' promise


def build_model(
    config: ModelConfig, *, flag: str, trace: Trace = "off", gates: SharedGates | None = None, needs_key: bool = True
) -> Metered:
    """Build a model by name, wrapped in limits, then retries (a waiting retry holds no slot), then totals.

    Roles with the same model, endpoint and key share a gate of `gates`, so that its limits hold for all of them.
    Without `needs_key` a missing key is accepted: a plan calls no model.
    """
    kind, name = _split_name(config.model, flag)
    if len(pool_members(config)) > 1:
        _check_pool(config, needs_key=needs_key)
    if find_provider(config.model) is None:
        _refuse_request_settings(config, flag)
    gates = gates or SharedGates()
    members = [
        _build_limited(_build_bare(kind, name, member, flag, needs_key), member, trace, gates, flag)
        for member in pool_members(config)
    ]
    inner = members[0] if len(members) == 1 else Pool(members, labels=member_labels(config))
    retrying = Retrying(inner, max_attempts=config.max_attempts)
    provider = find_provider(config.model)
    takes_samples = provider is not None and provider.format != "anthropic"
    return Metered(SampleBatching(retrying) if takes_samples else retrying)


def build_batched(
    config: ModelConfig, *, flag: str, trace: Trace = "off", gates: SharedGates | None = None, needs_key: bool = True
) -> Metered:
    """Build a model that uses its provider's batch API; limits hold for its direct calls."""
    if len(pool_members(config)) > 1:
        raise ConfigError(
            "a batch goes to one endpoint with one key; give one base_url and one api_key_env, or no batch"
        )
    if find_provider(config.model) is None:
        raise ConfigError(f"no batches for {config.model!r}; give openai:NAME or anthropic:NAME, or leave batch out")
    if config.completions:
        raise ConfigError("no batches for the completions route; leave batch or completions out")
    bare = _build_served(config, flag, needs_key)
    if not isinstance(bare, HttpModel):
        raise ConfigError(f"no batches for {config.model!r}; give openai:NAME or anthropic:NAME, or leave batch out")
    direct = _build_limited(Renamed(bare, name=config.model), config, trace, gates or SharedGates(), flag)
    batched = Batched(bare, direct=direct, name=config.model, poll_s=config.batch_poll_s)
    return Metered(Retrying(batched, max_attempts=min(config.max_attempts, _BATCH_ATTEMPTS), base_s=0.05, cap_s=0.2))


def _split_name(model: str, flag: str) -> tuple[str, str]:
    """Return the two parts of a model's name. Raises `ConfigError` for a name that is none."""
    kind, _, name = model.partition(":")
    if not model:
        raise ConfigError(f"no model: give {flag} {_EXPECTED}")
    if kind not in KINDS or (kind not in {"pocket", "editor"}) != bool(name):
        raise ConfigError(f"unknown model {model!r} for {flag}; expected {_EXPECTED} ({nearest(kind, KINDS)})")
    return kind, name


def _refuse_request_settings(config: ModelConfig, flag: str) -> None:
    """Raise `ConfigError` for settings of requests, which a model of this process would silently ignore."""
    given = [name for name in _REQUEST_SETTINGS if getattr(config, name)]
    if given:
        raise ConfigError(f"{given} are settings of a server's model; leave them out for {config.model!r} ({flag})")


def _check_pool(config: ModelConfig, *, needs_key: bool) -> None:
    """Refuse a pool of a model without a server, and missing keys: a pool would silently run without those members."""
    if find_provider(config.model) is None:
        raise ConfigError(f"{config.model!r} is not served by a provider: leave out base_url and api_key_env")
    keys = [require_single(member.api_key_env, "api_key_env") for member in pool_members(config)]
    missing = [key for key in keys if not os.environ.get(key)] if len(set(keys)) > 1 else []
    if missing and needs_key:
        raise ConfigError(
            f"no API key for {config.model!r}: the environment lacks {missing}; set these variables, or name others"
        )


def _build_limited(bare: ChatModel, config: ModelConfig, trace: Trace, gates: SharedGates, flag: str) -> Limited:
    """Wrap one member of a pool in its limits."""
    return Limited(
        bare if trace == "off" else Traced(bare, detail=trace),
        max_concurrency=_member_concurrency(config),
        requests_per_minute=config.requests_per_minute,
        tokens_per_minute=config.tokens_per_minute,
        gate=gates.get(config.model, *_gate_key(config, flag)),
    )


def max_in_flight(config: ModelConfig) -> int:
    """Return the most requests in flight, over all members of a pool; with batches, all of a step."""
    if config.batch:
        return _A_WHOLE_STEP
    return _member_concurrency(config) * len(pool_members(config))


def _member_concurrency(config: ModelConfig) -> int:
    """Return the most requests in flight at one member; a local model needs enough of them to fill its batches."""
    is_local = _kind(config.model) in {"local", "pocket"}
    return max(config.concurrency, 2 * config.batch_size) if is_local else config.concurrency


def call_rate(config: ModelConfig, *, is_served: bool = True, latency_s: float | None = None) -> CallRate:
    """Return the call rate of a model, for a plan. The default latency is the typical one of its kind.

    `is_served` is False for a model object, whose longest latency is unknown.
    """
    if not is_served:
        return CallRate(concurrency=config.concurrency, latency_s=latency_s or _USUAL_CALL_S)
    kind, members = _kind(config.model), len(pool_members(config))
    batch_s, slowest_batch_s = (_USUAL_BATCH_S, _SLOWEST_BATCH_S) if config.batch else (None, None)
    requests, tokens = config.requests_per_minute, config.tokens_per_minute
    return CallRate(
        concurrency=max_in_flight(config),
        requests_per_minute=requests and requests * members,
        tokens_per_minute=tokens and tokens * members,
        latency_s=latency_s or _USUAL_LATENCY_S.get(kind, _USUAL_CALL_S),
        timeout_s=_SLOWEST_S.get(kind, config.timeout_s),
        batch_s=batch_s,
        slowest_batch_s=slowest_batch_s,
    )


def limit_reply_tokens(model: str, wanted: int) -> int:
    """Return the limit of a reply: as wanted, but at most the limit that the bundled model was trained with."""
    if model != "pocket":
        return wanted
    from askwell.models.bundled import MAX_REPLY_TOKENS

    return min(wanted, MAX_REPLY_TOKENS)


def _build_bare(kind: str, name: str, config: ModelConfig, flag: str, needs_key: bool) -> ChatModel:
    if kind == "editor":
        from askwell.models.bundled.editor import EditorModel

        return EditorModel()
    if kind == "pocket":
        from askwell.models.bundled.pocket import pocket_model

        return pocket_model(batch_size=config.batch_size)
    if kind == "local":
        from askwell.models.local import LocalModel

        return LocalModel(name, batch_size=config.batch_size)
    return Renamed(
        _build_served(config, flag, needs_key), name=config.model
    )  # the name has no endpoint: a run may be resumed at another address


def _build_served(config: ModelConfig, flag: str, needs_key: bool) -> ChatModel:
    address = _resolve_address(config, flag, needs_key)
    if not needs_key:
        address = replace(address, api_key=address.api_key or _NO_KEY)
    return build_hosted_model(
        address,
        timeout_s=config.timeout_s,
        prices={f"{name}_per_mtok": price for name, price in config.prices.items()} or None,
        settings=read_request_settings(config),
    )


def read_request_settings(config: ModelConfig) -> RequestSettings:
    """Return what is sent with a model's requests; the environment fills in headers.

    Raises `ConfigError` for a header that is invalid, or whose variable is not set.
    """
    return RequestSettings(
        extra_body=config.extra_body,
        headers=fill_headers(config.headers),
        options=ReplyOptions(
            top_p=config.top_p,
            stop=(config.stop,) if isinstance(config.stop, str) else config.stop,
            reasoning_effort=config.reasoning_effort,
        ),
        completions=config.completions,
    )


def is_openai_compatible(model: str) -> bool:
    """Return whether a model's server accepts the requests of OpenAI clients unchanged."""
    provider = find_provider(model)
    return provider is not None and provider.format == "openai"


def find_address(config: ModelConfig, *, flag: str, needs_key: bool = True) -> ModelAddress | None:
    """Return the address of a provider's model; None for a model of this process.

    Raises `ConfigError` for an unknown model, a missing key or several addresses.
    """
    _split_name(config.model, flag)
    return None if find_provider(config.model) is None else _resolve_address(config, flag, needs_key)


def describe_addresses(config: ModelConfig, *, flag: str) -> str:
    """Return a model with the addresses that its calls go to, for people; empty for a model of this process."""
    if find_provider(config.model) is None:
        return ""
    members = [_resolve_address(member, flag, needs_key=False).describe() for member in pool_members(config)]
    return f"{config.model} at {', '.join(dict.fromkeys(members))}"


def list_checks(config: Config) -> tuple[ModelCheck, ...]:
    """Return the checks of a run: one per model behind a provider's API, not for objects and models of this process."""
    roles: tuple[tuple[ModelRole, ModelConfig, str, object], ...] = (
        ("target", config.target, "--target", config.objects.target),
        ("optimizer", config.optimizer_model, "--optimizer-model", config.objects.optimizer_model),
    )
    return tuple(
        ModelCheck(role=role, address=address)
        for role, model, flag, given in roles
        if given is None and (address := _list_addresses(model, flag))
    )


def is_on_this_machine(model: ModelConfig) -> bool:
    """Return whether a model's calls stay on this machine: it runs in this process, or its server does."""
    addresses = [find_address(member, flag="--target", needs_key=False) for member in pool_members(model)]
    return all(address is None or Endpoint.parse(address.base_url).is_loopback for address in addresses)


def _list_addresses(model: ModelConfig, flag: str) -> str:
    """Return the addresses of a provider's model without secrets; "" for a model of this process."""
    addresses = [find_address(member, flag=flag, needs_key=False) for member in pool_members(model)]
    urls = [redact_url(address.base_url) or _LITELLM for address in addresses if address is not None]
    return ", ".join(dict.fromkeys(urls))


def _resolve_address(config: ModelConfig, flag: str, needs_key: bool) -> ModelAddress:
    url, key_env = require_single(config.base_url, "base_url"), require_single(config.api_key_env, "api_key_env")
    return resolve_address(
        config.model, base_url=url, api_key_env=key_env, url_flag=_url_flag(flag), needs_key=needs_key
    )


def _gate_key(config: ModelConfig, flag: str) -> tuple[str, str]:
    """Return the endpoint and key variable of a model: models that share both share their limits."""
    if find_provider(config.model) is None:
        return require_single(config.base_url, "base_url"), require_single(config.api_key_env, "api_key_env")
    address = _resolve_address(config, flag, needs_key=False)  # the model itself was built with its key
    return address.base_url, address.key_env


def _url_flag(flag: str) -> str:
    flags = {
        "--target": "--base-url (in Python base_url=)",
        "--optimizer-model": "--optimizer-model-base-url (in Python optimizer_model_base_url=)",
    }
    return flags.get(flag, "a model object's base_url")


def _kind(model: str) -> str:
    return model.partition(":")[0]

"""Build the application that serves a run: its policy, placement, sampling and quirks in front of its target model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from askwell.api.build_models import build_model, find_address, is_openai_compatible, read_request_settings
from askwell.api.build_task import build_render
from askwell.api.config import TargetConfig
from askwell.api.config_file import read_config
from askwell.api.endpoints import remember_addresses
from askwell.api.logged import check_addresses, read_named_settings
from askwell.api.open import has_log, load_policy
from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel, Policy
from askwell.models.http.client import validate_key
from askwell.models.http.endpoint import Endpoint
from askwell.models.parts import parts_of
from askwell.models.providers.factory import build_hosted_model
from askwell.models.providers.openai_wire import OPENAI
from askwell.models.providers.registry import ModelAddress
from askwell.policies.data.offline import find_run_log
from askwell.runlog.fold import read_header
from askwell.runlog.server_quirks import recall
from askwell.runlog.store import SqliteStore
from askwell.serve.access import Access
from askwell.serve.chat import chat_app
from askwell.serve.prompting import PromptInserter
from askwell.serve.proxy import proxy_app
from askwell.serve.request_rules import ROUTING_FIELDS, RequestRules
from askwell.serve.upstream import Upstream

_SAMPLING = ("temperature", "max_tokens", "seed")
_TIMEOUT_S = 600.0
"""The usual timeout of OpenAI's clients, for an upstream's whole answer or for the next bytes of a stream."""
_SYSTEM_PROBE = ({"role": "system", "content": "s"}, {"role": "user", "content": "u"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How a run is served, apart from its settings."""

    access: Access = field(default_factory=Access)
    client_sampling: bool = False
    """Whether a request without sampling parameters gets the server's, not the run's."""
    shows_prompt: bool = False
    """Whether responses hold the beginning of the instruction in a header."""
    allowed_fields: frozenset[str] = frozenset()
    """Fields of `ROUTING_FIELDS` that clients may set."""
    denied_fields: frozenset[str] = frozenset()
    """Further fields that clients may not set."""
    caps: Mapping[str, float] = field(default_factory=dict[str, float])
    """Largest values that clients may ask for, by field."""

    def rules(self, defaults: Mapping[str, object]) -> RequestRules:
        """Return the rules for requests; `defaults` are sent where a client sets nothing."""
        refused = (ROUTING_FIELDS - self.allowed_fields) | self.denied_fields
        return RequestRules(defaults=defaults, refused=refused, caps=self.caps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An application, and what the terminal says about it before the first request."""

    app: web.Application
    upstream: str
    """The model, its address and the variable of its key."""


def build_service(
    name: str, folder: Path, *, overrides: Mapping[str, Any], options: ServeOptions, policy: Policy | None = None
) -> Service:
    """Build the service of a run: its policy and placement, in front of its target (or the flags' target).

    With a `policy` there is no run to read; `name` is then only the name under which it is served.
    """
    changes = {key: value for key, value in overrides.items() if value is not None}
    is_logged = policy is None and has_log(name, folder)
    config = read_config(None, changes, base=_read_settings(name, folder, changes) if is_logged else {})
    target = config.target
    if is_logged:
        check_addresses(config, changes, name)
    remember_addresses(config)
    if not target.model:
        raise ConfigError(
            "no model to serve in front of: give --target, as PROVIDER:NAME (openai:NAME, …), local:PATH or pocket"
        )
    address = find_address(target, flag="--target")
    model = _build_model(target, address)
    if is_logged:
        with SqliteStore(find_run_log(name, folder), read_only=True) as store:
            recall(store, model)
    inserter = PromptInserter(policy or load_policy(name, runs_folder=folder), build_render(config.task))
    # The proxy passes chat requests on; a base model behind the completions route gets one text instead.
    proxied = None if address is None or target.completions else _find_upstream(target, address)
    rules = _build_rules(target, options, is_proxied=proxied is not None)
    app = _build_app(name, model, proxied, inserter, rules, options)
    return Service(app=app, upstream=f"{target.model!r} {_describe(address)}")


def read_client_key(variable: str) -> str:
    """Return the key that clients must send, from an environment variable. Raises `ConfigError` without one."""
    key = validate_key(os.environ.get(variable))
    if key is None:
        raise ConfigError(
            f"--serve-key-env {variable!r}: this environment variable is not set; put a key for clients in it"
        )
    return key


def _read_settings(name: str, folder: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Read the run's task and target. Another target keeps the sampling that the run was measured with."""
    has_target = "target.model" in changes
    with SqliteStore(find_run_log(name, folder), read_only=True) as store:
        header = read_header(store)
    if has_target and header.get("settings") is None:  # an evaluation has no settings; a given target needs none
        return {}
    parts = () if has_target else ("target",)
    tree = read_named_settings(header, name, parts=parts, advice="give --target (and --base-url)")
    target = tree.get("target", {})
    kept = {key: value for key, value in target.items() if key in _SAMPLING} if has_target else target
    return {"task": tree.get("task", {}), "target": kept}


def _build_model(target: TargetConfig, address: ModelAddress | None) -> ChatModel:
    """Build the target; a provider's model without limits and retries, which are its clients' own decisions.

    A busy provider says so itself: a silent queue would look like a slow model.
    """
    if address is None:
        return build_model(target, flag="--target")
    return build_hosted_model(address, timeout_s=_TIMEOUT_S, prices=None, settings=read_request_settings(target))


def _find_upstream(target: TargetConfig, address: ModelAddress) -> Upstream | None:
    """Return the server to which requests are passed on; None if it does not speak OpenAI's format."""
    if not is_openai_compatible(target.model):
        return None
    return Upstream(
        endpoint=Endpoint.parse(address.base_url),
        model=address.name,
        api_key=address.api_key,
        headers=read_request_settings(target).headers,
        timeout_s=_TIMEOUT_S,
    )


def _build_rules(target: TargetConfig, options: ServeOptions, *, is_proxied: bool) -> RequestRules:
    sampling = {name: getattr(target, name) for name in _SAMPLING}
    chosen = {key: value for key, value in sampling.items() if value is not None}
    extra: Mapping[str, object] = {}
    if is_proxied:  # a model of askwell's own adds them itself
        chosen |= OPENAI.options(target.model, read_request_settings(target).options)
        extra = target.extra_body
    return options.rules({**({} if options.client_sampling else chosen), **extra})


def _build_app(
    name: str,
    model: ChatModel,
    upstream: Upstream | None,
    inserter: PromptInserter,
    rules: RequestRules,
    options: ServeOptions,
) -> web.Application:
    access, shows_prompt = options.access, options.shows_prompt
    if upstream is None:
        return chat_app({name: model}, inserter=inserter, access=access, rules=rules, shows_prompt=shows_prompt)
    adapted = _adapt(model, {**rules.defaults, "messages": list(_SYSTEM_PROBE)})
    folds_system = adapted.pop("messages") != list(_SYSTEM_PROBE)
    return proxy_app(
        inserter,
        upstream,
        name=name,
        access=access,
        rules=replace(rules, defaults=adapted),
        folds_system=folds_system,
        shows_prompt=shows_prompt,
    )


def _adapt(model: ChatModel, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's fields in the form that the model's server accepts, by the quirks of the run's log."""
    [base] = parts_of(model).negotiating
    return dict(base.negotiation.adapt(body))


def _describe(address: ModelAddress | None) -> str:
    if address is None:
        return "in this process"
    where = Endpoint.parse(address.base_url).shown if address.base_url else "the address of its provider"
    if address.api_key is not None:
        key = f"key from the variable {address.key_env!r}"
    else:
        key = f"no key (the variable {address.key_env!r} is not set)" if address.key_env else "no key"
    return f"at {where!r}, {key}"

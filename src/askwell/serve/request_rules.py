"""What clients may set in a request, and what is sent where they set nothing: the sampling of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from askwell.serve.errors import RequestRefused

ROUTING_FIELDS = frozenset({
    "models", "provider", "route", "transforms", "plugins", "preset",  # OpenRouter
    "api_base", "api_key", "api_version", "base_url", "custom_llm_provider", "deployment_id", "extra_headers",
    "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "headers", "model_list", "user_config",
    "litellm_params", "litellm_credential_name",  # LiteLLM
    "providerOptions",  # Vercel
})  # fmt: skip
"""Fields by which a client could choose another model, address or key at a router behind this server."""

_LENGTH = ("max_tokens", "max_completion_tokens")
_OWN_SAMPLING: Mapping[str, object] = {"temperature": None, "top_p": 1, "top_k": None, "min_p": None}
"""Fields that replace the run's temperature, and the value that leaves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRules:
    """The rules for the fields of a request, apart from its messages and model."""

    defaults: Mapping[str, object] = field(default_factory=dict[str, object])
    """Sent where the client sets nothing."""
    refused: frozenset[str] = ROUTING_FIELDS
    """Fields that a client may not set."""
    caps: Mapping[str, float] = field(default_factory=dict[str, float])
    """Largest values that a client may ask for; that of `max_tokens` also holds for its other names."""

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body with the defaults. Raises `RequestRefused` for a field or a value that is not allowed."""
        for name in body:
            if name in self.refused:
                raise RequestRefused(
                    f"the field {name!r} is not allowed: it could choose another model or address. The owner of this "
                    "server can allow it with --allow-field",
                    param=name,
                )
        for name, cap in self.caps.items():
            _check_cap(body, name, cap)
        return self._fill(body)

    def _fill(self, body: Mapping[str, Any]) -> dict[str, Any]:
        given = {name for name, value in body.items() if value is not None}
        kept = set(given)
        if not given.isdisjoint(_LENGTH):
            kept |= set(_LENGTH)
        wants_equal_replies = self.defaults.get("temperature") == 0 and body.get("n") not in (None, 1)
        samples_itself = any(name in given and body[name] != neutral for name, neutral in _OWN_SAMPLING.items())
        if samples_itself or wants_equal_replies:
            kept.add("temperature")
        return {**body, **{name: value for name, value in self._capped_defaults().items() if name not in kept}}

    def _capped_defaults(self) -> dict[str, object]:
        """Return the defaults within the caps; with a cap on the length, there is always one."""
        longest = next((self.caps[name] for name in _LENGTH if name in self.caps), None)
        defaults = dict(self.defaults)
        if longest is None:
            return defaults
        length = next((name for name in _LENGTH if name in defaults), _LENGTH[0])
        own = defaults.get(length)
        return {**defaults, length: min(own, longest) if isinstance(own, int) else longest}


def _check_cap(body: Mapping[str, Any], name: str, cap: float) -> None:
    for field_name in _LENGTH if name in _LENGTH else (name,):
        value: object = body.get(field_name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value > cap:
            raise RequestRefused(f"{field_name} is {value!r}; this server allows at most {cap:g}", param=field_name)

"""The providers as data: address, environment variable of the key, request format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from askwell.core.errors import ConfigError

Format = Literal["openai", "azure", "anthropic", "gemini", "litellm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider: the part before the colon of a model's name."""

    name: str
    key_env: str
    """Environment variable of the key, unless the user names another; empty if it depends on the model."""
    base_url: str = ""
    """Its address; empty if each customer has one."""
    format: Format = "openai"
    needs_key: bool = True
    """Whether its own address rejects requests without a key."""


_ALL = (
    Provider(name="openai", key_env="OPENAI_API_KEY", base_url="https://api.openai.com/v1"),
    Provider(
        name="anthropic",
        key_env="ANTHROPIC_API_KEY",
        base_url="https://api.anthropic.com/v1",
        format="anthropic",
    ),
    Provider(
        name="gemini",
        key_env="GEMINI_API_KEY",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        format="gemini",
    ),
    Provider(name="azure", key_env="AZURE_OPENAI_API_KEY", format="azure"),
    Provider(name="openrouter", key_env="OPENROUTER_API_KEY", base_url="https://openrouter.ai/api/v1"),
    Provider(name="groq", key_env="GROQ_API_KEY", base_url="https://api.groq.com/openai/v1"),
    Provider(name="mistral", key_env="MISTRAL_API_KEY", base_url="https://api.mistral.ai/v1"),
    Provider(name="deepseek", key_env="DEEPSEEK_API_KEY", base_url="https://api.deepseek.com/v1"),
    Provider(name="together", key_env="TOGETHER_API_KEY", base_url="https://api.together.ai/v1"),
    Provider(name="ollama", key_env="OLLAMA_API_KEY", base_url="http://localhost:11434/v1", needs_key=False),
    Provider(name="vllm", key_env="VLLM_API_KEY", base_url="http://localhost:8000/v1", needs_key=False),
    Provider(name="llama.cpp", key_env="LLAMA_API_KEY", base_url="http://localhost:8080/v1", needs_key=False),
    Provider(name="litellm", key_env="", format="litellm", needs_key=False),
)
PROVIDERS: Mapping[str, Provider] = {provider.name: provider for provider in _ALL}
_MASK = "=***"
"""`Endpoint.shown` replaces secrets with this."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ModelAddress:
    """A model's name at its provider, and how to reach it."""

    provider: Provider
    name: str
    base_url: str
    key_env: str
    api_key: str | None


def find_provider(model: str) -> Provider | None:
    """Return the provider of a model by its name ("anthropic:claude-…"); None if the model runs in this process."""
    return PROVIDERS.get(model.partition(":")[0])


def resolve_address(
    model: str, *, base_url: str, api_key_env: str, url_flag: str, needs_key: bool = True
) -> ModelAddress:
    """Return the address of a model; the arguments win over its provider's usual address and key.

    Raises `ConfigError` for a missing key or address. `url_flag` is the option by which the user gives an address.
    Without `needs_key` a missing key is accepted: a plan calls no model.
    """
    provider, name = PROVIDERS[model.partition(":")[0]], model.partition(":")[2]
    url, key_env = base_url or provider.base_url, api_key_env or provider.key_env
    key = (os.environ.get(key_env) if key_env else None) or None
    if not url and provider.format != "litellm":
        raise ConfigError(
            f"no address for {model!r}: give your resource's, like https://NAME.openai.azure.com, with {url_flag}"
        )
    if key is None and needs_key and provider.needs_key and url == provider.base_url:
        raise ConfigError(
            f"no API key for {model!r}: the environment variable {key_env} is not set; set it, or "
            f"name another one with api_key_env, or an endpoint of your own with {url_flag}"
        )
    if _MASK in url:
        raise ConfigError(f"the secret part of the base URL {url!r} is not in the log; give {url_flag} again")
    return ModelAddress(provider=provider, name=name, base_url=url, key_env=key_env, api_key=key)

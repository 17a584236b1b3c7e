"""The providers as data: address, environment variable of the key, request format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from askwell.core.errors import ConfigError
from askwell.models.http.endpoint import Endpoint

Format = Literal["openai", "azure", "anthropic", "gemini", "litellm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider: the part before the colon of a model's name."""

    name: str
    key_env: str
    """Environment variable of the key, unless the user names another; empty if it depends on the model."""
    base_url: str = ""
    """Its address; empty if each customer has one."""
    base_url_env: str = ""
    """Environment variable of another address, which the provider's own client reads, too."""
    base_path: str = ""
    """Path that an address in this variable may lack."""
    format: Format = "openai"
    needs_key: bool = True
    """Whether its own address rejects requests without a key."""


_ALL = (
    Provider(
        name="openai",
        key_env="OPENAI_API_KEY",
        base_url="https://api.openai.com/v1",
        base_url_env="OPENAI_BASE_URL",
    ),
    Provider(
        name="anthropic",
        key_env="ANTHROPIC_API_KEY",
        base_url="https://api.anthropic.com/v1",
        base_url_env="ANTHROPIC_BASE_URL",
        format="anthropic",
    ),
    Provider(
        name="gemini",
        key_env="GEMINI_API_KEY",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        base_url_env="GOOGLE_GEMINI_BASE_URL",
        format="gemini",
    ),
    Provider(name="azure", key_env="AZURE_OPENAI_API_KEY", base_url_env="AZURE_OPENAI_ENDPOINT", format="azure"),
    Provider(name="openrouter", key_env="OPENROUTER_API_KEY", base_url="https://openrouter.ai/api/v1"),
    Provider(
        name="groq",
        key_env="GROQ_API_KEY",
        base_url="https://api.groq.com/openai/v1",
        base_url_env="GROQ_BASE_URL",
        base_path="/openai/v1",
    ),
    Provider(name="mistral", key_env="MISTRAL_API_KEY", base_url="https://api.mistral.ai/v1"),
    Provider(name="deepseek", key_env="DEEPSEEK_API_KEY", base_url="https://api.deepseek.com/v1"),
    Provider(
        name="together",
        key_env="TOGETHER_API_KEY",
        base_url="https://api.together.ai/v1",
        base_url_env="TOGETHER_BASE_URL",
    ),
    Provider(
        name="ollama",
        key_env="OLLAMA_API_KEY",
        base_url="http://localhost:11434/v1",
        base_url_env="OLLAMA_HOST",
        base_path="/v1",
        needs_key=False,
    ),
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
    base_url_env: str
    """The environment variable that gave the address; empty for any other source."""
    key_env: str
    api_key: str | None

    def describe(self) -> str:
        """Return the address without its secrets, and the variable that gave it."""
        if not self.base_url:
            return "an address that litellm knows"
        source = f" ({self.base_url_env})" if self.base_url_env else ""
        return f"{Endpoint.parse(self.base_url).shown}{source}"


def find_provider(model: str) -> Provider | None:
    """Return the provider of a model by its name ("anthropic:claude-…"); None if the model runs in this process."""
    return PROVIDERS.get(model.partition(":")[0])


def resolve_address(
    model: str, *, base_url: str, api_key_env: str, url_flag: str, needs_key: bool = True
) -> ModelAddress:
    """Return the address of a model: an argument wins over the environment's address, and that over the provider's.

    Raises `ConfigError` for a missing key or address. `url_flag` is the option by which the user gives an address.
    Without `needs_key` a missing key is accepted: a plan calls no model.
    """
    provider, name = PROVIDERS[model.partition(":")[0]], model.partition(":")[2]
    from_environment = "" if base_url else read_environment_url(provider)
    url, key_env = base_url or from_environment or provider.base_url, api_key_env or provider.key_env
    key = (os.environ.get(key_env) if key_env else None) or None
    if not url and provider.format != "litellm":
        raise ConfigError(
            f"no address for {model!r}: give your resource's, like https://NAME.openai.azure.com, with {url_flag}"
            + (f" or {provider.base_url_env}" if provider.base_url_env else "")
        )
    if key is None and needs_key and provider.needs_key and url == provider.base_url:
        raise ConfigError(
            f"no API key for {model!r}: the environment variable {key_env} is not set; set it, or "
            f"name another one with api_key_env, or an endpoint of your own with {url_flag}"
        )
    if _MASK in url:
        raise ConfigError(f"the secret part of the base URL {url!r} is not in the log; give {url_flag} again")
    return ModelAddress(
        provider=provider,
        name=name,
        base_url=url,
        base_url_env=provider.base_url_env if from_environment else "",
        key_env=key_env,
        api_key=key,
    )


def read_environment_url(provider: Provider) -> str:
    """Return the provider's address in the environment, completed as its own client does; empty without one.

    Raises `ConfigError` with the variable's name for an address that is none.
    """
    value = os.environ.get(provider.base_url_env, "").strip() if provider.base_url_env else ""
    if not value:
        return ""
    url = _ollama_url(value) if provider.name == "ollama" else value
    try:
        endpoint = Endpoint.parse(url)
    except ConfigError as error:
        raise ConfigError(f"{provider.base_url_env}: {error}; or unset this variable") from error
    if urlsplit(endpoint.base).path or not provider.base_path:
        return url
    return endpoint.url(provider.base_path)


def _ollama_url(value: str) -> str:
    """Return the URL of OLLAMA_HOST, in which scheme, host and port may be absent ("0.0.0.0", ":11435")."""
    scheme, separator, rest = value.rpartition("://")
    host, slash, path = rest.partition("/")
    host = f"127.0.0.1{host}" if host.startswith(":") else host
    host = host.replace("0.0.0.0", "127.0.0.1", 1)  # noqa: S104 - the server listens there; a client can't connect
    has_port = host.rpartition(":")[2].isdecimal() and not host.endswith("]")
    port = "" if separator or has_port else ":11434"
    return f"{scheme or 'http'}://{host}{port}{slash}{path}"

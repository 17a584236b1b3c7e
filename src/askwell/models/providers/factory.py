"""Build a provider's model from its address: the bridge from the registry's data to the classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.models.providers.anthropic import AnthropicModel
from askwell.models.providers.gemini import GeminiModel
from askwell.models.providers.openai import AzureModel, CompletionsModel, OpenAIModel
from askwell.models.providers.registry import ModelAddress, Provider
from askwell.models.providers.wire_format import ReplyOptions

_HTTP = {"openai": OpenAIModel, "azure": AzureModel, "anthropic": AnthropicModel, "gemini": GeminiModel}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RequestSettings:
    """What a user has set for the requests of a model; see the arguments of `HttpModel`."""

    extra_body: Mapping[str, object] = field(default_factory=dict[str, object])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    options: ReplyOptions = field(default_factory=ReplyOptions)
    completions: bool = False
    """Whether the completions route is used, without a chat template."""


_USUAL = RequestSettings()


def build_hosted_model(
    address: ModelAddress,
    *,
    timeout_s: float,
    prices: Mapping[str, float] | None,
    settings: RequestSettings = _USUAL,
) -> ChatModel:
    """Return the model at an address, without limits and retries. Raises `ConfigError` if it has no completions."""
    return _find_class(address.provider, completions=settings.completions)(
        address.name,
        base_url=address.base_url,
        api_key=address.api_key,
        timeout_s=timeout_s,
        prices=prices,
        extra_body=settings.extra_body,
        headers=settings.headers,
        options=settings.options,
    )


def _find_class(provider: Provider, *, completions: bool) -> Callable[..., ChatModel]:
    if completions:
        if provider.format != "openai":
            raise ConfigError(
                f"{provider.name}: has no completions route; give a server that speaks OpenAI's format (vllm:NAME, "
                "llama.cpp:NAME, openai:NAME with its address), or leave completions out"
            )
        return CompletionsModel
    if provider.format == "litellm":
        from askwell.models.providers.litellm import LiteLLMModel

        return LiteLLMModel
    return _HTTP[provider.format]

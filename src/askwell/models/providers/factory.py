"""Build a provider's model from its address: the bridge from the registry's data to the classes."""

from __future__ import annotations

from collections.abc import Mapping

from askwell.core.protocols import ChatModel
from askwell.models.providers.anthropic import AnthropicModel
from askwell.models.providers.gemini import GeminiModel
from askwell.models.providers.openai import AzureModel, OpenAIModel
from askwell.models.providers.registry import ModelAddress

_HTTP = {"openai": OpenAIModel, "azure": AzureModel, "anthropic": AnthropicModel, "gemini": GeminiModel}


def build_hosted_model(address: ModelAddress, *, timeout_s: float, prices: Mapping[str, float] | None) -> ChatModel:
    """Return the model at an address, without limits and retries."""
    if address.provider.format == "litellm":
        from askwell.models.providers.litellm import LiteLLMModel

        return LiteLLMModel(
            address.name, base_url=address.base_url, api_key=address.api_key, timeout_s=timeout_s, prices=prices
        )
    return _HTTP[address.provider.format](
        address.name, base_url=address.base_url, api_key=address.api_key, timeout_s=timeout_s, prices=prices
    )

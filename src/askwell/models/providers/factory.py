"""A provider's model from its place: the bridge from `providers`' data to the classes."""

from __future__ import annotations

from collections.abc import Mapping

from askwell.core.protocols import ChatModel
from askwell.models.providers.anthropic import AnthropicModel
from askwell.models.providers.gemini import GeminiModel
from askwell.models.providers.openai import AzureModel, OpenAIModel
from askwell.models.providers.registry import ModelAddress

_HTTP = {"openai": OpenAIModel, "azure": AzureModel, "anthropic": AnthropicModel, "gemini": GeminiModel}


def served_model(place: ModelAddress, *, timeout_s: float, prices: Mapping[str, float] | None) -> ChatModel:
    """Return the model at a place, bare: no limits, no retries."""
    if place.provider.format == "litellm":
        from askwell.models.providers.litellm import LiteLLMModel

        return LiteLLMModel(
            place.name, base_url=place.base_url, api_key=place.api_key, timeout_s=timeout_s, prices=prices
        )
    return _HTTP[place.provider.format](
        place.name, base_url=place.base_url, api_key=place.api_key, timeout_s=timeout_s, prices=prices
    )

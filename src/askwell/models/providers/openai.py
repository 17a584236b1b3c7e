"""Models that speak OpenAI's format: OpenAI, vLLM, llama.cpp, Ollama, OpenRouter, …, and Azure's deployments."""

from __future__ import annotations

from typing import Unpack

from askwell.models.providers.http_model import HttpModel, Reach
from askwell.models.providers.openai_wire import AZURE, OPENAI


class OpenAIModel(HttpModel):
    """A model behind `POST {base_url}/chat/completions`; everything else as `HttpModel` has it."""

    def __init__(self, name: str, *, base_url: str = OPENAI.provider.base_url, **reach: Unpack[Reach]) -> None:
        super().__init__(name, wire=OPENAI, base_url=base_url, **reach)


class AzureModel(HttpModel):
    """A deployment of Azure OpenAI: `name` is the deployment's, `base_url` the resource's (https://X.openai.azure.com).

    The v1 API is used (`/openai/v1/`); where the URL has an `api-version=…`, that dated API
    (`/openai/deployments/NAME/`). A URL that holds either path already is taken as it is.
    """

    def __init__(self, name: str, *, base_url: str, **reach: Unpack[Reach]) -> None:
        super().__init__(name, wire=AZURE, base_url=base_url, **reach)

"""Models in OpenAI's format: OpenAI, vLLM, llama.cpp, Ollama, OpenRouter, …, and Azure's deployments."""

from __future__ import annotations

from typing import Unpack

from askwell.models.providers.completions_wire import COMPLETIONS
from askwell.models.providers.http_model import ConnectionOptions, HttpModel
from askwell.models.providers.openai_wire import AZURE, OPENAI


class OpenAIModel(HttpModel):
    """A model behind `POST {base_url}/chat/completions`; everything else as in `HttpModel`."""

    def __init__(
        self, name: str, *, base_url: str = OPENAI.provider.base_url, **options: Unpack[ConnectionOptions]
    ) -> None:
        super().__init__(name, wire=OPENAI, base_url=base_url, **options)


class CompletionsModel(HttpModel):
    """A base model behind `POST {base_url}/completions`, which applies no chat template."""

    def __init__(
        self, name: str, *, base_url: str = OPENAI.provider.base_url, **options: Unpack[ConnectionOptions]
    ) -> None:
        super().__init__(name, wire=COMPLETIONS, base_url=base_url, **options)


class AzureModel(HttpModel):
    """A deployment of Azure OpenAI: `name` is the deployment's, `base_url` the resource's (https://X.openai.azure.com).

    The v1 API is used (`/openai/v1/`); if the URL has an `api-version=…`, that dated API
    (`/openai/deployments/NAME/`). A URL that already has either path is used unchanged.
    """

    def __init__(self, name: str, *, base_url: str, **options: Unpack[ConnectionOptions]) -> None:
        super().__init__(name, wire=AZURE, base_url=base_url, **options)

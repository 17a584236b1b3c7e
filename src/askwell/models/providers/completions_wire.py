"""The completions route of OpenAI's format, for base models: the messages are joined to one text, without a template.

A chat route wraps messages in the server's chat template, which a base model was never trained on. vLLM, llama.cpp,
Ollama, Together and others serve `POST {base_url}/completions`; `local:` models without a template get the same text.
"""

from __future__ import annotations

from dataclasses import replace

from askwell.core.types import Request
from askwell.models.conversation import format_conversation
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.openai_wire import OPENAI, encode_chat_request
from askwell.models.providers.quirks import COMPLETIONS_QUIRKS
from askwell.models.providers.wire_format import Body


def encode_completion_request(model: str, request: Request) -> Body:
    """Return the JSON body of a request."""
    body = encode_chat_request(model, request)
    return {"prompt": format_conversation(request.messages)} | {k: v for k, v in body.items() if k != "messages"}


def _completions_path(_endpoint: Endpoint, _model: str) -> str:
    return "/completions"


COMPLETIONS = replace(
    OPENAI,
    provider=replace(OPENAI.provider, name="openai-completions"),  # other answers than the chat route's: another name
    chat_path=_completions_path,
    body=encode_completion_request,
    quirks=COMPLETIONS_QUIRKS,
)

"""Every other provider, through the `litellm` package (an extra): negotiation, prices and faults are askwell's.

Without its retries (see `Retrying`), its price list (see `prices`) and anything it would fetch when imported.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (an optional package that need not be there to be typed against)

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from askwell.core.errors import ConfigError
from askwell.core.types import Completion, Request
from askwell.models.conversation import valid_unicode
from askwell.models.http.client import HttpAnswer, checked_key
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.json_codec import dumps
from askwell.models.providers.negotiation import Negotiation
from askwell.models.providers.openai_wire import chat_body, read_body
from askwell.models.providers.prices import price_of, priced
from askwell.models.providers.quirks import OPENAI_QUIRKS, Body
from askwell.models.providers.response import ParsedResponse, failure, mapping

_SECRET_CHARS = 8  # a shorter value is a placeholder, and removing it would spoil every message
_HEADER_MARK = "llm_provider-"
"""What litellm puts before the names of a provider's response headers."""


class LiteLLMModel:
    """A model by litellm's name for it ("bedrock/…", "vertex_ai/…", "cohere/…").

    Without `api_key` litellm looks for the provider's own variables; `base_url` and `prices` as for `HttpModel`.
    Connections are litellm's: it keeps them for each event loop and closes them by itself.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str = "",
        api_key: str | None = None,
        timeout_s: float = 60.0,
        prices: Mapping[str, float] | None = None,
    ) -> None:
        self._litellm, self._openai = _imported()
        self._model = name
        self._timeout_s = timeout_s
        self._place = {"api_base": base_url or None, "api_key": checked_key(api_key)}
        endpoint = Endpoint.parse(base_url) if base_url else None
        self._name = f"litellm:{name}" + (f"@{endpoint.shown}" if endpoint else "")
        provider, _, model = name.rpartition("/")
        self.price = price_of(
            model,
            base_url=endpoint.base if endpoint else "",
            provider="" if endpoint else provider.partition("/")[0],
            local=endpoint is not None and endpoint.is_loopback,
            prices=prices,
        )
        self.negotiation = Negotiation(self._name, OPENAI_QUIRKS)

    @property
    def name(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"LiteLLMModel({self.name!r})"

    async def complete(self, request: Request) -> Completion:
        started = time.perf_counter()
        valid = tuple(replace(message, content=valid_unicode(message.content)) for message in request.messages)

        async def post(body: Body) -> ParsedResponse:
            return await self._asked(body, request.samples)

        reading = await self.negotiation.ask(chat_body(self._model, replace(request, messages=valid)), post)
        completion = priced(reading.completion, self.price, cached_tokens=reading.cached_tokens)
        return self._finished(completion, time.perf_counter() - started)

    async def aclose(self) -> None:
        """Nothing to do: litellm's clients are shared by the whole process."""

    async def _asked(self, body: Body, samples: int) -> ParsedResponse:
        try:
            answer = await self._litellm.acompletion(
                **body, **self._place, timeout=self._timeout_s, num_retries=0, max_retries=0
            )
        except self._openai.OpenAIError as problem:  # what all of litellm's are made from
            return self._failed(problem)
        hidden = mapping(getattr(answer, "_hidden_params", None))
        headers = _headers(mapping(hidden.get("additional_headers")).items())
        return read_body(HttpAnswer(status=200, headers=headers, body=b""), answer.model_dump(), samples)

    def _failed(self, problem: Any) -> ParsedResponse:  # noqa: ANN401 - an exception of the optional package
        said = str(getattr(problem, "message", "") or problem)
        if isinstance(problem, self._litellm.ContentPolicyViolationError):
            return ParsedResponse(completion=Completion(outcome="refused", error=said), words=said)
        if isinstance(problem, self._openai.APITimeoutError):
            error = f"no answer within timeout_s={self._timeout_s:g}: {said}"
            return ParsedResponse(completion=Completion(outcome="failed", fault="timeout", error=error))
        if isinstance(problem, self._openai.APIConnectionError):
            return ParsedResponse(completion=Completion(outcome="failed", fault="connection", error=said))
        response = getattr(problem, "response", None)
        headers = _headers(getattr(response, "headers", {}).items())
        data = {"error": {**mapping(getattr(problem, "body", None)), "message": said}}
        status = int(getattr(problem, "status_code", None) or 500)
        return failure(HttpAnswer(status=status, headers=headers, body=dumps(data)), data)

    def _finished(self, completion: Completion, seconds: float) -> Completion:
        text, error = self._without_secrets(completion.text), self._without_secrets(completion.error)
        others = tuple(self._finished(other, seconds) for other in completion.other_samples)
        return replace(completion, seconds=seconds, text=text, error=error, other_samples=others)

    def _without_secrets(self, text: str) -> str:
        """Remove the key, and those that litellm finds by itself."""
        found = [value for name, value in os.environ.items() if name.endswith(("_API_KEY", "_SECRET_ACCESS_KEY"))]
        for secret in (self._place["api_key"] or "", *found):
            if len(secret) >= _SECRET_CHARS:
                text = text.replace(secret, "***")
        return text


def _headers(pairs: Iterable[tuple[Any, object]]) -> Mapping[str, str]:
    return {str(name).lower().removeprefix(_HEADER_MARK): str(value) for name, value in pairs}


def _imported() -> tuple[Any, Any]:
    """Return litellm and the package its exceptions come from. Takes seconds the first time."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else its import fetches a price list
    try:
        litellm = cast("Any", importlib.import_module("litellm"))
        openai = cast("Any", importlib.import_module("openai"))
    except ImportError as error:
        raise ConfigError(
            f"litellm: models need the litellm package ({error}); pip install 'askwell[litellm]'"
        ) from error
    litellm.suppress_debug_info = True  # it prints advertisements beside every error
    return litellm, openai

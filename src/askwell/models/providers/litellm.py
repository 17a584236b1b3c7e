"""All other providers, through the `litellm` package (an extra); negotiation, prices and faults are askwell's.

litellm's retries (see `Retrying`), its price list (see `prices`) and its downloads at import are switched off.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (an optional package, absent when types are checked)

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

from askwell.core.errors import ConfigError
from askwell.core.types import Completion, Request
from askwell.models.conversation import replace_surrogates
from askwell.models.http.client import HttpResponse, validate_key
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.headers import header_secrets
from askwell.models.http.json_codec import dumps
from askwell.models.providers.negotiation import Negotiation
from askwell.models.providers.openai_wire import encode_chat_options, encode_chat_request, parse_chat_completion
from askwell.models.providers.prices import finish_completion, price_function
from askwell.models.providers.quirks import OPENAI_QUIRKS, Body
from askwell.models.providers.response import ParsedResponse, as_object, parse_error
from askwell.models.providers.wire_format import ReplyOptions, digest_extra

_SECRET_CHARS = 8  # a shorter value is a placeholder, and removing it would spoil every message
_NOTHING: Mapping[str, object] = MappingProxyType({})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_NO_OPTIONS = ReplyOptions()
_HEADER_MARK = "llm_provider-"
"""litellm's prefix of the names of a provider's response headers."""


class LiteLLMModel:
    """A model by litellm's name ("bedrock/…", "vertex_ai/…", "cohere/…").

    Without `api_key` litellm reads the provider's own environment variables; the other options are as for `HttpModel`.
    litellm translates `options` for the provider, and passes `extra_body` on. It keeps its connections per event loop
    and closes them itself.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str = "",
        api_key: str | None = None,
        timeout_s: float = 60.0,
        extra_body: Mapping[str, object] = _NOTHING,
        headers: Mapping[str, str] = _NO_HEADERS,
        options: ReplyOptions = _NO_OPTIONS,
        prices: Mapping[str, float] | None = None,
    ) -> None:
        self._litellm, self._openai = _import_packages()
        self._model = name
        self._timeout_s = timeout_s
        self._address = {"api_base": base_url or None, "api_key": validate_key(api_key)}
        self._options = dict(encode_chat_options(name, options))
        self._extra: dict[str, object] = {"extra_body": dict(extra_body)} if extra_body else {}
        self._extra |= {"extra_headers": dict(headers)} if headers else {}
        self._secrets = tuple(header_secrets(headers))
        endpoint = Endpoint.parse(base_url) if base_url else None
        self._name = f"litellm:{name}{digest_extra({**self._options, **extra_body})}" + (
            f"@{endpoint.shown}" if endpoint else ""
        )
        provider, _, model = name.rpartition("/")
        self.price = price_function(
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
        valid = tuple(replace(message, content=replace_surrogates(message.content)) for message in request.messages)

        async def post(body: Body) -> ParsedResponse:
            return await self._post(body, request.samples)

        body = {**encode_chat_request(self._model, replace(request, messages=valid)), **self._options}
        response = await self.negotiation.send(body, post)
        completion = response.completion
        return finish_completion(
            completion,
            price=self.price,
            seconds=time.perf_counter() - started,
            without_secrets=self._without_secrets,
            cached_tokens=response.cached_tokens,
        )

    async def aclose(self) -> None:
        """Do nothing: the whole process shares litellm's clients."""

    async def _post(self, body: Body, samples: int) -> ParsedResponse:
        try:
            answer = await self._litellm.acompletion(
                **body, **self._extra, **self._address, timeout=self._timeout_s, num_retries=0, max_retries=0
            )
        except self._openai.OpenAIError as problem:  # the base of all of litellm's exceptions
            return self._parse_exception(problem)
        hidden = as_object(getattr(answer, "_hidden_params", None))
        headers = _headers(as_object(hidden.get("additional_headers")).items())
        return parse_chat_completion(HttpResponse(status=200, headers=headers, body=b""), answer.model_dump(), samples)

    def _parse_exception(self, problem: Any) -> ParsedResponse:  # noqa: ANN401 - an exception of the optional package
        message = str(getattr(problem, "message", "") or problem)
        if isinstance(problem, self._litellm.ContentPolicyViolationError):
            return ParsedResponse(completion=Completion(outcome="refused", error=message), error_text=message)
        if isinstance(problem, self._openai.APITimeoutError):
            error = f"no answer within timeout_s={self._timeout_s:g}: {message}"
            return ParsedResponse(completion=Completion(outcome="failed", fault="timeout", error=error))
        if isinstance(problem, self._openai.APIConnectionError):
            return ParsedResponse(completion=Completion(outcome="failed", fault="connection", error=message))
        response = getattr(problem, "response", None)
        headers = _headers(getattr(response, "headers", {}).items())
        data = {"error": {**as_object(getattr(problem, "body", None)), "message": message}}
        status = int(getattr(problem, "status_code", None) or 500)
        return parse_error(HttpResponse(status=status, headers=headers, body=dumps(data)), data)

    def _without_secrets(self, text: str) -> str:
        """Remove the key, and the keys in the environment that litellm may use."""
        secrets = [value for name, value in os.environ.items() if name.endswith(("_API_KEY", "_SECRET_ACCESS_KEY"))]
        for secret in (self._address["api_key"] or "", *self._secrets, *secrets):
            if len(secret) >= _SECRET_CHARS:
                text = text.replace(secret, "***")
        return text


def _headers(pairs: Iterable[tuple[Any, object]]) -> Mapping[str, str]:
    return {str(name).lower().removeprefix(_HEADER_MARK): str(value) for name, value in pairs}


def _import_packages() -> tuple[Any, Any]:
    """Return litellm and the package of its exceptions' base class. The first import takes seconds."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else its import downloads a price list
    try:
        litellm = cast("Any", importlib.import_module("litellm"))
        openai = cast("Any", importlib.import_module("openai"))
    except ImportError as error:
        raise ConfigError(
            f"litellm: models need the litellm package ({error}); pip install 'askwell[litellm]'"
        ) from error
    litellm.suppress_debug_info = True  # it prints advertisements beside every error
    return litellm, openai

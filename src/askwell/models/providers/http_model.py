"""A model behind HTTP in any provider's format: negotiation, prices, removal of secrets, advice on failures.

It has no limit on connections (see `wrappers.limited`) and no retries (see `wrappers.retry`).
It has no `logprob`: chat endpoints do not score a given reply; use `local.LocalModel` for that.
"""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypedDict

from askwell.core.errors import ConfigError
from askwell.core.types import Completion, Request
from askwell.models.http.client import CHECK_URL, HttpClient, HttpResponse, validate_key
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.headers import header_secrets, merge_headers
from askwell.models.http.json_codec import dumps
from askwell.models.per_loop import PerLoop
from askwell.models.providers.negotiation import Negotiation
from askwell.models.providers.prices import finish_completion, price_function
from askwell.models.providers.response import ParsedResponse, parse_json
from askwell.models.providers.wire_format import Body, ReplyOptions, WireFormat, digest_extra, merge_json

_SHOWN_MODELS = 5  # routers list hundreds
_NO_EXTRA: Mapping[str, object] = MappingProxyType({})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_NO_OPTIONS = ReplyOptions()


class ConnectionOptions(TypedDict, total=False):
    """The options of every provider's model; `HttpModel` documents them."""

    api_key: str | None
    timeout_s: float
    extra_body: Mapping[str, object]
    headers: Mapping[str, str]
    options: ReplyOptions
    prices: Mapping[str, float] | None
    use_proxy: bool


class HttpModel:
    """A model called in a provider's own format (`wire`); `OpenAIModel` and others fix the format.

    `name` is the provider's name of the model; `extra_body` is merged into every request (and wins over other fields),
    `headers` are sent with each one (and win over others); `options` are settings of replies;
    `prices` (dollars per million tokens, `input_per_mtok` and `output_per_mtok`) overrides the built-in table;
    `timeout_s` bounds a whole call. The proxies of the environment are used, except for this machine's own addresses;
    `use_proxy=False` ignores them.

    Parameters that a server rejects (`max_tokens`, `temperature`, `seed`, `n`, system messages) are learnt from its
    error message, once per object: the request is sent again at once in the form that the server accepts (see
    `quirks`).
    """

    def __init__(
        self,
        name: str,
        *,
        wire: WireFormat,
        base_url: str,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        extra_body: Mapping[str, object] = _NO_EXTRA,
        headers: Mapping[str, str] = _NO_HEADERS,
        options: ReplyOptions = _NO_OPTIONS,
        prices: Mapping[str, float] | None = None,
        use_proxy: bool = True,
    ) -> None:
        self._model = name
        self._wire = wire
        self._endpoint = Endpoint.parse(base_url)
        key = validate_key(api_key)
        provider = wire.provider
        if key is None and provider.base_url and self._endpoint.host == Endpoint.parse(provider.base_url).host:
            raise ConfigError(
                f"no API key for {self._endpoint.host}; set {provider.key_env}, or give base_url for another server"
            )
        self._extra = merge_json(wire.options(name, options), extra_body)
        self._name = f"{provider.name}:{name}{digest_extra(self._extra)}@{self._endpoint.shown}"
        self._chat_url = self._endpoint.url(wire.chat_path(self._endpoint, name))
        self._key, self._use_proxy = key, use_proxy
        self._headers = merge_headers(wire.constant_headers, {} if key is None else wire.headers(key), headers)
        self._secrets = tuple(header_secrets(headers))
        self._http = self.client(timeout_s=timeout_s)
        self.price = price_function(name, base_url=self._endpoint.base, local=self._endpoint.is_loopback, prices=prices)
        self.negotiation = Negotiation(self._name, wire.quirks, unsupported=wire.unsupported)
        self._has_answered = False
        self._served: tuple[str, ...] | None = None
        self._listing = PerLoop(asyncio.Lock)

    @property
    def name(self) -> str:
        """Return model, endpoint and a digest of the extra body: whatever may change an answer. Never the key."""
        return self._name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    async def complete(self, request: Request) -> Completion:
        return await self.complete_via(request, lambda body: self._http.post(self._chat_url, dumps(body)))

    async def complete_via(
        self, request: Request, send: Callable[[Body], Awaitable[HttpResponse | Completion]]
    ) -> Completion:
        """Complete a request through another transport than a direct call (a batch)."""
        started = time.perf_counter()

        async def post(body: Body) -> ParsedResponse:
            answer = await send(body)
            return (
                self._wire.read(answer, request.samples)
                if isinstance(answer, HttpResponse)
                else ParsedResponse(completion=answer)
            )

        response = await self.negotiation.send(merge_json(self._wire.body(self._model, request), self._extra), post)
        self._has_answered = self._has_answered or response.completion.outcome != "failed"
        completion = await self._add_advice(response)
        return finish_completion(
            completion,
            price=self.price,
            seconds=time.perf_counter() - started,
            without_secrets=self._http.without_secrets,
            cached_tokens=response.cached_tokens,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    @property
    def endpoint(self) -> Endpoint:
        """Return the address of the model's server."""
        return self._endpoint

    @property
    def format(self) -> str:
        """Return the provider whose format the model uses: the beginning of its name."""
        return self._wire.provider.name

    def client(self, *, timeout_s: float, headers: Mapping[str, str] = _NO_HEADERS) -> HttpClient:
        """Return another client of the same server with the same key; the caller closes it."""
        return HttpClient(
            self._endpoint,
            timeout_s=timeout_s,
            headers=merge_headers(self._headers, headers),
            key=self._key,
            secrets=self._secrets,
            use_proxy=self._use_proxy,
        )

    async def _add_advice(self, response: ParsedResponse) -> Completion:
        """Add to a failure's message what the user can do about it."""
        completion = response.completion
        if response.unknown_model:
            return replace(completion, error=f"{completion.error} ({await self._describe_models()})")
        if completion.fault == "auth" and self._key is None:
            return replace(completion, error=f"{completion.error} (no API key was sent to {self._endpoint.shown})")
        if response.no_endpoint and not self._has_answered and completion.fault in ("bad_request", "malformed"):
            error = f"{completion.error} (is there a model server at {self._endpoint.shown}? {CHECK_URL})"
            return replace(completion, fault="bad_request", error=error)
        return completion

    async def _describe_models(self) -> str:
        """Describe the server's models, those with the most similar names first. The list is requested once."""
        async with self._listing.get():
            if self._served is None:
                self._served = await self._list_models()
        if not self._served:
            return self._wire.unlisted_hint or f"{self._endpoint.shown} does not list its models"
        if self._model in self._served:
            return f"{self._endpoint.shown} lists {self._model!r} but rejected it"
        close = difflib.get_close_matches(self._model, self._served, n=_SHOWN_MODELS, cutoff=0.4)
        some = close or sorted(self._served)[:_SHOWN_MODELS]
        return f"no {self._model!r} among the {len(self._served)} models of {self._endpoint.shown}; try one of {some}"

    async def _list_models(self) -> tuple[str, ...]:
        if self._wire.models_path is None:
            return ()
        answer = await self._http.get(self._endpoint.url(self._wire.models_path(self._endpoint)))
        return self._wire.parse_models(parse_json(answer)) if isinstance(answer, HttpResponse) else ()

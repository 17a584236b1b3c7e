"""A model behind HTTP, whatever its provider's format: negotiation, prices, secrets, and what to do about a failure.

No limit on connections (see `wrappers.Limited`), no retries (see `Retrying`): see `http`.
There is no `logprob`: chat endpoints do not score a given reply; use `local.LocalModel` for that.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypedDict

from askwell.core.errors import ConfigError
from askwell.core.types import Completion, Request
from askwell.models.http.client import CHECK_URL, HttpAnswer, HttpClient, checked_key
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.json_codec import dumps
from askwell.models.per_loop import PerLoop
from askwell.models.providers.negotiation import Negotiation
from askwell.models.providers.prices import price_of, priced
from askwell.models.providers.response import ParsedResponse, json_of
from askwell.models.providers.wire_format import Body, WireFormat, merged

_SHOWN_MODELS = 5  # routers list hundreds
_NO_EXTRA: Mapping[str, object] = MappingProxyType({})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Reach(TypedDict, total=False):
    """How any provider's model is reached; what each means stands on `HttpModel`."""

    api_key: str | None
    timeout_s: float
    extra_body: Mapping[str, object]
    prices: Mapping[str, float] | None
    use_proxy: bool


class HttpModel:
    """A model that is asked in a provider's own format (`wire`); `OpenAIModel` and its like are this with theirs.

    `name` is the model's name there; `extra_body` goes into every request as it is (and wins over other fields);
    `prices` (dollars per million tokens, `input_per_mtok` and `output_per_mtok`) overrides the built-in table;
    `timeout_s` bounds a whole call. Proxies named by the environment are used as by every other client, except for
    this machine's own addresses; `use_proxy=False` ignores them.

    What a server refuses (`max_tokens`, `temperature`, `seed`, `n`, system messages) is learnt from its own message,
    once for this object: the request is sent again at once in the form the server takes (see `quirks`).
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
        prices: Mapping[str, float] | None = None,
        use_proxy: bool = True,
    ) -> None:
        self._model = name
        self._wire = wire
        self._endpoint = Endpoint.parse(base_url)
        key = checked_key(api_key)
        provider = wire.provider
        if key is None and provider.base_url and self._endpoint.host == Endpoint.parse(provider.base_url).host:
            raise ConfigError(
                f"no API key for {self._endpoint.host}; set {provider.key_env}, or give base_url for another server"
            )
        self._extra = dict(extra_body)
        self._name = f"{provider.name}:{name}{_extra_tag(self._extra)}@{self._endpoint.shown}"
        self._chat_url = self._endpoint.url(wire.chat_path(self._endpoint, name))
        self._key, self._use_proxy = key, use_proxy
        self._headers = {**wire.constant_headers, **({} if key is None else wire.headers(key))}
        self._http = self.client(timeout_s=timeout_s)
        self.price = price_of(name, base_url=self._endpoint.base, local=self._endpoint.is_loopback, prices=prices)
        self.negotiation = Negotiation(self._name, wire.quirks, lacks=wire.lacks)
        self._has_answered = False
        self._served: tuple[str, ...] | None = None
        self._listing = PerLoop(asyncio.Lock)

    @property
    def name(self) -> str:
        """Model, endpoint and extra body: whatever may change an answer. Never the key."""
        return self._name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    async def complete(self, request: Request) -> Completion:
        return await self.complete_by(request, lambda body: self._http.post(self._chat_url, dumps(body)))

    async def complete_by(
        self, request: Request, send: Callable[[Body], Awaitable[HttpAnswer | Completion]]
    ) -> Completion:
        """Like `complete`, with each body sent another way (in a batch)."""
        started = time.perf_counter()

        async def post(body: Body) -> ParsedResponse:
            found = await send(body)
            return (
                self._wire.read(found, request.samples)
                if isinstance(found, HttpAnswer)
                else ParsedResponse(completion=found)
            )

        reading = await self.negotiation.ask(merged(self._wire.body(self._model, request), self._extra), post)
        self._has_answered = self._has_answered or reading.completion.outcome != "failed"
        completion = priced(await self._explained(reading), self.price, cached_tokens=reading.cached_tokens)
        return self._finished(completion, time.perf_counter() - started)

    async def aclose(self) -> None:
        await self._http.aclose()

    @property
    def endpoint(self) -> Endpoint:
        """Where the model is served."""
        return self._endpoint

    @property
    def format(self) -> str:
        """Whose format it is asked in: the beginning of its name."""
        return self._wire.provider.name

    def client(self, *, timeout_s: float, headers: Mapping[str, str] = _NO_HEADERS) -> HttpClient:
        """Return another client to the same server with the same key; the caller closes it."""
        return HttpClient(
            self._endpoint,
            timeout_s=timeout_s,
            headers={**self._headers, **headers},
            key=self._key,
            use_proxy=self._use_proxy,
        )

    async def _explained(self, reading: ParsedResponse) -> Completion:
        """Add to a failure what the user can do about it."""
        completion = reading.completion
        if reading.unknown_model:
            return replace(completion, error=f"{completion.error} ({await self._choices()})")
        if completion.fault == "auth" and self._key is None:
            return replace(completion, error=f"{completion.error} (no API key was sent to {self._endpoint.shown})")
        if reading.no_endpoint and not self._has_answered and completion.fault in ("bad_request", "malformed"):
            error = f"{completion.error} (is there a model server at {self._endpoint.shown}? {CHECK_URL})"
            return replace(completion, fault="bad_request", error=error)
        return completion

    async def _choices(self) -> str:
        """Say which models the server has, nearest first; asked once."""
        async with self._listing.get():
            if self._served is None:
                self._served = await self._list_models()
        if not self._served:
            return self._wire.unlisted or f"{self._endpoint.shown} does not list its models"
        if self._model in self._served:
            return f"{self._endpoint.shown} lists {self._model!r} but would not use it"
        close = difflib.get_close_matches(self._model, self._served, n=_SHOWN_MODELS, cutoff=0.4)
        some = close or sorted(self._served)[:_SHOWN_MODELS]
        return f"no {self._model!r} among the {len(self._served)} models of {self._endpoint.shown}; try one of {some}"

    async def _list_models(self) -> tuple[str, ...]:
        if self._wire.models_path is None:
            return ()
        found = await self._http.get(self._endpoint.url(self._wire.models_path(self._endpoint)))
        return self._wire.listed(json_of(found)) if isinstance(found, HttpAnswer) else ()

    def _finished(self, completion: Completion, seconds: float) -> Completion:
        text, error = self._http.without_secrets(completion.text), self._http.without_secrets(completion.error)
        others = tuple(self._finished(other, seconds) for other in completion.other_samples)
        return replace(completion, seconds=seconds, text=text, error=error, other_samples=others)


def _extra_tag(extra: Mapping[str, object]) -> str:
    if not extra:
        return ""
    try:
        text = json.dumps(extra, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"extra_body can't be sent as JSON: {error}; use plain dicts, lists and values") from error
    return "+" + hashlib.blake2b(text.encode(), digest_size=4).hexdigest()

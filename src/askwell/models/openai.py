"""Any OpenAI-compatible endpoint (OpenAI, Azure, vLLM, llama.cpp, Ollama, OpenRouter, …) as a `ChatModel`.

No limit on connections (see `wrappers.Limited`), no retries (see `Retrying`): see `http`.
There is no `logprob`: chat endpoints do not score a given reply; use `local.LocalModel` for that.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import cast

from askwell.errors import ConfigError
from askwell.fastjson import dumps
from askwell.models.endpoint import Endpoint
from askwell.models.http import CHECK_URL, HttpAnswer, HttpClient, checked_key
from askwell.models.openai_wire import Reading, chat_body, read_answer
from askwell.models.perloop import PerLoop
from askwell.models.prices import price_of
from askwell.models.quirks import QUIRKS, Body, Quirk, adapted, quirk_behind
from askwell.types import Completion, Request

_LOG = logging.getLogger(__name__)
_OPENAI = "https://api.openai.com/v1"
_SHOWN_MODELS = 5  # routers list hundreds
_NOTHING: Mapping[str, object] = MappingProxyType({})


class OpenAIModel:
    """A model behind `POST {base_url}/chat/completions`.

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
        base_url: str = _OPENAI,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        extra_body: Mapping[str, object] = _NOTHING,
        prices: Mapping[str, float] | None = None,
        use_proxy: bool = True,
    ) -> None:
        self._model = name
        self._endpoint = Endpoint.parse(base_url)
        self._key = checked_key(api_key)
        if self._key is None and self._endpoint.host == "api.openai.com":
            raise ConfigError("no API key for api.openai.com; set OPENAI_API_KEY, or give base_url for another server")
        self._extra = dict(extra_body)
        self._name = f"openai:{name}{_extra_tag(self._extra)}@{self._endpoint.shown}"
        self._http = HttpClient(
            self._endpoint,
            timeout_s=timeout_s,
            headers={} if self._key is None else {"Authorization": f"Bearer {self._key}"},
            key=self._key,
            use_proxy=use_proxy,
        )
        self.price = price_of(name, base_url=self._endpoint.base, local=self._endpoint.is_loopback, prices=prices)
        self._learnt: tuple[Quirk, ...] = ()
        self._has_answered = False
        self._served: tuple[str, ...] | None = None
        self._listing = PerLoop(asyncio.Lock)

    @property
    def name(self) -> str:
        """Model, endpoint and extra body: whatever may change an answer. Never the key."""
        return self._name

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r})"

    async def complete(self, request: Request) -> Completion:
        started = time.perf_counter()
        body = chat_body(self._model, request, self._extra)
        tried = self._learnt
        reading = await self._post(adapted(body, tried), request.samples)
        while reading.completion.fault == "bad_request" and len(tried) < len(QUIRKS):
            quirk = quirk_behind(reading.words, adapted(body, tried))
            if quirk is None:
                break
            tried = (*tried, quirk)
            reading = await self._post(adapted(body, tried), request.samples)
        if reading.completion.outcome != "failed":
            self._has_answered = True
            self._learn(tried)
        completion = await self._explained(reading)
        return self._finished(completion, reading.cached_tokens, time.perf_counter() - started)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _post(self, body: Body, samples: int) -> Reading:
        found = await self._http.post(self._endpoint.chat_url, dumps(body))
        return read_answer(found, samples=samples) if isinstance(found, HttpAnswer) else Reading(completion=found)

    def _learn(self, tried: tuple[Quirk, ...]) -> None:
        """Keep the quirks behind an accepted request (calls in flight may find the same one at the same time)."""
        for quirk in tried:
            if quirk not in self._learnt:
                self._learnt = (*self._learnt, quirk)
                _LOG.warning("%s: %s", self.name, quirk.meaning)

    async def _explained(self, reading: Reading) -> Completion:
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
            return f"{self._endpoint.shown} does not list its models"
        if self._model in self._served:
            return f"{self._endpoint.shown} lists {self._model!r} but would not use it"
        close = difflib.get_close_matches(self._model, self._served, n=_SHOWN_MODELS, cutoff=0.4)
        some = close or sorted(self._served)[:_SHOWN_MODELS]
        return f"no {self._model!r} among the {len(self._served)} models of {self._endpoint.shown}; try one of {some}"

    async def _list_models(self) -> tuple[str, ...]:
        found = await self._http.get(self._endpoint.models_url)
        if not isinstance(found, HttpAnswer):
            return ()
        try:
            data: object = json.loads(found.body)
        except (ValueError, RecursionError):
            return ()
        listed = cast("dict[str, object]", data).get("data") if isinstance(data, dict) else None
        if not isinstance(listed, list):
            return ()
        entries = [
            cast("dict[str, object]", entry) for entry in cast("list[object]", listed) if isinstance(entry, dict)
        ]
        return tuple(str(entry["id"]) for entry in entries if "id" in entry)

    def _finished(self, completion: Completion, cached_tokens: int, seconds: float) -> Completion:
        usage = completion.usage
        if usage.prompt_tokens or usage.completion_tokens:
            cost = self.price(usage.prompt_tokens, cached_tokens, usage.completion_tokens)
            usage = usage if cost is None else replace(usage, cost_usd=cost)
        text, error = self._http.without_secrets(completion.text), self._http.without_secrets(completion.error)
        others = tuple(self._finished(other, 0, seconds) for other in completion.others)
        return replace(completion, usage=usage, seconds=seconds, text=text, error=error, others=others)


def _extra_tag(extra: Mapping[str, object]) -> str:
    if not extra:
        return ""
    try:
        text = json.dumps(extra, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"extra_body can't be sent as JSON: {error}; use plain dicts, lists and values") from error
    return "+" + hashlib.blake2b(text.encode(), digest_size=4).hexdigest()

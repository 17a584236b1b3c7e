"""The cost of a call in US dollars: by the user's own prices, else by the `genai-prices` table; None if unknown."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Protocol, runtime_checkable

from askwell.core.errors import ConfigError, nearest
from askwell.core.types import Completion, Usage

_LOG = logging.getLogger(__name__)
_PER_TOKEN = 1e-6

PRICE_NAMES = ("input_per_mtok", "output_per_mtok")

PriceFunction = Callable[[int, int, int], float | None]
"""(prompt tokens, of those read from the provider's cache, completion tokens) -> dollars; None if unknown."""


@runtime_checkable
class Priced(Protocol):
    """A model with known prices: (prompt tokens, of those cached, completion tokens) -> dollars."""

    def price(self, prompt: int, cached: int, completion: int, /) -> float | None: ...


def price_function(
    model: str, *, base_url: str, local: bool, prices: Mapping[str, float] | None, provider: str = ""
) -> PriceFunction:
    """Return the price function of a model at an endpoint, or at a provider by name.

    `prices` (dollars per million tokens, keys `input_per_mtok` and `output_per_mtok`) wins over the table. A local
    endpoint has no known price (it is not free: someone pays for the machine). Without the `prices` extra all others
    are unknown too. The table is part of the package: nothing is downloaded.
    """
    if prices is not None:
        return _own_price(prices)
    if local:
        return lambda _prompt, _cached, _completion: None
    return lambda prompt, cached, completion: _table_price((model, base_url, provider), prompt, cached, completion)


def finish_completion(
    completion: Completion,
    *,
    price: PriceFunction,
    seconds: float,
    without_secrets: Callable[[str], str],
    cached_tokens: int = 0,
) -> Completion:
    """Return a completion, and its further replies, with cost and time and without secrets.

    All in one copy per reply: a copy takes 3 µs, and every call of a run comes through here.
    """
    return replace(
        completion,
        text=without_secrets(completion.text),
        error=without_secrets(completion.error),
        usage=add_cost(completion.usage, price, cached_tokens=cached_tokens),
        seconds=seconds,
        other_samples=tuple(
            finish_completion(other, price=price, seconds=seconds, without_secrets=without_secrets)
            for other in completion.other_samples
        ),
    )


def add_cost(usage: Usage, price: PriceFunction, *, cached_tokens: int) -> Usage:
    """Return the usage with its cost, if the price is known."""
    if not usage.prompt_tokens and not usage.completion_tokens:
        return usage
    cost = price(usage.prompt_tokens, cached_tokens, usage.completion_tokens)
    return usage if cost is None else replace(usage, cost_usd=cost)


def _own_price(prices: Mapping[str, float]) -> PriceFunction:
    for name in prices:
        if name not in PRICE_NAMES:
            raise ConfigError(f"unknown price {name!r}; {nearest(name, PRICE_NAMES)}")
    missing = [name for name in PRICE_NAMES if name not in prices]
    if missing:
        raise ConfigError(f"prices {dict(prices)!r} lack {missing}; give dollars per million tokens for both")
    if min(prices.values()) < 0:
        raise ConfigError(f"prices {dict(prices)!r} must not be negative; give dollars per million tokens")
    per_input, per_output = prices["input_per_mtok"] * _PER_TOKEN, prices["output_per_mtok"] * _PER_TOKEN
    return lambda prompt, _cached, completion: prompt * per_input + completion * per_output


_ModelLocation = tuple[str, str, str]
"""Model, address, and the provider if there is no address."""


def _table_price(location: _ModelLocation, prompt: int, cached: int, completion: int) -> float | None:
    table = _table()
    if table is None or not _is_known(location):
        return None
    usage = table.Usage(input_tokens=prompt, cache_read_tokens=min(cached, prompt), output_tokens=completion)
    return _table_total(table, usage, location)


def _table_total(table: Any, usage: Any, location: _ModelLocation) -> float:  # noqa: ANN401 - the optional library's
    model, base_url, provider = location
    at = {"provider_id": provider} if provider else {"provider_api_url": base_url}
    return float(table.calc_price(usage, model, **at).total_price)


@cache
def _is_known(location: _ModelLocation) -> bool:
    table = _table()
    if table is None:
        return False
    try:
        _table_total(table, table.Usage(input_tokens=1, output_tokens=1), location)
    except LookupError:
        model, base_url, provider = location
        _LOG.info("no known price for model %r at %s: its cost is not counted", model, base_url or provider)
        return False
    return True


@cache
def _table() -> Any:  # noqa: ANN401 - the optional library's module
    try:
        return importlib.import_module("genai_prices")
    except ImportError:
        return None

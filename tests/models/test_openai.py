"""OpenAIModel against a real server: outcomes, messages, quirks, keys, addresses."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Message, Request
from askwell.models.http.client import HttpResponse
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.openai import OpenAIModel
from askwell.models.providers.openai_wire import parse_chat_response
from askwell.models.providers.rate_headers import parse_retry_after
from askwell.testing import ChatModelContract
from tests.support.requests import ask
from tests.support.servers import FAULT_OUTCOMES, FAULTS, Messages, always, chat_server, completion, error
from tests.support.servers import Fault as ServerFault

KEY = "sk-very-secret-0123456789"


async def answer(model: ChatModel, request: Request | None = None) -> Completion:
    try:
        return await model.complete(request or ask("hello there"))
    finally:
        await model.aclose()


class TestContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> Iterator[ChatModel]:
        with chat_server() as server:
            yield OpenAIModel("tiny", base_url=server.base_url)


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_matrix(fault: ServerFault) -> None:
    with chat_server(faults=always(fault), retry_after="7") as server:
        got = await answer(OpenAIModel("tiny", base_url=server.base_url, api_key=KEY, timeout_s=0.5))
    assert (got.outcome, got.fault) == FAULT_OUTCOMES[fault]
    assert got.error
    assert got.outcome == "refused" or got.text == ""
    assert got.retry_after_s == (7.0 if fault == "429_retry_after" else None)


def say_three_words(_messages: Messages) -> str:
    return "one two three"


async def test_reply_usage_and_price() -> None:
    prices = {"input_per_mtok": 2.0, "output_per_mtok": 10.0}
    with chat_server(reply=say_three_words) as server:
        got = await answer(OpenAIModel("tiny", base_url=server.base_url, prices=prices))
        unpriced = await answer(OpenAIModel("tiny", base_url=server.base_url))
    assert (got.text, got.outcome, got.usage.prompt_tokens, got.usage.completion_tokens) == (
        "one two three",
        "ok",
        2,
        3,
    )
    assert got.usage.cost_usd == pytest.approx((2 * 2.0 + 3 * 10.0) / 1e6)
    assert unpriced.usage.cost_usd is None
    assert got.seconds > 0


async def test_sends_sampling_parameters_and_extra_body() -> None:
    with chat_server() as server:
        model = OpenAIModel("tiny", base_url=server.base_url, extra_body={"top_p": 0.5})
        await model.complete(ask("q", temperature=0.7, max_tokens=9, seed=3))
        await model.complete(ask("q", seed=3, sample_index=1))
        await answer(model, ask("q"))
    first, second, third = server.bodies
    assert first == {
        "model": "tiny", "messages": [{"role": "user", "content": "q"}], "temperature": 0.7, "max_tokens": 9,
        "seed": 3, "top_p": 0.5,
    }  # fmt: skip
    assert second["seed"] not in (3, None)  # another draw is another sample, even where seeds are honoured
    assert "seed" not in third


def test_the_name_tells_models_apart_and_shows_no_secret() -> None:
    def name(base_url: str = "http://a:1/v1", **more: Any) -> str:
        return OpenAIModel("m", base_url=base_url, **more).name

    assert name() == "openai:m@http://a:1/v1" == name("http://a:1/v1/") == name("http://a:1/v1/chat/completions")
    assert name(api_key=KEY) == name()
    assert len({name(), name("http://b:1/v1"), name(extra_body={"top_p": 1}), name(extra_body={"top_p": 2})}) == 4
    azure = name("https://x.openai.azure.com/openai?api-version=2026-01-01&api-key=hush", api_key=KEY)
    assert azure == "openai:m@https://x.openai.azure.com/openai?api-version=2026-01-01&api-key=***"
    assert KEY not in repr(OpenAIModel("m", base_url="http://a:1", api_key=KEY))


async def test_a_key_echoed_by_the_provider_is_removed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with chat_server(api_key="sk-another") as server:
        got = await answer(OpenAIModel("tiny", base_url=server.base_url, api_key=KEY))
    assert got.fault == "auth"
    assert "Incorrect API key provided: Bearer ***" in got.error
    assert KEY not in got.error + caplog.text


async def test_a_missing_key_is_named() -> None:
    with chat_server(api_key=KEY) as server:
        got = await answer(OpenAIModel("tiny", base_url=server.base_url))
    assert got.fault == "auth"
    assert "no API key was sent" in got.error
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        OpenAIModel("gpt-4.1-mini")
    with pytest.raises(ConfigError, match="HTTP header") as caught:
        OpenAIModel("gpt-4.1-mini", api_key="sk-with a blank")
    assert "sk-with" not in str(caught.value)


async def test_an_unknown_model_gets_the_nearest_names_with_one_listing() -> None:
    with chat_server(faults=always("404_model"), models=("tiny", "tiny-large", "other")) as server:
        model = OpenAIModel("tiny-lagre", base_url=server.base_url)
        answers = await asyncio.gather(*(model.complete(ask(f"q{number}")) for number in range(20)))
        await model.aclose()
    for got in answers:
        assert got.fault == "bad_request"
        assert "tiny-lagre" in got.error
        assert "['tiny-large', 'tiny']" in got.error
    assert server.listings == 1


async def test_wrong_addresses_are_named_with_what_to_check() -> None:
    with chat_server() as server:
        wrong_path = server.base_url.replace("/v1", "/api")
        got = await answer(OpenAIModel("tiny", base_url=wrong_path))
        free_port = server.base_url
    assert got.fault == "bad_request"
    assert wrong_path in got.error
    assert "check the base URL" in got.error
    for base_url in (free_port, "http://no-such-host.invalid/v1"):  # the server has gone by now
        got = await answer(OpenAIModel("tiny", base_url=base_url))
        assert got.fault == "connection"
        assert base_url in got.error
        assert "check the base URL" in got.error


async def test_a_page_after_real_answers_is_a_passing_fault() -> None:
    with chat_server() as server:
        model = OpenAIModel("tiny", base_url=server.base_url)
        assert (await model.complete(ask("q"))).outcome == "ok"
        server.faults = always("html")
        assert (await answer(model)).fault == "malformed"


@pytest.mark.parametrize(
    "base_url",
    ["", "localhost:8000/v1", "ftp://host/v1", "http://", "http://a b/v1", "http://host:port/v1", "http://[::1"],
)
def test_bad_base_urls_are_refused(base_url: str) -> None:
    with pytest.raises(ConfigError, match="bad base URL"):
        OpenAIModel("m", base_url=base_url)


def test_credentials_in_the_base_url_are_refused_unseen() -> None:
    with pytest.raises(ConfigError, match="API key") as caught:
        OpenAIModel("m", base_url="https://user:hush-hush@host/v1")
    assert "hush" not in str(caught.value)


def test_bad_extra_body_and_prices_are_refused() -> None:
    with pytest.raises(ConfigError, match="extra_body"):
        OpenAIModel("m", base_url="http://a", extra_body={"x": {1, 2}})
    with pytest.raises(ConfigError, match="did you mean 'input_per_mtok'"):
        OpenAIModel("m", base_url="http://a", prices={"inputs_per_mtok": 1.0, "output_per_mtok": 1.0})
    with pytest.raises(ConfigError, match=r"lack \['output_per_mtok'\]"):
        OpenAIModel("m", base_url="http://a", prices={"input_per_mtok": 1.0})


async def test_redirects_are_not_followed() -> None:
    def moved(_body: dict[str, Any]) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://elsewhere.invalid/"})

    with chat_server(transform=moved) as server:
        got = await answer(OpenAIModel("tiny", base_url=server.base_url, api_key=KEY))
    assert got.fault == "bad_request"
    assert "HTTP 307" in got.error


def test_proxies_of_the_environment_spare_this_machine() -> None:
    saved = dict(os.environ)
    try:
        for name in ("no_proxy", "NO_PROXY", "http_proxy", "https_proxy", "HTTPS_PROXY"):
            os.environ.pop(name, None)
        os.environ.update(http_proxy="http://proxy:3128", https_proxy="http://proxy:3129", no_proxy="inner.example")
        assert Endpoint.parse("https://api.openai.com/v1").proxy() == "http://proxy:3129"
        assert Endpoint.parse("http://far.example/v1").proxy() == "http://proxy:3128"
        for spared in ("localhost", "127.0.0.1", "127.8.8.8", "[::1]", "x.localhost", "inner.example"):
            assert Endpoint.parse(f"http://{spared}:8000/v1").proxy() is None
    finally:
        os.environ.clear()
        os.environ.update(saved)


# --- capability negotiation ---------------------------------------------------------------------------------------


def reasoning_model(body: dict[str, Any]) -> web.Response | None:
    """Speak as OpenAI's reasoning models do."""
    if "max_tokens" in body:
        words = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return error(400, words, "unsupported_parameter", param="max_tokens")
    if body.get("temperature", 1) != 1:
        words = (
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported."
        )
        return error(400, words, "unsupported_value", param="temperature")
    return None


def strict_gateway(body: dict[str, Any]) -> web.Response | None:
    """Refuse unknown fields as FastAPI does, and system messages as Gemma's template does."""
    if "seed" in body:
        detail = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]
        return web.json_response({"detail": detail}, status=422)
    if any(message["role"] == "system" for message in body["messages"]):
        return web.json_response({"object": "error", "message": "System role not supported", "code": 400}, status=400)
    return None


async def test_a_reasoning_models_quirks_are_discovered_once(caplog: pytest.LogCaptureFixture) -> None:
    with chat_server(transform=reasoning_model) as server:
        model = OpenAIModel("tiny", base_url=server.base_url)
        first = await model.complete(ask("q", max_tokens=9))
        asked = server.total_requests
        later = [await model.complete(ask(f"q{number}", max_tokens=9)) for number in range(3)]
        await model.aclose()
    assert [got.outcome for got in (first, *later)] == ["ok"] * 4
    assert (asked, server.total_requests) == (3, 6)
    assert server.bodies[-1]["max_completion_tokens"] == 9
    assert not {"max_tokens", "temperature"} & set(server.bodies[-1])
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2  # said once each


async def test_a_strict_gateways_quirks_are_discovered() -> None:
    with chat_server(transform=strict_gateway) as server:
        got = await answer(OpenAIModel("tiny", base_url=server.base_url), ask("q", system="Be brief.", seed=1))
    assert got.outcome == "ok"
    assert server.bodies[-1]["messages"] == [{"role": "user", "content": "Be brief.\n\nq"}]
    assert "seed" not in server.bodies[-1]


async def test_an_error_that_no_quirk_explains_adopts_none() -> None:
    def stubborn(body: dict[str, Any]) -> web.Response | None:
        return error(400, "temperature is not supported") if "broken" in body["messages"][0]["content"] else None

    with chat_server(transform=stubborn) as server:
        model = OpenAIModel("tiny", base_url=server.base_url)
        assert (await model.complete(ask("broken"))).fault == "bad_request"
        assert (await answer(model, ask("fine"))).outcome == "ok"
    assert server.bodies[-1]["temperature"] == 0.0


async def test_a_context_overflow_is_no_quirk() -> None:
    with chat_server(faults=always("400_context")) as server:
        assert (await answer(OpenAIModel("tiny", base_url=server.base_url))).fault == "bad_request"
    assert server.total_requests == 1


# --- the wire format ------------------------------------------------------------------------------------------------


def read(body: Mapping[str, Any] | str | bytes, status: int = 200, **headers: str) -> Completion:
    data = json.dumps(body) if isinstance(body, Mapping) else body
    raw = data.encode() if isinstance(data, str) else data
    return parse_chat_response(HttpResponse(status=status, headers=headers, body=raw)).completion


def message(content: Any, reason: str = "stop", **more: Any) -> dict[str, Any]:
    body = completion("", {"model": "m", "messages": []})
    body["choices"] = [{"finish_reason": reason, "message": {"role": "assistant", "content": content, **more}}]
    return body


def test_texts_in_all_their_shapes() -> None:
    assert read(message("a")).text == "a"
    assert (
        read(
            message([{"type": "text", "text": "a"}, {"type": "thinking", "text": "x"}, {"type": "text", "text": "b"}])
        ).text
        == "ab"
    )
    thinking = read(message(None, "length", reasoning_content="hmm, 41 … no"))
    assert (thinking.text, thinking.outcome) == ("", "truncated")
    assert read(message("half", "length")).outcome == "truncated"
    filtered = read(message("half", "content_filter"))
    assert (filtered.text, filtered.outcome) == ("half", "refused")
    assert read('{"choices": [{"message": {"content": "\\ud800!"}}]}').text == "\ufffd!"


def test_failures_inside_a_200() -> None:
    assert read({"error": {"message": "upstream is busy", "code": 429}}).fault == "rate_limit"
    assert read({"error": "upstream fell over"}).fault == "server"
    assert read(message("ha", "error")).fault == "server"


def test_azure_refuses_a_prompt_with_400() -> None:
    got = read({"error": {"code": "content_filter", "message": "The response was filtered"}}, 400)
    assert (got.outcome, got.fault) == ("refused", "")


@pytest.mark.parametrize("status", [400, 404, 405, 413, 422, 418, 301])
def test_final_statuses(status: int) -> None:
    assert read({"error": {"message": "no"}}, status).fault == "bad_request"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 408, 409])
def test_passing_statuses(status: int) -> None:
    assert read("<html>Bad gateway</html>", status).fault == "server"


def test_payment_is_the_accounts_matter() -> None:
    assert read({"error": {"message": "Insufficient Balance"}}, 402).fault == "auth"


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe\x00", b"[" * 100_000, "null", "17", "[]", "NaN", '{"choices": 3}',
     '{"choices": [7]}', '{"choices": [{}]}',
     '{"choices": [{"message": null}]}', '{"choices": [{"message": {"content": {}}}]}',],
)  # fmt: skip
def test_nonsense_is_malformed(body: str | bytes) -> None:
    assert read(body).fault == "malformed"


def test_nonsense_usage_counts_nothing() -> None:
    counts: list[Any] = ["5", -3, True, 1e99, None, []]
    usages: list[Any] = [None, [], *({"prompt_tokens": count} for count in counts)]
    for usage in usages:
        got = read({**message("a"), "usage": usage})
        assert (got.outcome, got.usage.prompt_tokens) == ("ok", 0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 08:00:30 GMT", "date": "Sat, 21 Nov 2026 08:00:00 GMT"}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2020 08:00:30 GMT"}, 0.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0.5s"}, 360.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "1s"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000000000000"}, 0.0),
    ],
)
def test_waits(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers) == (None if seconds is None else pytest.approx(seconds))


def test_table_prices_know_providers_and_nothing_else() -> None:
    pytest.importorskip("genai_prices")
    from askwell.models.providers.prices import price_function

    def price(model: str, base_url: str) -> float | None:
        return price_function(model, base_url=base_url, local=False, prices=None)(1_000_000, 0, 0)

    known = price("gpt-4.1-mini", "https://api.openai.com/v1")
    assert known is not None
    assert 0.01 < known < 10
    assert price("no-such-model", "https://api.openai.com/v1") is None
    assert price("gpt-4.1-mini", "https://somewhere.example/v1") is None


async def test_an_assistant_turn_survives() -> None:
    turns = (
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
        Message(role="user", content="c"),
    )
    with chat_server() as server:
        await answer(OpenAIModel("tiny", base_url=server.base_url), Request(messages=turns))
    assert [turn["role"] for turn in server.bodies[0]["messages"]] == ["user", "assistant", "user"]

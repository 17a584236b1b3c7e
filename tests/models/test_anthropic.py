"""AnthropicModel against a real server with the Messages API: requests, outcomes, faults, quirks, keys."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Fault, Message, Outcome, Request
from askwell.models.providers.anthropic import AnthropicModel
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.retry import Retrying
from askwell.models.wrappers.sample_batching import SampleBatching
from askwell.testing import ChatModelContract
from tests.support.requests import ask
from tests.support.servers import FAULT_OUTCOMES
from tests.support.servers import Fault as ServerFault
from tests.support.wire_servers import (
    BREAKS,
    KEY,
    WireServer,
    always,
    anthropic_answer,
    anthropic_error,
    anthropic_server,
)


def made(server: WireServer, name: str = "tiny", *, api_key: str | None = KEY, **more: Any) -> AnthropicModel:
    return AnthropicModel(name, base_url=server.base_url, api_key=api_key, **more)


async def answer(model: ChatModel, request: Request | None = None) -> Completion:
    try:
        return await model.complete(request or ask("hello there"))
    finally:
        await model.aclose()


async def answered_with(body: Mapping[str, Any], status: int = 200, **headers: str) -> Completion:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with anthropic_server(transform=always(lambda: web.json_response(body, status=status, headers=named))) as server:
        return await answer(made(server))


class TestContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> Iterator[ChatModel]:
        with anthropic_server() as server:
            yield made(server)


async def test_a_request_in_the_documented_form() -> None:
    turns = (
        Message(role="system", content="Be brief."),
        Message(role="system", content="Be kind."),
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
        Message(role="system", content="Now shout."),
        Message(role="user", content="c"),
    )
    with anthropic_server() as server:
        got = await answer(made(server, extra_body={"top_p": 0.5}), Request(messages=turns, max_tokens=9))
    assert got.outcome == "ok"
    assert server.bodies == [{
        "model": "tiny", "max_tokens": 9, "temperature": 0.0, "system": "Be brief.\n\nBe kind.", "top_p": 0.5,
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "Now shout.\n\nc"},
        ],
    }]  # fmt: skip


@pytest.mark.parametrize(
    ("turns", "system", "first"),
    [
        ([("assistant", "hi"), ("user", "a")], None, "Assistant: hi\n\na"),
        ([("system", "s")], None, "s"),
        ([("user", "a"), ("user", "b")], None, "a\n\nb"),
        ([("system", "s"), ("assistant", "hi")], "s", "Assistant: hi"),
    ],
)
async def test_the_user_opens_every_conversation(turns: list[tuple[Any, str]], system: str | None, first: str) -> None:
    request = Request(messages=tuple(Message(role=role, content=text) for role, text in turns))
    with anthropic_server() as server:
        assert (await answer(made(server), request)).outcome == "ok"
    assert server.bodies[0].get("system") == system
    assert server.bodies[0]["messages"] == [{"role": "user", "content": first}]


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/messages"])
async def test_any_spelling_of_the_address(path: str) -> None:
    with anthropic_server() as server:
        assert (await answer(AnthropicModel("tiny", base_url=server.base_url + path, api_key=KEY))).outcome == "ok"


async def test_reply_usage_and_price() -> None:
    body = anthropic_answer("", {"model": "m", "messages": []})
    body["content"] = [
        {"type": "thinking", "thinking": "hmm", "signature": "x"},
        {"type": "text", "text": "one "},
        {"type": "text", "text": "two"},
    ]
    body["usage"] = {
        "input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 70, "output_tokens": 5,
    }  # fmt: skip
    with anthropic_server(transform=always(lambda: web.json_response(body))) as server:
        got = await answer(made(server, prices={"input_per_mtok": 2.0, "output_per_mtok": 10.0}))
    assert (got.text, got.outcome) == ("one two", "ok")
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (100, 5)
    assert got.usage.cost_usd == pytest.approx((100 * 2.0 + 5 * 10.0) / 1e6)


def test_the_price_list_knows_the_official_endpoint() -> None:
    pytest.importorskip("genai_prices")
    model = AnthropicModel("claude-sonnet-4-5", api_key=KEY)
    full, cached = model.price(1_000_000, 0, 0), model.price(1_000_000, 1_000_000, 0)
    assert full is not None
    assert cached is not None
    assert 0 < cached < full


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("end_turn", "ok"),
        ("stop_sequence", "ok"),
        ("max_tokens", "truncated"),
        ("model_context_window_exceeded", "truncated"),
        ("refusal", "refused"),
    ],
)
async def test_reasons_to_stop(reason: str, outcome: Outcome) -> None:
    got = await answered_with(anthropic_answer("half", {"model": "m", "messages": []}, stop_reason=reason))
    assert (got.text, got.outcome, got.fault) == ("half", outcome, "")
    assert ("stop_reason refusal" in got.error) == (outcome == "refused")


async def test_a_turn_without_a_word_is_an_empty_reply() -> None:
    got = await answered_with(anthropic_answer("", {"model": "m", "messages": []}, content=[]))
    assert (got.text, got.outcome) == ("", "ok")


@pytest.mark.parametrize(
    ("status", "kind", "message", "fault"),
    [
        (400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum", "bad_request"),
        (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", "auth"),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", "auth"),
        (401, "authentication_error", "invalid x-api-key", "auth"),
        (402, "billing_error", "There is an issue with your billing", "auth"),
        (403, "permission_error", "Your API key does not have permission", "auth"),
        (413, "request_too_large", "Request exceeds the maximum allowed number of bytes", "bad_request"),
        (429, "rate_limit_error", "This request would exceed your rate limit", "rate_limit"),
        (500, "api_error", "Internal server error", "server"),
        (504, "timeout_error", "Request timed out", "server"),
        (529, "overloaded_error", "Overloaded", "server"),
        (200, "overloaded_error", "Overloaded", "server"),  # wrapped by a gateway
        (200, "rate_limit_error", "This request would exceed your rate limit", "rate_limit"),
    ],
)
async def test_errors_by_type(status: int, kind: str, message: str, fault: Fault) -> None:
    with anthropic_server(transform=always(lambda: anthropic_error(status, kind, message))) as server:
        got = await answer(made(server))
    assert (got.outcome, got.fault) == ("failed", fault)
    assert message in got.error
    assert len(server.bodies) == 1


async def test_waits_come_from_the_headers() -> None:
    limited = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    assert (await answered_with(limited, 429, retry_after="7")).retry_after_s == 7
    date = "Sat, 21 Nov 2026 08:00:00 GMT"
    got = await answered_with(
        limited, 429, date=date,
        anthropic_ratelimit_tokens_remaining="0", anthropic_ratelimit_tokens_reset="2026-11-21T08:00:30Z",
    )  # fmt: skip
    assert got.retry_after_s == pytest.approx(30)
    fine = await answered_with(
        anthropic_answer("a", {"model": "m", "messages": []}),
        anthropic_ratelimit_requests_remaining="12", anthropic_ratelimit_requests_reset="2026-11-21T08:00:30Z",
    )  # fmt: skip
    assert fine.quota is not None
    assert fine.quota.remaining == 12


async def test_a_spend_limit_is_no_rate_limit() -> None:
    details = {"error_code": "enforced_spend_limit_reached"}
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "monthly limit", "details": details}}
    assert (await answered_with(body, 429)).fault == "auth"


@pytest.mark.parametrize("fault", BREAKS)
async def test_broken_connections(fault: ServerFault) -> None:
    with anthropic_server(breaks=fault) as server:
        got = await answer(made(server, timeout_s=0.5))
    assert (got.outcome, got.fault) == FAULT_OUTCOMES[fault]


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "17", '{"content": ', '{"content": 3}', '{"content": [{"type": "text", "text": 17}]}',
     '{"content": [{"type": "text"}]}', "{}"],
)  # fmt: skip
async def test_nonsense_is_malformed(text: str) -> None:
    with anthropic_server(transform=always(lambda: web.Response(text=text, content_type="application/json"))) as server:
        assert (await answer(made(server))).fault == "malformed"


async def test_a_page_or_an_unknown_path_is_a_wrong_address() -> None:
    with anthropic_server(transform=always(lambda: web.Response(text="<html>Welcome</html>"))) as server:
        assert "check the base URL" in (await answer(made(server))).error
        elsewhere = AnthropicModel("tiny", base_url=f"{server.base_url}/wrong/v1", api_key=KEY)
        assert "check the base URL" in (await answer(elsewhere)).error


async def test_an_unknown_model_gets_the_nearest_names_with_one_listing() -> None:
    with anthropic_server() as server:
        model = made(server, "tiny-lagre")
        errors = [(await model.complete(ask(f"q{number}"))).error for number in range(3)]
        await model.aclose()
    assert server.listings == 1
    assert all("['tiny-large', 'tiny']" in error for error in errors)


async def test_a_key_is_needed_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with anthropic_server(api_key="another-key") as server:
        wrong, none = await answer(made(server)), await answer(made(server, api_key=None))
    assert (wrong.fault, none.fault) == ("auth", "auth")
    assert "invalid x-api-key ***" in wrong.error
    assert "no API key was sent" in none.error
    assert KEY not in wrong.error + caplog.text + repr(made(server))
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY"):
        AnthropicModel("claude-sonnet-4-5")


async def test_a_model_without_temperature_is_discovered_once(caplog: pytest.LogCaptureFixture) -> None:
    def newest(body: dict[str, Any]) -> web.Response | None:
        if "temperature" not in body:
            return None
        return anthropic_error(400, "invalid_request_error", "`temperature` is deprecated for this model.")

    with anthropic_server(transform=newest) as server:
        model = made(server)
        outcomes = [(await model.complete(ask(f"q{number}"))).outcome for number in range(3)]
        await model.aclose()
    assert outcomes == ["ok"] * 3
    assert len(server.bodies) == 4
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_a_seed_is_omitted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with anthropic_server() as server:
        model = made(server)
        outcomes = [(await model.complete(ask(f"q{number}", seed=number))).outcome for number in range(3)]
        await model.aclose()
    assert outcomes == ["ok"] * 3
    assert len(server.bodies) == 3
    assert ["sends no seed" in record.message for record in caplog.records] == [True]


async def test_draws_come_one_by_one() -> None:
    with anthropic_server() as server:
        model = SampleBatching(made(server))
        requests = [ask("q", temperature=1.0, sample_index=sample_index) for sample_index in range(3)]
        found = [await model.complete(request) for request in requests]
        await model.aclose()
    assert [got.text for got in found] == ["q"] * 3


async def test_an_overloaded_server_is_retried() -> None:
    seen: list[int] = []

    def busy(_body: dict[str, Any]) -> web.Response | None:
        seen.append(1)
        return anthropic_error(529, "overloaded_error", "Overloaded") if len(seen) < 3 else None

    with anthropic_server(transform=busy) as server:
        got = await answer(Retrying(Limited(made(server), max_concurrency=2), base_s=0.01))
    assert (got.outcome, len(seen)) == ("ok", 3)

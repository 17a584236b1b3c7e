"""GeminiModel against a real server with `generateContent`: requests, outcomes, faults, quirks, keys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Fault, Message, Outcome, Request
from askwell.models.providers.gemini import GeminiModel
from askwell.models.wrappers.sample_batching import SampleBatching
from askwell.testing import ChatModelContract
from tests.support.requests import ask
from tests.support.servers import FAULT_OUTCOMES
from tests.support.servers import Fault as ServerFault
from tests.support.wire_servers import BREAKS, KEY, WireServer, always, gemini_error, gemini_server


def made(server: WireServer, name: str = "tiny", *, api_key: str | None = KEY, **more: Any) -> GeminiModel:
    return GeminiModel(name, base_url=server.base_url, api_key=api_key, **more)


async def answer(model: ChatModel, request: Request | None = None) -> Completion:
    try:
        return await model.complete(request or ask("hello there"))
    finally:
        await model.aclose()


async def answered_with(body: Mapping[str, Any], status: int = 200, **more: Any) -> Completion:
    with gemini_server(transform=always(lambda: web.json_response(body, status=status))) as server:
        return await answer(made(server, **more))


def candidate(reason: str | None, *parts: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"index": 0} if reason is None else {"index": 0, "finishReason": reason}
    return {"candidates": [{**found, "content": {"role": "model", "parts": list(parts)}} if parts else found]}


class TestContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> Iterator[ChatModel]:
        with gemini_server() as server:
            yield made(server)


async def test_a_request_in_the_documented_form() -> None:
    turns = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
        Message(role="user", content="c"),
    )
    extra = {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}
    with gemini_server() as server:
        model = made(server, extra_body=extra)
        got = await answer(model, Request(messages=turns, max_tokens=9, temperature=0.5, seed=3))
    assert got.outcome == "ok"
    assert server.paths == ["/v1beta/models/tiny:generateContent"]
    assert server.bodies == [{
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"}]},
            {"role": "model", "parts": [{"text": "b"}]},
            {"role": "user", "parts": [{"text": "c"}]},
        ],
        "generationConfig": {
            "temperature": 0.5, "maxOutputTokens": 9, "seed": 3, "thinkingConfig": {"thinkingBudget": 0},
        },
    }]  # fmt: skip


@pytest.mark.parametrize("path", ["", "/v1beta", "/v1beta/", "/v1beta/models/tiny:generateContent"])
@pytest.mark.parametrize("name", ["tiny", "models/tiny"])
async def test_any_spelling_of_address_and_name(path: str, name: str) -> None:
    with gemini_server() as server:
        assert (await answer(GeminiModel(name, base_url=server.base_url + path, api_key=KEY))).outcome == "ok"


async def test_thoughts_are_paid_for_and_no_part_of_the_text() -> None:
    body = candidate("STOP", {"text": "41? no", "thought": True}, {"text": "4"}, {"text": "2"})
    body["usageMetadata"] = {
        "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 2, "thoughtsTokenCount": 30,
    }  # fmt: skip
    got = await answered_with(body, prices={"input_per_mtok": 2.0, "output_per_mtok": 10.0})
    assert (got.text, got.usage.prompt_tokens, got.usage.completion_tokens) == ("42", 100, 32)
    assert got.usage.cost_usd == pytest.approx((100 * 2.0 + 32 * 10.0) / 1e6)


def test_the_price_list_knows_the_official_endpoint() -> None:
    pytest.importorskip("genai_prices")
    assert (GeminiModel("gemini-2.5-flash", api_key=KEY).price(1_000_000, 0, 0) or 0) > 0


@pytest.mark.parametrize(
    ("reason", "outcome", "fault"),
    [
        ("STOP", "ok", ""),
        ("MAX_TOKENS", "truncated", ""),
        ("SAFETY", "refused", ""),
        ("RECITATION", "refused", ""),
        ("BLOCKLIST", "refused", ""),
        ("PROHIBITED_CONTENT", "refused", ""),
        ("SPII", "refused", ""),
        ("OTHER", "failed", "server"),
    ],
)
@pytest.mark.parametrize("parts", [(), ({"text": "half"},)])
async def test_reasons_to_stop(reason: str, outcome: Outcome, fault: Fault, parts: tuple[Mapping[str, Any]]) -> None:
    got = await answered_with(candidate(reason, *parts))
    if not parts and outcome == "ok":
        outcome = "unparsed"
    assert (got.outcome, got.fault) == (outcome, fault)
    assert got.text == ("half" if parts and outcome != "failed" else "")
    assert (reason in got.error) == (outcome in ("refused", "failed", "unparsed"))


async def test_a_blocked_prompt_is_refused_and_counted() -> None:
    body = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 17}}
    got = await answered_with(body)
    assert (got.outcome, got.text, got.usage.prompt_tokens) == ("refused", "", 17)
    assert "PROHIBITED_CONTENT" in got.error


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.5s"}


def quota(name: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": name}]}


@pytest.mark.parametrize(
    ("status", "code", "details", "fault", "wait_s"),
    [
        (400, "INVALID_ARGUMENT", [], "bad_request", None),
        (400, "FAILED_PRECONDITION", [], "bad_request", None),
        (400, "INVALID_ARGUMENT", [{"reason": "API_KEY_INVALID"}], "auth", None),
        (403, "PERMISSION_DENIED", [], "auth", None),
        (404, "NOT_FOUND", [], "bad_request", None),
        (429, "RESOURCE_EXHAUSTED", [], "rate_limit", None),
        (429, "RESOURCE_EXHAUSTED", [quota("GenerateRequestsPerMinutePerProjectPerModel"), RETRY], "rate_limit", 36.5),
        (429, "RESOURCE_EXHAUSTED", [quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")], "auth", None),
        (500, "INTERNAL", [], "server", None),
        (503, "UNAVAILABLE", [], "server", None),
        (504, "DEADLINE_EXCEEDED", [], "server", None),
    ],
)
async def test_errors_by_status(
    status: int, code: str, details: list[dict[str, Any]], fault: Fault, wait_s: float | None
) -> None:
    with gemini_server(transform=always(lambda: gemini_error(status, code, "in their own words", *details))) as server:
        got = await answer(made(server))
    assert (got.outcome, got.fault, got.retry_after_s) == ("failed", fault, wait_s)
    assert "in their own words" in got.error


@pytest.mark.parametrize("fault", BREAKS)
async def test_broken_connections(fault: ServerFault) -> None:
    with gemini_server(breaks=fault) as server:
        got = await answer(made(server, timeout_s=0.5))
    assert (got.outcome, got.fault) == FAULT_OUTCOMES[fault]


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", '{"candidates": ', '{"candidates": []}', '{"candidates": 3}', '{"candidates": [{}]}',
     '{"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": 17}]}}]}'],
)  # fmt: skip
async def test_nonsense_is_malformed(text: str) -> None:
    with gemini_server(transform=always(lambda: web.Response(text=text, content_type="application/json"))) as server:
        assert (await answer(made(server))).fault == "malformed"


async def test_an_unknown_model_gets_the_nearest_names_that_can_generate() -> None:
    with gemini_server() as server:
        got = await answer(made(server, "tiny-lagre"))
    assert "['tiny-large', 'tiny']" in got.error
    assert server.listings == 1


async def test_a_key_is_needed_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with gemini_server(api_key="another-key") as server:
        wrong, none = await answer(made(server)), await answer(made(server, api_key=None))
        echoing = gemini_error(403, "PERMISSION_DENIED", f"key {KEY} may not")
        server.transform = always(lambda: echoing)
        echoed = await answer(made(server))
    assert (wrong.fault, none.fault, echoed.fault) == ("auth", "auth", "auth")
    assert "API key not valid" in wrong.error
    assert "no API key was sent" in none.error
    assert KEY not in echoed.error + caplog.text
    with pytest.raises(ConfigError, match="GEMINI_API_KEY"):
        GeminiModel("gemini-2.5-flash")


async def draws_of(model: ChatModel, number: int) -> list[Completion]:
    requests = [ask("q", temperature=1.0, sample_index=sample_index) for sample_index in range(number)]
    try:
        return await asyncio.gather(*(model.complete(request) for request in requests))
    finally:
        await model.aclose()


async def test_draws_go_out_together_at_most_eight() -> None:
    with gemini_server() as server:
        found = await draws_of(SampleBatching(made(server)), 10)
    assert [got.text for got in found] == ["q"] * 10
    assert [body["generationConfig"].get("candidateCount", 1) for body in server.bodies] == [8, 2]
    assert sum(got.usage.prompt_tokens for got in found) == 2


async def test_quirks_are_discovered_once(caplog: pytest.LogCaptureFixture) -> None:
    def gemma(body: dict[str, Any]) -> web.Response | None:
        if "systemInstruction" in body:
            return gemini_error(400, "INVALID_ARGUMENT", "Developer instruction is not enabled for models/gemma-3-1b")
        if body["generationConfig"].get("candidateCount", 1) > 1:
            return gemini_error(400, "INVALID_ARGUMENT", "Multiple candidates is not enabled for this model")
        if "seed" in body["generationConfig"]:
            words = "Invalid JSON payload received. Unknown name \"seed\" at 'generation_config': Cannot find field."
            return gemini_error(400, "INVALID_ARGUMENT", words)
        return None

    with gemini_server(transform=gemma) as server:
        model = made(server)
        request = Request(messages=ask("q", system="Be brief.").messages, temperature=1.0, seed=1, samples=3)
        outcomes = [(await model.complete(request)).outcome for _ in range(2)]
        await model.aclose()
    assert outcomes == ["ok", "ok"]
    assert len(server.bodies) == 5
    assert server.bodies[-1] == {
        "contents": [{"role": "user", "parts": [{"text": "Be brief.\n\nq"}]}],
        "generationConfig": {"temperature": 1.0, "maxOutputTokens": 512},
    }
    assert len(caplog.records) == 3


async def test_an_answer_that_is_right() -> None:
    with gemini_server() as server:
        got = await answer(made(server))
    assert (got.text, got.outcome, got.usage.prompt_tokens) == ("hello there", "ok", 2)

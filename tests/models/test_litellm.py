"""LiteLLMModel against a real server, through the real package where it is installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Request
from askwell.models.providers.litellm import LiteLLMModel
from askwell.testing import ChatModelContract
from tests.support.requests import ask
from tests.support.servers import FAULT_OUTCOMES, FAULTS, ChatServer, Messages, always, chat_server, error
from tests.support.servers import Fault as ServerFault

KEY = "sk-very-secret-0123456789"
IS_INSTALLED = importlib.util.find_spec("litellm") is not None
needs_litellm = pytest.mark.skipif(not IS_INSTALLED, reason="needs the litellm extra")
pytestmark = pytest.mark.filterwarnings("ignore")  # litellm's own, and what it leaves open when a loop closes


def made(server: ChatServer, name: str = "openai/tiny", **more: Any) -> LiteLLMModel:
    return LiteLLMModel(name, base_url=server.base_url, api_key=KEY, **more)


async def answer(model: ChatModel, request: Request | None = None) -> Completion:
    try:
        return await model.complete(request or ask("hello there"))
    finally:
        await model.aclose()


@pytest.mark.skipif(IS_INSTALLED, reason="litellm is installed")
def test_without_the_package_the_error_has_the_pip_line() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'askwell\[litellm\]'"):
        LiteLLMModel("cohere/command-r")


@needs_litellm
class TestContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> Iterator[ChatModel]:
        with chat_server() as server:
            yield made(server)


@needs_litellm
@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_matrix(fault: ServerFault) -> None:
    with chat_server(faults=always(fault), retry_after="7") as server:
        got = await answer(made(server, timeout_s=0.5))
        asked = server.total_requests
    outcome, expected = FAULT_OUTCOMES[fault]
    if expected in ("malformed", "connection"):
        expected = got.fault if got.fault in ("malformed", "connection", "server") else expected  # told apart by nobody
    if fault == "408":
        expected = "timeout"
    if fault == "html":
        expected = "server"  # litellm does not say what it got
    assert (got.outcome, got.fault) == (outcome, expected)
    assert got.error
    assert got.retry_after_s == (7.0 if fault == "429_retry_after" else None)
    assert asked == 1, "no retries of its own"


def say_three_words(_messages: Messages) -> str:
    return "one two three"


@needs_litellm
async def test_reply_usage_price_and_samples() -> None:
    prices = {"input_per_mtok": 2.0, "output_per_mtok": 10.0}
    request = Request(messages=ask("one two").messages, temperature=0.7, max_tokens=9, seed=3, samples=2)
    with chat_server(reply=say_three_words) as server:
        got = await answer(made(server, prices=prices), request)
    assert [got.text, *(other.text for other in got.other_samples)] == ["one two three"] * 2
    assert (got.outcome, got.usage.prompt_tokens, got.usage.completion_tokens) == ("ok", 2, 3)
    assert got.usage.cost_usd == pytest.approx((2 * 2.0 + 3 * 10.0) / 1e6)
    [body] = server.bodies
    assert (body["temperature"], body["max_tokens"], body["seed"], body["n"]) == (0.7, 9, 3, 2)


@needs_litellm
async def test_a_servers_quirks_are_discovered_once() -> None:
    def picky(body: dict[str, Any]) -> web.Response | None:
        return error(400, "Unsupported parameter: 'temperature'") if "temperature" in body else None

    with chat_server(transform=picky) as server:
        model = made(server)
        outcomes = [(await model.complete(ask(f"q{number}"))).outcome for number in range(3)]
    assert outcomes == ["ok"] * 3
    assert server.total_requests == 4


@needs_litellm
async def test_quirks_of_litellm_itself_are_discovered(caplog: pytest.LogCaptureFixture) -> None:
    with chat_server() as server:
        got = await answer(made(server, "anthropic/claude-3-5-haiku-latest"), ask("q", seed=1))
    assert got.fault in ("bad_request", "server", "connection")  # the server speaks OpenAI's format
    assert "does not support" not in got.error
    assert not [record for record in caplog.records if record.name.startswith("askwell")]  # not accepted, not learnt


@needs_litellm
async def test_an_unknown_provider_is_rejected() -> None:
    got = await answer(LiteLLMModel("nonsense/x"))
    assert got.fault == "bad_request"
    assert "nonsense/x" in got.error


@needs_litellm
async def test_no_key_is_shown() -> None:
    with chat_server(api_key="sk-another") as server:
        got = await answer(made(server))
    assert got.fault == "auth"
    assert KEY not in got.error
    assert KEY not in repr(made(server))


@needs_litellm
def test_prices_come_from_askwells_table() -> None:
    pytest.importorskip("genai_prices")
    for name in ("openai/gpt-4.1-mini", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"):
        assert (LiteLLMModel(name).price(1_000_000, 0, 0) or 0) > 0, name
    assert LiteLLMModel("nobody/nothing").price(1_000_000, 0, 0) is None
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"]

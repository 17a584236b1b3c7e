"""Reply limits, thinking and streams that servers reject: learnt from their own words, and sent right at once."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from askwell.models.providers.negotiation import Negotiation
from askwell.models.providers.openai import OpenAIModel
from askwell.models.providers.quirks import GEMINI_QUIRKS, OPENAI_QUIRKS, Quirk, apply_quirks, find_quirk
from tests.support.requests import ask
from tests.support.servers import chat_server, completion, error, replying

SENT: dict[str, Any] = {"model": "m", "messages": [], "max_tokens": 64_000, "temperature": 0.0}
LIMITS = {
    "max_tokens is too large: 200000. This model supports at most 16384 completion tokens, whereas": 16384,
    "max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for claude": 8192,
    "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the "
    "`context_window` for this model": 8192,
    "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]": 8192,
    "Range of max_tokens should be [1, 16384]": 16384,
    "max_tokens cannot exceed 4,096": 4096,
    "max_tokens must be between 1 and 4096": 4096,
    "max_completion_tokens: at most 32768": 32768,
    "The maximum value of max_tokens is 8000": 8000,
    "maximum value for `max_tokens` is `8000`": 8000,
    "max_tokens: maximum is 8000": 8000,
    "max_new_tokens must be <= 2048": 2048,
    "This model's maximum context length is 4096 tokens. However, you requested 64020 tokens (20 in the messages, "
    "64000 in the completion). Please reduce max_tokens.": None,
    "'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context length is 4096 tokens "
    "and your request has 20 input tokens (64000 > 4096 - 20)": None,
    "max_tokens must be at most 128000": None,  # more than was sent: another reason
    "temperature must be at most 2": None,
    "max_tokens must be at most 0": None,
}


@pytest.mark.parametrize("words", LIMITS)
def test_limits_in_the_words_of_servers(words: str) -> None:
    quirk, limit = find_quirk(words, SENT, OPENAI_QUIRKS), LIMITS[words]
    if limit is None:
        assert quirk is None
        return
    assert quirk is not None
    assert apply_quirks(SENT, [quirk]) == {**SENT, "max_tokens": limit}
    assert apply_quirks({**SENT, "max_tokens": 9}, [quirk])["max_tokens"] == 9


def test_geminis_limit_is_within_its_settings() -> None:
    words = (
        "it has a maxOutputTokens value of 100000 but the supported range is from 1 (inclusive) to 65537 (exclusive)."
    )
    body: dict[str, Any] = {"contents": [], "generationConfig": {"maxOutputTokens": 100_000}}
    quirk = find_quirk(words, body, GEMINI_QUIRKS)
    assert quirk is not None
    assert apply_quirks(body, [quirk]) == {"contents": [], "generationConfig": {"maxOutputTokens": 65_536}}


def at_most_4096(body: dict[str, Any]) -> web.Response | None:
    words = f"max_tokens is too large: {body['max_tokens']}. This model supports at most 4096 completion tokens."
    return error(400, words, param="max_tokens") if body["max_tokens"] > 4096 else None


async def test_a_limit_is_learnt_once_and_kept_for_a_resumed_run() -> None:
    learnt: list[Quirk] = []
    with chat_server(transform=at_most_4096) as server:
        model = OpenAIModel("tiny", base_url=server.base_url)
        model.negotiation.on_quirk = learnt.append
        for number in range(3):
            assert (await model.complete(ask(f"q{number}", max_tokens=64_000))).outcome == "ok"
        await model.aclose()
        resumed = OpenAIModel("tiny", base_url=server.base_url)
        resumed.negotiation.restore([quirk.name for quirk in learnt])
        assert (await resumed.complete(ask("q", max_tokens=64_000))).outcome == "ok"
        await resumed.aclose()
    assert [quirk.name for quirk in learnt] == ["reply_tokens_at_most_4096"]
    assert [body["max_tokens"] for body in server.bodies] == [64_000, 4096, 4096, 4096, 4096]


def test_an_unknown_quirk_of_a_log_is_ignored() -> None:
    negotiation = Negotiation("m", OPENAI_QUIRKS)
    negotiation.restore(["reply_tokens_at_most_x", "reply_tokens_at_most_", "no_such", "no_seed"])
    assert negotiation.adapt({"seed": 1, "max_tokens": 5}) == {"max_tokens": 5}


def thinks_in_streams_only(body: dict[str, Any]) -> web.Response | None:
    words = "parameter.enable_thinking must be set to false for non-streaming calls"
    return None if body.get("enable_thinking") is False else error(400, words, "invalid_parameter_error")


def streams_only(body: dict[str, Any]) -> web.Response:
    if not body.get("stream"):
        return error(
            400, "This model only support stream mode, please enable the stream parameter to access the model."
        )
    answer = completion("Yes", body)
    choice = answer["choices"][0]
    choice["delta"] = choice.pop("message")
    text = f"data: {web.json_response(answer).text}\n\ndata: [DONE]\n\n"
    return web.Response(text=text, content_type="text/event-stream")


@pytest.mark.parametrize(
    ("server_says", "field", "value"),
    [(thinks_in_streams_only, "enable_thinking", False), (streams_only, "stream", True)],
)
async def test_what_a_server_demands_is_sent(server_says: Any, field: str, value: bool) -> None:
    with chat_server(transform=server_says, reply=replying("Yes")) as server:
        model = OpenAIModel("tiny", base_url=server.base_url)
        answers = [await model.complete(ask(f"q{number}")) for number in range(2)]
        await model.aclose()
    assert [(got.text, got.outcome) for got in answers] == [("Yes", "ok")] * 2
    assert [body.get(field) for body in server.bodies] == [None, value, value]
    assert all(got.usage.completion_tokens == 1 for got in answers)

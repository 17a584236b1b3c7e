"""What clients send: every part of a good request arrives upstream, and a bad one is refused with its place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from askwell.core.types import Example, Prompt
from askwell.policies.fixed import FixedPolicy
from askwell.serve.headers import PROMPT_HEADER, PROMPT_ID_HEADER
from askwell.serve.messages import fold_system, parse_conversation
from askwell.serve.request_rules import RequestRules
from askwell.tasks.render import PLACEMENTS, ChatRender
from tests.support.upstreams import JSON, QUICK, Backend, completion, echo, exchange, post, proxied, user

IMAGE = {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}}
CACHED = {"type": "text", "text": "this?", "cache_control": {"type": "ephemeral"}}
AFTER = {"type": "text", "text": "\nBe quick."}


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


@pytest.mark.parametrize(
    ("messages", "place"),
    [
        (user({"type": "text", "text": "lost?"}), "messages[0].content"),
        (user(5), "messages[0].content"),
        (user(None), "messages[0].content"),
        (user(True), "messages[0].content"),
        (user([]), "messages[0].content"),
        ([{"role": "user"}], "messages[0].content"),
        (user(["hi"]), "messages[0].content[0]"),
        (user([text("a"), 5]), "messages[0].content[1]"),
        (user([{"type": "text", "text": None}]), "messages[0].content[0].text"),
        (user([{"type": "text"}]), "messages[0].content[0].text"),
        (user([{"type": 5, "text": "a"}]), "messages[0].content[0].type"),
        ([{"role": ["user"], "content": "x"}], "messages[0].role"),
        ([{"content": "x"}], "messages[0].role"),
        ([*user("x"), {"role": "assistant", "content": 5}], "messages[1].content"),
        ([*user("x"), {"role": "tool", "content": {"a": 1}}], "messages[1].content"),
        ([*user("x"), None], "messages[1]"),
        (["hi"], "messages[0]"),
        ([], "messages"),
        ("hi", "messages"),
        ({"role": "user", "content": "x"}, "messages"),
        (None, "messages"),
        ([{"role": "system", "content": "x"}], "messages"),
    ],
)
async def test_a_message_in_no_known_form_is_refused_with_its_place(messages: object, place: str) -> None:
    backend = Backend(echo)
    async with proxied(backend) as url:
        status, body = await post(url, messages=messages)
    assert (status, body["error"]["param"]) == (400, place)
    assert place in body["error"]["message"]
    assert backend.bodies == []


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
        b'{"messages": [{"role": "user", "content": "x"}], "temperature": -Infinity}',
        b'{"messages": [{"role": "user", "content": "x"}], "temperature": 1e999}',
        b'{"messages": [{"role": "user", "content": "x"}], "x": {"y": [1e400]}}',
        b'{"messages": [{"role": "user", "content": "x"}], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"messages": [{"role": "user", "content": "x"}], "x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b'{"messages": [{"role": "user", "content": "x"}], "seed": ' + b"9" * 5000 + b"}",
        b"{not json",
        b"",
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe\x00",
        b'{"messages": [{"role": "user", "content": "x"}]} {}',
    ],
)
async def test_what_is_no_json_is_refused(raw: bytes) -> None:
    backend = Backend(echo)
    async with proxied(backend) as url:
        status, body, _ = await exchange(url, raw)
    assert status == 400
    assert json.loads(body)["error"]["type"] == "invalid_request_error"
    assert backend.bodies == []


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("hi", "hi\nBe quick."),
        ("", "Be quick."),
        ([text("hi")], [text("hi\nBe quick.")]),
        ([{"text": "hi"}], [{"text": "hi\nBe quick."}]),
        ([text("hi"), IMAGE], [text("hi\nBe quick."), IMAGE]),
        ([IMAGE, text("hi")], [IMAGE, text("hi\nBe quick.")]),
        ([IMAGE, CACHED], [IMAGE, {**CACHED, "text": "this?\nBe quick."}]),
        ([IMAGE, text("What is"), CACHED], [IMAGE, text("What is"), CACHED, AFTER]),
        ([text("a"), IMAGE, text("b")], [text("a"), IMAGE, text("b"), AFTER]),
        ([IMAGE], [IMAGE, AFTER]),
        ([{"type": "input_audio", "input_audio": {"data": ""}}, IMAGE], ...),
    ],
)
async def test_every_part_of_the_question_stays_where_it_was(content: object, sent: object) -> None:
    backend = Backend(echo)
    async with proxied(backend) as url:
        status, _ = await post(url, messages=[{"role": "user", "content": content, "name": "ann", "x": [1]}])
    assert status == 200
    [message] = backend.bodies[0]["messages"]
    expected = [*content, AFTER] if sent is ... and isinstance(content, list) else sent  # pyright: ignore[reportUnknownVariableType]
    assert message == {"role": "user", "content": expected, "name": "ann", "x": [1]}


@pytest.mark.parametrize("placement", PLACEMENTS)
async def test_several_parts_read_as_one_text_would(placement: str) -> None:
    backend = Backend(echo)
    async with proxied(backend, placement=placement) as url:
        await post(url, messages=user("a\nb"))
        await post(url, messages=user([text("a"), IMAGE, text("b")]))
    whole, parts = (body["messages"] for body in backend.bodies)
    joined = "\n".join(part["text"].strip("\n") for part in parts[-1]["content"] if part["type"] == "text")
    assert joined.replace("\n", "") == whole[-1]["content"].replace("\n", "")
    assert parts[:-1] == whole[:-1]


async def test_a_template_takes_the_parts_in_its_place() -> None:
    backend = Backend(echo)
    policy = FixedPolicy(prompt=Prompt(instruction="Read: {input} (again: {input})"))
    async with proxied(backend, policy=policy) as url:
        await post(url, messages=user([text("a"), IMAGE, text("b")]))
    parts = [text("Read: "), text("a"), IMAGE, text("b"), text(" (again: a\nb)")]
    assert backend.bodies[0]["messages"][0]["content"] == parts


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("Mind.", "Mind.\n\nBe quick."),
        ("", "Be quick."),
        (None, "Be quick."),
        ([text("Mind.")], [text("Mind."), text("Be quick.")]),
        ([CACHED, text("x")], [CACHED, text("x"), text("Be quick.")]),
        ([], [text("Be quick.")]),
    ],
)
async def test_the_prompt_is_added_to_the_clients_system_message(content: object, sent: object, role: str) -> None:
    backend = Backend(echo)
    async with proxied(backend, placement="system") as url:
        await post(url, messages=[*user("a"), {"role": role, "content": content, "name": "n"}, *user("q")])
        await post(url, messages=user("q"))
    first, second = (body["messages"] for body in backend.bodies)
    assert first == [*user("a"), {"role": role, "content": sent, "name": "n"}, *user("q")]
    assert second == [{"role": "system", "content": "Be quick."}, *user("q")]


async def test_tool_loops_and_unknown_fields_pass() -> None:
    backend = Backend(echo)
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        *user("weather?"),
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "rain"},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "…"},
        {"role": "tool", "tool_call_id": "c", "content": [text("rain")]},
    ]
    more = {"tools": [{"type": "function"}], "store": False, "logit_bias": {"5": -1.5}, "big": 2**70, "n": 2}
    async with proxied(backend) as url:
        status, _ = await post(url, messages=messages, **more)
    assert status == 200
    sent = backend.bodies[0]
    assert sent.pop("messages") == [{"role": "user", "content": "weather?\nBe quick."}, *messages[1:]]
    assert sent == {**more, "model": "big"}


async def test_odd_unicode_passes() -> None:
    backend = Backend(echo)
    raw = json.dumps({"messages": user("\ud800 \u2028 \x00 é")}).encode("utf-16")
    async with proxied(backend) as url:
        assert (await exchange(url, raw))[0] == 200
    assert backend.bodies[0]["messages"] == user("\ud800 \u2028 \x00 é\nBe quick.")


@pytest.mark.parametrize("name", ["models", "provider", "route", "api_base", "base_url", "api_key", "fallbacks"])
async def test_no_client_chooses_model_address_or_key(name: str) -> None:
    backend = Backend(echo)
    async with proxied(backend) as url:
        status, body = await post(url, messages=user("q"), **{name: ["x"]})
    assert (status, body["error"]["param"]) == (400, name)
    assert backend.bodies == []
    async with proxied(backend, rules=RequestRules(refused=frozenset())) as url:
        assert (await post(url, messages=user("q"), **{name: ["x"]}))[0] == 200


@pytest.mark.parametrize(
    ("given", "status", "sent"),
    [
        ({"n": 4}, 200, {"n": 4, "max_tokens": 100}),
        ({"n": 5}, 400, None),
        ({"n": "5"}, 400, None),
        ({"n": True}, 400, None),
        ({"max_tokens": 100}, 200, {"max_tokens": 100}),
        ({"max_tokens": 101}, 400, None),
        ({"max_completion_tokens": 101}, 400, None),
        ({"max_completion_tokens": 7}, 200, {"max_completion_tokens": 7}),
        ({"max_tokens": 7, "max_completion_tokens": 101}, 400, None),
        ({}, 200, {"max_tokens": 100}),
        ({"max_tokens": None}, 200, {"max_tokens": 100}),
    ],
)
async def test_no_client_exceeds_a_cap(given: dict[str, Any], status: int, sent: dict[str, Any] | None) -> None:
    backend = Backend(echo)
    async with proxied(backend, rules=RequestRules(caps={"n": 4, "max_tokens": 100})) as url:
        found, body = await post(url, messages=user("q"), **given)
    assert found == status
    if sent is None:
        assert "allows at most" in body["error"]["message"]
    else:
        assert {name: value for name, value in backend.bodies[0].items() if name not in ("messages", "model")} == sent


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ({"max_tokens": 512}, {"max_tokens": 100}),
        ({"max_tokens": 64}, {"max_tokens": 64}),
        ({"max_completion_tokens": 512}, {"max_completion_tokens": 100}),
        ({}, {"max_tokens": 100}),
    ],
)
def test_the_runs_own_length_is_cut_to_the_cap(own: dict[str, object], sent: dict[str, object]) -> None:
    assert RequestRules(defaults=own, caps={"max_tokens": 100}).apply({}) == sent


RUN = {"temperature": 0.0, "max_tokens": 300, "seed": 7}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, RUN),
        ({"temperature": None, "max_tokens": None}, RUN),
        ({"temperature": 0.7}, {**RUN, "temperature": 0.7}),
        ({"temperature": 0}, {**RUN, "temperature": 0}),
        ({"top_p": 0.9}, {"top_p": 0.9, "max_tokens": 300, "seed": 7}),
        ({"top_p": 1}, {**RUN, "top_p": 1}),
        ({"n": 3}, {"n": 3, "max_tokens": 300, "seed": 7}),
        ({"n": 1}, {**RUN, "n": 1}),
        ({"max_tokens": 9}, {**RUN, "max_tokens": 9}),
        ({"max_completion_tokens": 9}, {"max_completion_tokens": 9, "temperature": 0.0, "seed": 7}),
        ({"seed": 1}, {**RUN, "seed": 1}),
    ],
)
async def test_the_runs_sampling_holds_where_the_client_says_nothing(
    given: dict[str, Any], sent: dict[str, Any]
) -> None:
    backend = Backend(echo)
    async with proxied(backend, rules=RequestRules(defaults=RUN)) as url:
        await post(url, messages=user("q"), **given)
    assert {name: value for name, value in backend.bodies[0].items() if name not in ("messages", "model")} == sent


async def test_a_server_without_system_messages_gets_their_text_in_the_users_message() -> None:
    backend = Backend(echo)
    async with proxied(backend, placement="system", folds_system=True) as url:
        await post(url, messages=user("q"))
        await post(url, messages=user([IMAGE, text("q")]))
    assert backend.bodies[0]["messages"] == user("Be quick.\n\nq")
    assert backend.bodies[1]["messages"] == user([text("Be quick."), IMAGE, text("q")])
    assert fold_system([{"role": "system", "content": "x"}]) == user("x")


async def test_headers_pass_but_for_those_of_one_connection_or_host() -> None:
    async def behave(_: web.Request) -> web.StreamResponse:
        kept = {"retry-after-ms": "5", "x-should-retry": "true", "x-ratelimit-limit": "9", "openai-version": "1"}
        dropped = {"Set-Cookie": "a=b", "Alt-Svc": "h3", "X-Askwell-Prompt": "no", "Location": "/x"}
        of_connection = {"X-Hop": "1", "Keep-Alive": "timeout=5"}
        return web.json_response(
            completion("x"), headers={**kept, **dropped, **of_connection, "Connection": "keep-alive, X-Hop"}
        )

    backend = Backend(behave)
    asked = {"traceparent": "00-1", "Idempotency-Key": "i", "X-Request-Id": "r", "Cookie": "c=1", "X-Other": "o"}
    async with proxied(backend) as url:
        headers = {**JSON, **asked, "Authorization": "Bearer own"}
        _, _, got = await exchange(url, json.dumps({"messages": user("q")}).encode(), headers)
    assert (got["retry-after-ms"], got["x-should-retry"], got["x-ratelimit-limit"], got["openai-version"]) == (
        "5", "true", "9", "1"
    )  # fmt: skip
    assert not {"Set-Cookie", "Alt-Svc", "X-Hop", "Keep-Alive", "Location", PROMPT_HEADER} & set(got)
    [sent] = backend.headers
    assert (sent["traceparent"], sent["Idempotency-Key"], sent["X-Request-Id"]) == ("00-1", "i", "r")
    assert not {"Cookie", "X-Other"} & set(sent)
    assert sent["Authorization"] != "Bearer own"


@pytest.mark.parametrize("length", [10, 1120, 20_000])
@pytest.mark.parametrize("shows_prompt", [True, False])
async def test_a_long_prompt_breaks_no_client(length: int, shows_prompt: bool) -> None:
    policy = FixedPolicy(prompt=Prompt(instruction="请" * length))
    async with proxied(Backend(echo), policy=policy, shows_prompt=shows_prompt) as url:
        status, _, headers = await exchange(url, json.dumps({"messages": user("q")}).encode())
    shown = headers.get(PROMPT_HEADER, "")
    assert (status, len(headers[PROMPT_ID_HEADER])) == (200, 16)
    assert bool(shown) == shows_prompt
    assert len(shown) < 1000
    assert not shown or shown == "%E8%AF%B7" * min(length, 100) + ("..." if length > 100 else "")


@dataclass
class Fails:
    """Fails for one query, whoever asks with it."""

    error: Exception | None = None

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]:
        if "bad" in queries:
            if self.error is None:
                return []
            raise self.error
        return [QUICK.prompt] * len(queries)


@pytest.mark.parametrize("error", [ValueError("/home/me/secret"), RuntimeError(), None])
async def test_a_query_that_breaks_the_policy_breaks_no_other(error: Exception | None) -> None:
    async with proxied(Backend(echo), policy=Fails(error)) as url:
        queries = ["bad", *(f"q{number}" for number in range(20))]
        answers = await asyncio.gather(*(post(url, messages=user(query)) for query in queries))
        assert [status for status, _ in answers] == [500, *[200] * 20]
        assert "policy failed for this query" in answers[0][1]["error"]["message"]
        assert "/home" not in str(answers[0])
        assert (await post(url, messages=user("fine")))[0] == 200


def test_a_conversation_leaves_the_clients_messages_as_they_were() -> None:
    messages: list[dict[str, Any]] = [{"role": "system", "content": "x"}, *user([text("q")])]
    before = json.dumps(messages)
    render = ChatRender(placement="system")
    parse_conversation({"messages": messages}).insert(
        lambda query: render(QUICK.prompt, Example(id="", input=query, target=""))
    )
    assert json.dumps(messages) == before

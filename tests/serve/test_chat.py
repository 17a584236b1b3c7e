"""The endpoint answers as OpenAI's does, to askwell's own client and to the official one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from askwell.core.types import Completion, Fault, Message, Prompt, Request, Usage
from askwell.models.bundled.editor import EditorModel
from askwell.models.providers.openai import OpenAIModel
from askwell.policies.fixed import FixedPolicy
from askwell.runlog.codec import prompt_id
from askwell.serve.chat import chat_app
from askwell.serve.headers import PROMPT_HEADER, PROMPT_ID_HEADER
from askwell.serve.prompting import PromptInserter
from askwell.serve.request_rules import RequestRules
from askwell.tasks.render import ChatRender
from askwell.testing.fakes import ScriptedModel
from tests.support.upstreams import exchange, served


def reply(request: Request) -> Completion:
    text = request.messages[-1].content
    if text == "break":
        return Completion(outcome="failed", fault="server", error="the model is out of order")
    outcome = "truncated" if request.max_tokens < 3 else "ok"
    usage = Usage(prompt_tokens=len(text.split()), completion_tokens=1)
    return Completion(
        text=f"{text}/{request.sample_index}/{request.temperature}/{request.seed}", outcome=outcome, usage=usage
    )


@pytest.fixture
async def url() -> AsyncIterator[str]:
    server = TestServer(
        chat_app(
            {"echo": ScriptedModel(reply), "editor": EditorModel()}, rules=RequestRules(defaults={"temperature": 0.5})
        )
    )
    await server.start_server()
    yield str(server.make_url("/v1"))
    await server.close()


async def post(url: str, body: object) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/chat/completions", json=body) as response:
        return response.status, await response.json()


NO_MESSAGES: list[dict[str, str]] = []


def ask(text: str, **more: object) -> dict[str, object]:
    body: dict[str, object] = {"model": "echo", "messages": [{"role": "user", "content": text}]}
    return {**body, **more}


async def test_askwells_own_client_gets_the_models_answer(url: str) -> None:
    model = OpenAIModel("echo", base_url=url)
    request = Request(messages=(Message(role="user", content="two words"),), temperature=0.25, seed=3)
    completion = await model.complete(request)
    await model.aclose()
    assert (completion.text, completion.outcome) == ("two words/0/0.25/3", "ok")
    assert completion.usage == Usage(prompt_tokens=2, completion_tokens=1)


async def test_the_official_client_gets_it_too_plain_and_streamed(url: str) -> None:
    openai = pytest.importorskip("openai")

    def talk() -> tuple[str, str, list[str]]:
        with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
            messages = [{"role": "user", "content": "hi"}]
            plain = client.chat.completions.create(model="echo", messages=messages, temperature=0)
            stream = client.chat.completions.create(model="echo", messages=messages, temperature=0, stream=True)
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
            return plain.choices[0].message.content, text, [one.id for one in client.models.list()]

    assert await asyncio.to_thread(talk) == ("hi/0/0.0/None", "hi/0/0.0/None", ["echo", "editor"])


async def test_n_gives_different_draws(url: str) -> None:
    status, body = await post(url, ask("hi", n=3))
    assert status == 200
    assert [choice["message"]["content"] for choice in body["choices"]] == [
        f"hi/{sample_index}/0.5/None" for sample_index in range(3)
    ]
    assert body["usage"]["completion_tokens"] == 3


async def test_a_reply_that_was_cut_says_so(url: str) -> None:
    _, body = await post(url, ask("hi", max_tokens=2))
    assert body["choices"][0]["finish_reason"] == "length"


async def test_parts_of_text_are_joined_and_developer_means_system(url: str) -> None:
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ]
    _, body = await post(url, {"model": "echo", "messages": messages})
    assert body["choices"][0]["message"]["content"].startswith("a\nb/")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (ask("hi", model="nope"), 404, "nope"),
        (ask("hi", messages=NO_MESSAGES), 400, "messages"),
        (ask("hi", temperature=-1), 400, "temperature"),
        ({"model": "echo"}, 400, "messages"),
        (ask("break"), 503, "out of order"),
    ],
)
async def test_what_cannot_be_answered_is_an_error_in_openais_form(
    url: str, body: dict[str, object], status: int, words: str
) -> None:
    found, answer = await post(url, body)
    assert found == status
    assert words in answer["error"]["message"]


async def test_a_body_that_is_no_json_is_refused(url: str) -> None:
    address = f"{url}/chat/completions"
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, data=b"{not json", headers={"Content-Type": "application/json"}) as response,
    ):
        assert response.status == 400


TOOL_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
HI = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tools", [{"type": "function"}]),
        ("functions", [{"name": "f"}]),
        ("tool_choice", "auto"),
        ("response_format", {"type": "json_object"}),
        ("stop", ["\n"]),
        ("stop", "END"),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("logit_bias", {"5": 1}),
        ("top_p", 0.5),
        ("presence_penalty", 1),
        ("frequency_penalty", -1.5),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "x"}),
        ("reasoning_effort", "high"),
        ("web_search_options", {"x": 1}),
        ("no_such_field", 1),
    ],
)
async def test_what_would_change_the_answer_is_refused_by_name(url: str, field: str, value: object) -> None:
    status, body = await post(url, ask("hi", **{field: value}))
    assert (status, body["error"]["param"]) == (400, field)
    assert f"{field!r} is not supported in front of 'echo'" in body["error"]["message"]


async def test_what_asks_for_nothing_special_is_accepted(url: str) -> None:
    neutral = {
        "tools": [], "tool_choice": "none", "response_format": {"type": "text"}, "stop": None, "logprobs": False,
        "top_p": 1, "presence_penalty": 0, "modalities": ["text"], "user": "u", "metadata": {"a": "b"},
        "store": True, "stream_options": None, "parallel_tool_calls": True, "n": None, "seed": None,
    }  # fmt: skip
    status, body = await post(url, ask("hi", **neutral))
    assert (status, body["choices"][0]["message"]["content"]) == (200, "hi/0/0.5/None")


@pytest.mark.parametrize(
    ("messages", "param", "words"),
    [
        ([HI, {"role": "tool", "tool_call_id": "c", "content": "x"}], "messages[1]", "tools are not supported"),
        ([HI, {"role": "function", "name": "f", "content": "x"}], "messages[1]", "tools are not supported"),
        ([HI, {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}], "messages[1]", "tools are not"),
        ([HI, {"role": "assistant", "function_call": {"name": "f"}}], "messages[1]", "tools are not supported"),
        ([{"role": "user", "content": [IMAGE]}], "messages[0].content[0]", "'image_url' is not supported"),
        ([HI, {"role": "critic", "content": "x"}], "messages[1].role", "expected one of"),
        ([{"role": "user", "content": None}], "messages[0].content", "expected text or parts"),
        ([{"role": "user", "content": 5}], "messages[0].content", "expected text or parts"),
        ([{"role": "user", "content": ["hi"]}], "messages[0].content[0]", "expected a part"),
        ([{"role": "system", "content": "x"}], "messages", "no user message"),
    ],
)
async def test_messages_that_are_no_text_are_refused_with_their_place(
    url: str, messages: object, param: str, words: str
) -> None:
    status, body = await post(url, {"model": "echo", "messages": messages})
    assert (status, body["error"]["param"]) == (400, param)
    assert words in body["error"]["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", "hot"),
        ("temperature", -1),
        ("temperature", [1]),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("n", 129),
        ("n", "many"),
        ("stream", "maybe"),
        ("stream_options", 5),
        ("seed", {}),
    ],
)
async def test_a_wrong_value_is_refused_by_name(url: str, field: str, value: object) -> None:
    status, body = await post(url, ask("hi", **{field: value}))
    assert (status, body["error"]["param"]) == (400, field)
    assert "validation error" not in str(body)
    assert "pydantic" not in str(body)


async def test_an_assistants_turn_without_text_is_skipped(url: str) -> None:
    messages = [HI, {"role": "assistant", "content": None}, {"role": "assistant"}, {"role": "user", "content": "on"}]
    status, body = await post(url, {"model": "echo", "messages": messages})
    assert (status, body["choices"][0]["message"]["content"]) == (200, "on/0/0.5/None")


async def stream(url: str, **more: object) -> list[Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", json=ask("hi", stream=True, **more)) as response,
    ):
        lines = (await response.text()).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


async def test_the_usage_is_streamed_only_if_the_client_asks(url: str) -> None:
    for chunks in (await stream(url), await stream(url, stream_options={"include_usage": False})):
        assert all(len(chunk["choices"]) == 1 for chunk in chunks)
        assert all("usage" not in chunk for chunk in chunks)
    chunks = await stream(url, n=2, stream_options={"include_usage": True})
    assert [len(chunk["choices"]) for chunk in chunks] == [1, 1, 1, 1, 0]
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * 4
    assert chunks[-1]["usage"]["completion_tokens"] == 2


async def test_every_answer_has_its_own_id_and_the_time(url: str) -> None:
    answers = [(await post(url, ask("hi")))[1] for _ in range(2)]
    assert answers[0]["id"] != answers[1]["id"]
    assert all(abs(time.time() - answer["created"]) < 60 for answer in answers)
    chunks = await stream(url)
    assert {chunk["id"] for chunk in chunks} == {chunks[0]["id"]}


@pytest.mark.parametrize(
    ("fault", "status"),
    [("bad_request", 400), ("auth", 401), ("rate_limit", 429), ("timeout", 504), ("server", 503), ("connection", 503)],
)
async def test_a_failed_call_is_an_error_of_its_kind(fault: Fault, status: int) -> None:
    model = ScriptedModel(lambda _: Completion(outcome="failed", fault=fault, error="why", retry_after_s=1.2))
    async with served(chat_app({"echo": model})) as url:
        found, body, headers = await exchange(url, json.dumps(ask("hi")).encode())
    assert (found, json.loads(body)["error"]["message"]) == (status, "why")
    assert headers["Retry-After"] == "2"


async def test_a_model_that_raises_is_an_error_without_its_words() -> None:
    def fail(_: Request) -> Completion:
        raise ValueError("/home/me")

    async with served(chat_app({"echo": ScriptedModel(fail)})) as url:
        status, body = await post(url, ask("hi"))
    assert (status, body["error"]["message"]) == (500, "the model failed (ValueError)")


async def test_a_prompted_model_says_which_prompt_it_got() -> None:
    inserter = PromptInserter(FixedPolicy(prompt=Prompt(instruction="Be quick.")), ChatRender(placement="system"))
    seen: list[Request] = []

    def answer(request: Request) -> Completion:
        seen.append(request)
        return Completion(text="x")

    rules = RequestRules(defaults={"temperature": 0.0, "max_tokens": 7, "seed": 3})
    app = chat_app({"echo": ScriptedModel(answer)}, inserter=inserter, rules=rules, shows_prompt=True)
    async with served(app) as url, aiohttp.ClientSession() as session:
        for streams in (True, False):
            body = ask("hi", stream=streams)
            async with session.post(f"{url}/chat/completions", json=body) as response:
                assert response.headers[PROMPT_ID_HEADER] == prompt_id(Prompt(instruction="Be quick."))
                assert response.headers[PROMPT_HEADER] == "Be%20quick."
    assert [message.content for message in seen[0].messages] == ["Be quick.", "hi"]
    assert (seen[0].temperature, seen[0].max_tokens, seen[0].seed) == (0.0, 7, 3)

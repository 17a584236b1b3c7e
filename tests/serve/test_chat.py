"""The endpoint answers as OpenAI's does, to askwell's own client and to the official one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from askwell.core.types import Completion, Message, Request, Usage
from askwell.models.bundled.editor import EditorModel
from askwell.models.providers.openai import OpenAIModel
from askwell.serve.chat import chat_app
from askwell.serve.request_rules import RequestRules
from askwell.testing.fakes import ScriptedModel


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

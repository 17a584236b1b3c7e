"""The proxy before a real HTTP server, asked by the official client: prompt in, answer streamed back as it comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from askwell.core.types import Completion, Example, Prompt, Request, Usage
from askwell.models.http.endpoint import Endpoint
from askwell.policies.fixed import FixedPolicy
from askwell.runlog.codec import prompt_id
from askwell.serve.chat import chat_app
from askwell.serve.headers import PROMPT_HEADER, PROMPT_ID_HEADER
from askwell.serve.messages import parse_conversation
from askwell.serve.prompting import PromptInserter
from askwell.serve.proxy import proxy_app
from askwell.serve.upstream import Upstream
from askwell.tasks.render import ChatRender
from askwell.testing.fakes import ScriptedModel

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@dataclass
class ByLength:
    """Long questions get another prompt; remembers which queries came together."""

    batches: list[list[str]] = field(default_factory=list[list[str]])

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]:
        self.batches.append(list(queries))
        return [Prompt(instruction="Take your time — überall." if len(one) > 20 else "Be quick.") for one in queries]


@dataclass
class Upstreams:
    """An upstream that shows what it was sent, and holds the second half of a stream back until told."""

    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[str] = field(default_factory=list[str])
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def chat(self, http: web.Request) -> web.StreamResponse:
        body = json.loads(await http.read())
        self.bodies.append(body)
        self.keys.append(http.headers.get("Authorization", ""))
        text = body["messages"][-1]["content"]
        if text == "out of order\nBe quick.":
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "7"})
        if body.get("stream"):
            return await self._streamed(http, body)
        message = {"role": "assistant", "content": str(text)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        return web.json_response(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [choice],
                "usage": usage,
            }
        )

    async def _streamed(self, http: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        for part in ("one ", "two"):
            chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": body["model"],
                     "choices": [{"index": 0, "delta": {"content": part}, "finish_reason": None}]}  # fmt: skip
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            await self.go_on.wait()
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


@dataclass
class Proxy:
    url: str
    upstream: Upstreams
    policy: ByLength


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    upstreams, policy = Upstreams(), ByLength()
    behind = web.Application()
    behind.router.add_post("/v1/chat/completions", upstreams.chat)
    async with TestServer(behind) as server:
        upstream = Upstream(endpoint=Endpoint.parse(str(server.make_url("/v1"))), model="big", api_key="sk-secret")
        app = proxy_app(PromptInserter(policy, ChatRender()), upstream, name="mine")
        async with TestServer(app) as front:
            yield Proxy(str(front.make_url("/v1")), upstreams, policy)


async def post(url: str, **body: object) -> tuple[int, Any, aiohttp.ClientResponse]:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/chat/completions", json=body) as response:
        return response.status, await response.json(), response


def user(text: object) -> list[dict[str, object]]:
    return [{"role": "user", "content": text}]


async def test_the_official_client_gets_the_upstreams_answer_to_the_prompted_query(proxy: Proxy) -> None:
    openai = pytest.importorskip("openai")

    def ask() -> tuple[str, list[str]]:
        with openai.OpenAI(base_url=proxy.url, api_key="own", max_retries=0) as client:
            answer = client.chat.completions.create(
                model="mine", messages=[{"role": "user", "content": "1+1?"}], temperature=0.3
            )
            return answer.choices[0].message.content, [model.id for model in client.models.list()]

    text, models = await asyncio.to_thread(ask)
    assert text == "1+1?\nBe quick."
    assert models == ["mine"]
    assert proxy.upstream.bodies[0]["model"] == "big"
    assert proxy.upstream.bodies[0]["temperature"] == 0.3
    assert proxy.upstream.keys == ["Bearer sk-secret"]


async def test_a_stream_is_passed_on_as_it_comes(proxy: Proxy) -> None:
    openai = pytest.importorskip("openai")
    async with openai.AsyncOpenAI(base_url=proxy.url, api_key="own", max_retries=0) as client:
        stream = await client.chat.completions.create(model="mine", messages=user("hello"), stream=True)
        parts: list[str] = []
        async for chunk in stream:
            parts.append(chunk.choices[0].delta.content)
            proxy.upstream.go_on.set()  # the second half is sent only once the first has arrived here
    assert parts == ["one ", "two"]


async def test_each_query_gets_its_prompt_and_the_response_says_which(proxy: Proxy) -> None:
    _, body, response = await post(proxy.url, messages=user("a question of some length"))
    assert body["choices"][0]["message"]["content"].endswith("\nTake your time — überall.")
    assert response.headers[PROMPT_ID_HEADER] == prompt_id(Prompt(instruction="Take your time — überall."))
    assert PROMPT_HEADER not in response.headers


async def test_queries_that_arrive_together_are_one_batch_for_the_policy(proxy: Proxy) -> None:
    await asyncio.gather(*(post(proxy.url, messages=user(f"q{number}")) for number in range(12)))
    assert sorted(query for batch in proxy.policy.batches for query in batch) == sorted(
        f"q{number}" for number in range(12)
    )
    assert len(proxy.policy.batches) < 12


async def test_the_rest_of_the_chat_stays_and_images_too(proxy: Proxy) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    before = [
        {"role": "system", "content": "Mind."},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
    ]
    last = {"role": "user", "content": [{"type": "text", "text": "what is it"}, picture]}
    await post(proxy.url, messages=[*before, last], tools=[])
    sent = proxy.upstream.bodies[0]
    assert sent["messages"][:3] == before
    assert sent["messages"][3]["content"] == [{"type": "text", "text": "what is it\nBe quick."}, picture]
    assert sent["tools"] == []


async def test_errors_of_the_upstream_are_its_own(proxy: Proxy) -> None:
    status, body, response = await post(proxy.url, messages=user("out of order"))
    assert (status, body["error"]["message"], response.headers["Retry-After"]) == (429, "slow down", "7")


async def test_a_dead_upstream_is_a_bad_gateway_without_a_key_in_sight() -> None:
    upstream = Upstream(endpoint=Endpoint.parse("http://127.0.0.1:9/v1?api_key=hidden"), model="m", api_key="sk-secret")
    policy = FixedPolicy(prompt=Prompt(instruction="x"))
    async with TestServer(proxy_app(PromptInserter(policy, ChatRender()), upstream, name="mine")) as front:
        status, body, _ = await post(str(front.make_url("/v1")), messages=user("q"))
    assert status == 502
    assert "127.0.0.1:9" in body["error"]["message"]
    assert "hidden" not in str(body)
    assert "sk-" not in str(body) + repr(upstream)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"messages": []}, "no list of messages"),
        ({"messages": ["hi"]}, "messages[0] is a text"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages hold no user message"),
        ([], "no JSON object"),
    ],
)
async def test_what_holds_no_query_is_refused(proxy: Proxy, body: object, words: str) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{proxy.url}/chat/completions", json=body) as response:
        assert response.status == 400
        assert words in (await response.json())["error"]["message"]
    assert proxy.upstream.bodies == []


async def test_two_system_messages_become_one_and_demonstrations_are_turns() -> None:
    demo = Example(id="d", input="1+1", target="2")
    inserter = PromptInserter(
        FixedPolicy(prompt=Prompt(instruction="Add.", demos=(demo,))), ChatRender(placement="system")
    )
    messages: list[dict[str, Any]] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "2+2"}]
    inserted, prompt = await inserter.insert(parse_conversation({"messages": messages}))
    assert [message["role"] for message in inserted] == ["system", "user", "assistant", "user"]
    assert inserted[0]["content"] == "Be kind.\n\nAdd."
    assert prompt.instruction == "Add."
    alone, _ = await inserter.insert(parse_conversation({"messages": messages[1:]}))
    assert [message["role"] for message in alone] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"] == "Be kind."
    inserter.close()


async def test_a_model_of_this_process_is_served_the_same_way() -> None:
    def reply(request: Request) -> Completion:
        return Completion(text=request.messages[-1].content, usage=Usage(prompt_tokens=1, completion_tokens=1))

    inserter = PromptInserter(ByLength(), ChatRender())
    async with TestServer(chat_app({"mine": ScriptedModel(reply)}, inserter=inserter)) as front:
        status, body, _ = await post(str(front.make_url("/v1")), model="mine", messages=user("1+1?"))
        refused, _, _ = await post(
            str(front.make_url("/v1")), model="mine", messages=[{"role": "assistant", "content": "x"}]
        )
    assert (status, body["choices"][0]["message"]["content"]) == (200, "1+1?\nBe quick.")
    assert refused == 400

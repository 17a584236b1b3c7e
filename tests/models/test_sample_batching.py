"""Several samples in one request: which requests are joined, their replies, servers without `n`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from askwell.core.errors import ModelError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Request
from askwell.engine.budget import BudgetLimited, BudgetTracker, Caps
from askwell.models.providers.openai import OpenAIModel
from askwell.models.providers.response import split_usage
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.meter import Metered
from askwell.models.wrappers.retry import Retrying
from askwell.models.wrappers.sample_batching import SampleBatching
from askwell.runlog.store import MemoryStore
from askwell.runlog.writer import Journal, LoggedModel
from askwell.testing import ChatModelContract
from askwell.testing.fakes import ScriptedModel, SlowModel
from tests.support.requests import ask
from tests.support.servers import chat_server, completion, error, first


class TestContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> Iterator[ChatModel]:
        with chat_server() as server:
            yield SampleBatching(OpenAIModel("tiny", base_url=server.base_url))


def question(text: str = "q", *, sample_index: int = 0, seed: int | None = 5) -> Request:
    return ask(text, temperature=1.0, seed=seed, sample_index=sample_index)


def samples_of(body: dict[str, Any], *, most: int = 128) -> web.Response:
    """Answer as a server that samples: each choice of each seed is another text."""
    answer = completion("", body)
    texts = [f"{body['messages'][-1]['content']}-{body.get('seed')}-{index}" for index in range(int(body.get("n", 1)))]
    answer["choices"] = [
        {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for index, text in enumerate(texts[:most])
    ]
    answer["usage"] = {"prompt_tokens": 100, "completion_tokens": 10 * len(answer["choices"])}
    return web.json_response(answer)


async def draws_of(model: ChatModel, count: int, text: str = "q") -> list[Completion]:
    return await asyncio.gather(
        *(model.complete(question(text, sample_index=sample_index)) for sample_index in range(count))
    )


async def test_eight_draws_are_one_request_and_the_prompt_is_counted_once() -> None:
    with chat_server(transform=samples_of) as server:
        model = Metered(SampleBatching(OpenAIModel("tiny", base_url=server.base_url, prices=PRICES)))
        got = await draws_of(model, 8)
        await model.aclose()
    assert [body.get("n") for body in server.bodies] == [8]
    assert [one.text for one in got] == [f"q-5-{index}" for index in range(8)]
    assert [one.usage.prompt_tokens for one in got] == [100] + [0] * 7
    assert sum(one.usage.completion_tokens for one in got) == 80
    assert model.totals.calls == 8
    assert model.totals.usage.cost_usd == pytest.approx((100 * 2.0 + 80 * 10.0) / 1e6)
    assert all(one.other_samples == () for one in got)


PRICES = {"input_per_mtok": 2.0, "output_per_mtok": 10.0}


async def test_only_draws_of_one_question_go_together() -> None:
    with chat_server(transform=samples_of) as server:
        model = SampleBatching(OpenAIModel("tiny", base_url=server.base_url))
        asked = [question(text, sample_index=sample_index) for sample_index in range(3) for text in ("a", "b")]
        asked += [question("a", sample_index=9, seed=6), ask("a", sample_index=1), ask("a", sample_index=2)]
        got = await asyncio.gather(*(model.complete(request) for request in asked))
        await model.aclose()
    assert sorted(body.get("n", 1) for body in server.bodies) == [1, 1, 1, 3, 3]  # greedy ones are not joined
    assert [one.text[0] for one in got] == [request.messages[-1].content for request in asked]
    assert len({one.text for one in got[:7]}) == 7


@pytest.mark.parametrize("most", [1, 3])
async def test_a_server_that_returns_fewer_samples_is_discovered_once(
    most: int, caplog: pytest.LogCaptureFixture
) -> None:
    def capping(body: dict[str, Any]) -> web.Response:
        return samples_of(body, most=most)

    with chat_server(transform=capping) as server:
        model = SampleBatching(OpenAIModel("tiny", base_url=server.base_url))
        got = await draws_of(model, 8)
        asked = server.total_requests
        again = await draws_of(model, 8, "again")
        await model.aclose()
    assert len({one.text for one in got}) == len({one.text for one in again}) == 8
    per_round = -(-8 // most)
    assert (asked, server.total_requests) == (per_round, 2 * per_round)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_a_server_that_rejects_n_is_discovered_once(caplog: pytest.LogCaptureFixture) -> None:
    def refusing(body: dict[str, Any]) -> web.Response:
        if "n" in body:
            return error(400, "'n' : number must be at most 1", "invalid_request_error")
        return samples_of(body)

    with chat_server(transform=refusing) as server:
        model = SampleBatching(OpenAIModel("tiny", base_url=server.base_url))
        got = await draws_of(model, 4)
        await draws_of(model, 4, "again")
        await model.aclose()
    assert len({one.text for one in got}) == 4
    assert server.total_requests == 1 + 4 + 4
    assert len(caplog.records) == 2  # the quirk, and what it means for samples


async def test_a_batch_is_one_call_for_the_retry_layer() -> None:
    with chat_server(faults=first(2, "503")) as server:
        model = SampleBatching(Retrying(OpenAIModel("tiny", base_url=server.base_url), base_s=0.001))
        got = await draws_of(model, 5)
        await model.aclose()
    assert [one.outcome for one in got] == ["ok"] * 5
    assert server.total_requests == 3


async def test_a_failed_batch_fails_every_draw() -> None:
    script = ScriptedModel(lambda _: Completion(outcome="failed", fault="server", error="down"))
    assert [one.fault for one in await draws_of(SampleBatching(script), 3)] == ["server"] * 3
    assert [request.samples for request in script.requests] == [3]


async def test_a_sample_that_failed_in_a_reply_is_requested_again() -> None:
    def half_broken(body: dict[str, Any]) -> web.Response | None:
        answer = completion("fine", body)
        if body.get("n") == 3:
            answer["choices"][0] = {**answer["choices"][0], "finish_reason": "error"}
            answer["choices"][1] = {"index": 1, "finish_reason": "stop", "message": {}}
        return web.json_response(answer)

    with chat_server(transform=half_broken) as server:
        got = await draws_of(model := SampleBatching(OpenAIModel("tiny", base_url=server.base_url)), 3)
        await model.aclose()
    assert [(one.text, one.outcome) for one in got] == [("fine", "ok")] * 3
    assert [body.get("n") for body in server.bodies] == [3, None, None]


async def test_an_exception_reaches_every_draw() -> None:
    model = SampleBatching(ScriptedModel([]))
    got = await asyncio.gather(
        *(model.complete(question(sample_index=sample_index)) for sample_index in range(3)), return_exceptions=True
    )
    assert [type(one) for one in got] == [ModelError] * 3


async def test_a_cancelled_draw_leaves_the_others_and_the_last_one_ends_the_call() -> None:
    slow = SlowModel(ScriptedModel(lambda _: "fine"), latency_s=0.05)
    model = Metered(SampleBatching(inner := Metered(slow)))
    tasks = [asyncio.create_task(model.complete(question(sample_index=sample_index))) for sample_index in range(3)]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    assert (await tasks[1]).text == "fine"
    tasks = [
        asyncio.create_task(SampleBatching(inner).complete(question(sample_index=sample_index)))
        for sample_index in range(2)
    ]
    tasks += [
        asyncio.create_task(model.complete(question("other", sample_index=sample_index))) for sample_index in range(2)
    ]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert inner.totals.in_flight == 0


async def test_a_cap_on_calls_counts_samples() -> None:
    with chat_server(transform=samples_of) as server:
        budget = BudgetTracker(Caps(max_calls=5))
        model = BudgetLimited(SampleBatching(OpenAIModel("tiny", base_url=server.base_url)), budget)
        got = await draws_of(model, 8)
        await model.aclose()
    assert [one.fault for one in got] == [""] * 5 + ["budget"] * 3
    assert [body["n"] for body in server.bodies] == [5]
    assert budget.calls == 5


class BatchStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def append(self, events: Any) -> None:
        batch = list(events)
        self.batches.append(len(batch))
        super().append(batch)


async def test_samples_of_one_reply_are_logged_together_and_requested_once() -> None:
    with chat_server(transform=samples_of) as server:
        store = BatchStore()
        bare = SampleBatching(Retrying(Limited(OpenAIModel("tiny", base_url=server.base_url), max_concurrency=2)))
        async with Journal(store) as journal:
            got = await draws_of(LoggedModel(bare, journal, role="optimizer"), 8)
        async with Journal(store) as journal:
            again = await draws_of(LoggedModel(bare, journal, role="optimizer"), 8)
        await bare.aclose()
    assert store.batches[0] == 8
    assert [one.text for one in again] == [one.text for one in got]
    assert server.total_requests == 1


def test_usage_is_divided_without_rest() -> None:
    parts = split_usage([Completion(text="a" * size) for size in (5, 0, 17)], prompt_tokens=7, completion_tokens=11)
    assert [part.usage.prompt_tokens for part in parts] == [7, 0, 0]
    assert sum(part.usage.completion_tokens for part in parts) == 11

"""Batched against a real server: which requests are batched, paid for, failed and resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Request
from askwell.models.batch.batched import Batched
from askwell.models.batch.ledger import Submission
from askwell.models.providers.anthropic import AnthropicModel
from askwell.models.providers.gemini import GeminiModel
from askwell.models.providers.openai import OpenAIModel
from askwell.models.request_key import request_key
from askwell.models.wrappers.retry import Retrying
from askwell.testing import ChatModelContract
from tests.support.batch_servers import BatchServer, Fate, batch_server
from tests.support.requests import ask
from tests.support.servers import ChatServer, error

PRICES = {"input_per_mtok": 1e6, "output_per_mtok": 0.0}  # a dollar a prompt token


@dataclass
class Kept:
    """A ledger in memory that outlives the model, like a run's log."""

    found: list[Submission] = field(default_factory=list[Submission])
    probed: str = ""
    answered: set[str] = field(default_factory=set[str])

    def submissions(self) -> list[Submission]:
        return self.found

    def probe_key(self) -> str:
        return self.probed

    def is_answered(self, key: str) -> bool:
        return key in self.answered

    async def write(self, note: Mapping[str, Any]) -> None:
        self.probed = str(note.get("probe", self.probed))
        if "keys" in note:
            self.found.append(Submission(tag=note["tag"], keys=tuple(note["keys"]), at=0.0))
        elif "id" in note:
            last = self.found.pop()
            assert last.tag == note["tag"]
            self.found.append(Submission(tag=last.tag, keys=last.keys, at=0.0, id=note["id"]))


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with batch_server() as running:
        yield running


def batched(server: BatchServer, **options: Any) -> Batched:
    model = OpenAIModel("tiny", base_url=server.base_url, prices=PRICES)
    settings: dict[str, Any] = {"poll_s": 0.05, "min_batch_size": 4, **options}
    return Batched(model, **settings)


def requests(count: int) -> list[Request]:
    return [ask(f"question {number}") for number in range(count)]


async def ask_all(model: ChatModel, asked: list[Request]) -> list[Completion]:
    return await asyncio.gather(*(model.complete(request) for request in asked))


def paid_once(server: BatchServer, count: int) -> bool:
    return len(server.paid) == count and set(server.paid.values()) == {1}


class TestContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> Iterator[ChatModel]:
        with batch_server(seconds=0.05) as running:
            yield batched(running)


class TestAnthropicContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> Iterator[ChatModel]:
        with batch_server(seconds=0.05) as running:
            yield Batched(AnthropicModel("tiny", base_url=running.base_url), poll_s=0.05, min_batch_size=4)


# --- what is gathered and paid --------------------------------------------------------------------------------------


async def test_concurrent_requests_but_the_first_are_one_batch_at_half_price(server: BatchServer) -> None:
    model = batched(server)
    got = await ask_all(model, requests(50))
    await model.aclose()
    assert [one.text for one in got] == [f"question {number}" for number in range(50)]
    assert [one.usage.cost_usd for one in got] == [2.0] + [1.0] * 49  # two words, a dollar each
    assert [len(batch.lines) for batch in server.batches.values()] == [49]
    assert paid_once(server, 50)
    assert model.price(10, 0, 0) == 5.0


async def test_few_requests_are_sent_directly(server: BatchServer) -> None:
    model = batched(server, min_batch_size=10)
    got = await ask_all(model, requests(9))
    await model.aclose()
    assert (not server.batches, [one.usage.cost_usd for one in got]) == (True, [2.0] * 9)


@pytest.mark.parametrize(("rejected", "answered"), [(1, 9), (2, 8), (3, 0)])
async def test_a_rejected_probe_is_that_rows_own_fault_unless_others_are_rejected_too(
    rejected: int, answered: int
) -> None:
    def reject(body: dict[str, Any]) -> web.Response | None:
        number = int(body["messages"][-1]["content"].rpartition(" ")[2])
        return error(400, "too long", "context_length_exceeded") if number < rejected else None

    with batch_server(chat=ChatServer(transform=reject)) as server:
        model = batched(server)
        got = await ask_all(model, requests(10))
        await model.aclose()
    assert [one.outcome for one in got].count("ok") == answered
    assert {one.fault for one in got if one.outcome == "failed"} == {"bad_request"}
    assert bool(server.batches) == bool(answered)


async def test_a_limit_of_the_provider_makes_several_batches(server: BatchServer) -> None:
    model = batched(server)
    model.api.max_requests = 20
    assert all(one.outcome == "ok" for one in await ask_all(model, requests(50)))
    model.api.max_requests, model.api.max_bytes = 1000, 2000
    assert all(one.outcome == "ok" for one in await ask_all(model, [ask(f"again {n}") for n in range(20)]))
    await model.aclose()
    sizes = [len(batch.lines) for batch in server.batches.values()]
    assert sizes[:3] == [20, 20, 9]
    assert len(sizes) >= 5
    assert paid_once(server, 70)


async def test_a_batch_that_is_too_large_for_the_account_is_cut(server: BatchServer) -> None:
    server.most_lines = 10
    said: list[str] = []
    model = batched(server)
    model.notify = said.append
    got = await ask_all(Retrying(model, max_attempts=5, base_s=0.01), requests(36))
    await model.aclose()
    assert all(one.outcome == "ok" for one in got)
    assert paid_once(server, 36)
    assert any("too large" in text and "continuing with" in text for text in said)


async def test_anthropics_batches() -> None:
    with batch_server() as server:
        model = AnthropicModel("tiny", base_url=server.base_url, prices=PRICES)
        wrapped = Batched(model, poll_s=0.05, min_batch_size=4)
        got = await ask_all(wrapped, requests(20))
        await wrapped.aclose()
    assert [one.text for one in got] == [f"question {number}" for number in range(20)]
    assert [one.usage.cost_usd for one in got] == [2.0] + [1.0] * 19
    assert paid_once(server, 20)


def test_a_provider_without_batches_is_rejected() -> None:
    with pytest.raises(ConfigError, match=r"no batches for 'gemini:m.*openai"):
        Batched(GeminiModel("m", base_url="http://127.0.0.1:9"))


# --- what fails -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
async def test_expired_and_failed_requests_go_into_the_next_batch(server: BatchServer, wire: str) -> None:
    def fate(body: dict[str, Any], batch: int) -> Fate:
        number = int(body["messages"][0]["content"].split()[1])
        return (
            ("expired" if number % 3 == 0 else "error" if number % 3 == 1 else "answered") if batch == 1 else "answered"
        )

    server.fate = fate
    kind = OpenAIModel if wire == "openai" else AnthropicModel
    model = Batched(kind("tiny", base_url=server.base_url), poll_s=0.05, min_batch_size=4)
    got = await ask_all(Retrying(model, base_s=0.01, cap_s=0.02), requests(30))
    await model.aclose()
    assert all(one.outcome == "ok" for one in got)
    assert len(server.batches) == 2
    assert paid_once(server, 30)


async def test_failures_have_their_faults(server: BatchServer) -> None:
    fates: dict[str, Fate] = {"question 1": "expired", "question 2": "error", "question 3": "refused"}
    server.fate = lambda body, _: fates.get(body["messages"][0]["content"], "answered")
    model = batched(server)
    got = await ask_all(model, requests(6))
    await model.aclose()
    assert [one.fault for one in got] == ["", "timeout", "server", "bad_request", "", ""]
    assert "batch_expired" in got[1].error


async def test_a_bad_key_is_reported_before_any_submission() -> None:
    with batch_server(chat=ChatServer(api_key="right")) as server:
        model = Batched(
            OpenAIModel("tiny", base_url=server.base_url, api_key="wrong-key"), poll_s=0.05, min_batch_size=4
        )
        got = await ask_all(model, requests(20))
        await model.aclose()
    assert {one.fault for one in got} == {"auth"}
    assert not server.files
    assert sum(server.chat.by_key.values()) == 1


async def test_quirks_are_discovered_by_the_first_request() -> None:
    def transform(body: dict[str, Any]) -> Any:
        if "max_tokens" not in body:
            return None
        return error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")

    with batch_server(chat=ChatServer(transform=transform)) as server:
        model, ledger = batched(server), Kept()
        model.ledger = ledger
        await ask_all(model, requests(10))
        await model.aclose()
        [batch] = server.batches.values()
        assert all("max_completion_tokens" in body for body in batch.lines.values())
        later = batched(server)
        later.ledger = ledger
        later.inner.negotiation.restore(["max_completion_tokens"])  # as `server_quirks.remember` does
        await ask_all(later, [ask(f"later {number}") for number in range(10)])
        await later.aclose()
        assert all("max_completion_tokens" in body for body in server.batches["batch2"].lines.values())


async def test_a_quirk_discovered_in_a_batch_holds_for_the_next(server: BatchServer) -> None:
    server.fate = lambda body, _: "unsupported" if "temperature" in body else "answered"
    model = batched(server)
    got = await ask_all(model, requests(10))
    await model.aclose()
    assert all(one.outcome == "ok" for one in got)
    assert len(server.batches) == 2


async def test_a_cancelled_batch_keeps_its_answers_and_stops_the_rest(server: BatchServer) -> None:
    server.seconds = 60
    server.on_batch = lambda batch: setattr(batch, "cancelled", True)
    model = batched(server)
    got = await ask_all(model, requests(11))
    await model.aclose()
    assert [one.outcome for one in got].count("ok") == 6
    assert {one.fault for one in got if one.outcome == "failed"} == {"bad_request"}
    assert any("was cancelled at the provider" in one.error for one in got)


async def test_errors_in_a_batch_have_the_same_faults_as_direct_ones(server: BatchServer) -> None:
    server.fate = lambda _body, _batch: "forbidden"
    model = Batched(AnthropicModel("tiny", base_url=server.base_url), poll_s=0.05, min_batch_size=4)
    got = await ask_all(model, requests(20))
    await model.aclose()
    assert [one.fault for one in got[1:]] == ["auth"] * 19


# --- what is taken up -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
async def test_a_batch_whose_making_was_answered_into_the_void_is_found(server: BatchServer, wire: str) -> None:
    server.lose_answers = 1
    kind = OpenAIModel if wire == "openai" else AnthropicModel
    model = Batched(kind("tiny", base_url=server.base_url), poll_s=0.05, min_batch_size=4)
    got = await ask_all(model, requests(20))
    await model.aclose()
    assert all(one.outcome == "ok" for one in got)
    assert len(server.batches) == 1


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("knows_the_id", [True, False])
async def test_a_batch_of_before_is_taken_up(server: BatchServer, *, ended: bool, knows_the_id: bool) -> None:
    server.seconds = 0.3
    ledger, first = Kept(), batched(server)
    first.ledger = ledger
    calls = asyncio.ensure_future(ask_all(first, requests(20)))
    while not (ledger.found and ledger.found[-1].id):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.4 if ended else 0.0)
    calls.cancel()
    await first.aclose()
    if not knows_the_id:
        [before] = ledger.found
        ledger.found = [Submission(tag=before.tag, keys=before.keys, at=0.0)]
    ledger.answered.add(request_key(first.name, requests(1)[0]))
    second = batched(server)
    second.ledger = ledger
    got = await ask_all(second, requests(20)[1:])
    await second.aclose()
    assert [one.text for one in got] == [f"question {number}" for number in range(1, 20)]
    assert {one.usage.cost_usd for one in got} == {1.0}
    assert len(server.batches) == 1
    assert paid_once(server, 20)


async def test_stopping_waits_for_no_batch(server: BatchServer) -> None:
    server.seconds = 60
    model = batched(server)
    calls = asyncio.ensure_future(ask_all(model, requests(20)))
    while not server.batches:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    model.stop()
    got = await asyncio.wait_for(calls, 1)
    await model.aclose()
    assert [one.fault for one in got] == [""] + ["budget"] * 19
    assert "goes on at the provider" in got[1].error

"""The engine's parts that set timers, on uvloop: its handles are not asyncio's in every way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from askwell.core.protocols import ChatModel
from askwell.core.types import Completion
from askwell.models.providers.openai import OpenAIModel
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.pool import Pool
from askwell.models.wrappers.retry import Retrying
from askwell.testing.fakes import ScriptedModel, SlowModel
from tests.support.rate_servers import FixedWindow
from tests.support.requests import ask
from tests.support.servers import chat_server, completion, error


def limited(url: str) -> ChatModel:
    return Limited(OpenAIModel("tiny", base_url=url), max_concurrency=32)


def pooled(url: str) -> ChatModel:
    slow = SlowModel(ScriptedModel(lambda _: "fine"), latency_s=0.001)
    return Pool(
        [Limited(OpenAIModel("tiny", base_url=url), max_concurrency=4), Limited(slow, max_concurrency=2)], name="x"
    )


@pytest.mark.parametrize("make", [limited, pooled])
def test_calls_past_a_rate_limit_are_all_answered(make: Callable[[str], ChatModel]) -> None:
    uvloop: Any = pytest.importorskip("uvloop")
    limiter = FixedWindow(100.0)

    def strict(body: dict[str, Any]) -> web.Response:
        wait = limiter.try_accept(time.monotonic())
        if wait is not None:
            return error(429, "Rate limit reached", "rate_limit_exceeded", {"Retry-After": f"{wait:.3f}"})
        return web.json_response(completion("fine", body))

    async def main(url: str) -> list[Completion]:
        model = Retrying(make(url))
        try:
            return await asyncio.gather(*(model.complete(ask(f"q{number}")) for number in range(250)))
        finally:
            await model.aclose()

    with chat_server(transform=strict) as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(main(server.base_url))
    assert {(one.outcome, one.text) for one in found} == {("ok", "fine")}

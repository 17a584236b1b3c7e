"""FunctionModel: a function's argument, valid results, and the fault of each exception."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from askwell.core.errors import ConfigError, ModelError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Fault, Message, Request, Usage
from askwell.models.function import FunctionModel
from askwell.testing import ChatModelContract
from tests.support.requests import ask


def shout(text: str) -> str:
    return text.upper()


async def shout_async(text: str) -> str:
    await asyncio.sleep(0)
    return text.upper()


def shout_later(text: str) -> Awaitable[str]:
    return shout_async(text)


def repeat(text: str) -> str:
    return text


class Shouter:
    async def __call__(self, text: str) -> str:
        return text.upper()


def take_request(request: Request) -> str:
    return f"{request.temperature} {request.messages[-1].content}"


class TestContract(ChatModelContract):
    @pytest.fixture(params=[shout, shout_async, shout_later, Shouter()])
    def model(self, request: pytest.FixtureRequest) -> ChatModel:
        return FunctionModel(request.param)


async def answer(function: Callable[..., object], request: Request | None = None) -> Completion:
    model = FunctionModel(function)
    try:
        return await model.complete(request or ask("q"))
    finally:
        await model.aclose()


async def test_text_or_request() -> None:
    assert (await answer(shout, ask("hello", system="Be loud."))).text == "BE LOUD.\n\nHELLO"
    assert (await answer(take_request, ask("hello", temperature=0.5))).text == "0.5 hello"
    turns = (
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
        Message(role="user", content="c"),
    )
    assert (await answer(repeat, Request(messages=turns))).text == "User: a\n\nAssistant: b\n\nUser: c"


async def test_a_completion_passes_as_it_is() -> None:
    mine = Completion(text="half", outcome="truncated", usage=Usage(completion_tokens=3, cost_usd=0.1))
    assert await answer(returning(mine)) == mine


def returning(value: object) -> Callable[[str], object]:
    def function(_text: str) -> object:
        return value

    return function


def raising(error: BaseException) -> Callable[[str], str]:
    def broken_model(text: str) -> str:
        raise error

    return broken_model


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TimeoutError("slow"), "timeout"),
        (ConnectionResetError("gone"), "connection"),
        (OSError("no route"), "connection"),
    ],
)
async def test_network_trouble_is_a_failed_completion(error: Exception, fault: Fault) -> None:
    got = await answer(raising(error))
    assert (got.outcome, got.fault) == ("failed", fault)
    assert str(error) in got.error


@pytest.mark.parametrize(
    "error", [KeyError("x"), ZeroDivisionError("oops"), FileNotFoundError("no.txt"), StopIteration()]
)
async def test_bugs_are_loud(error: Exception) -> None:
    with pytest.raises(ModelError, match="broken_model") as caught:
        await answer(raising(error))
    cause = caught.value.__cause__
    assert cause is error or (cause is not None and cause.__cause__ is error)


@pytest.mark.parametrize("value", [None, 3, b"bytes", ["list"]])
async def test_wrong_return_values_are_named(value: object) -> None:
    with pytest.raises(ModelError, match="expected a str"):
        await answer(returning(value))


def test_wrong_signatures_are_refused() -> None:
    def two(first: str, second: str) -> str:
        return first + second

    def keyword(*, text: str) -> str:
        return text

    for function in (two, keyword, lambda: "x"):
        with pytest.raises(ConfigError, match="must take one parameter"):
            FunctionModel(function)


async def test_plain_functions_run_side_by_side_in_a_bounded_number_of_threads() -> None:
    seen: set[str] = set()

    def slow(text: str) -> str:
        seen.add(threading.current_thread().name)
        time.sleep(0.02)
        return text

    model = FunctionModel(slow, name="slow", max_threads=5)
    await asyncio.gather(*(model.complete(ask(f"q{number}")) for number in range(20)))
    await model.aclose()
    assert len(seen) == 5


async def test_cancelling_a_call_cancels_the_function() -> None:
    cancelled = asyncio.Event()

    async def endless(text: str) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return text

    call = asyncio.create_task(FunctionModel(endless).complete(ask("q")))
    await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert cancelled.is_set()

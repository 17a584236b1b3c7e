"""The contract of `ChatModel`, as a class that the tests of every implementation inherit.

class TestMyModel(ChatModelContract):
    @pytest.fixture
    def model(self) -> ChatModel: ...
"""

from __future__ import annotations

import asyncio
from typing import get_args

from askwell.core.protocols import ChatModel
from askwell.core.types import FINAL_FAULTS, Completion, Fault, Outcome
from tests.support.requests import ask


class ChatModelContract:
    """Give `model` a fixture; set `is_deterministic` to False where equal requests may get different replies."""

    is_deterministic = True

    async def test_is_a_chat_model(self, model: ChatModel) -> None:
        assert isinstance(model, ChatModel)
        assert model.name == model.name != ""

    async def test_answers_with_a_valid_completion(self, model: ChatModel) -> None:
        check(await model.complete(ask("What is 2 + 2?", system="Answer briefly.")))
        await model.aclose()

    async def test_answers_concurrent_calls_each_with_its_own(self, model: ChatModel) -> None:
        requests = [ask(f"Question {number}") for number in range(40)]
        together = await asyncio.gather(*(model.complete(request) for request in requests))
        for completion in together:
            check(completion)
        if self.is_deterministic:
            alone = [await model.complete(request) for request in requests[:5]]
            assert [completion.text for completion in together[:5]] == [completion.text for completion in alone]
        await model.aclose()

    async def test_takes_any_text(self, model: ChatModel) -> None:
        for text in ("", "\x00 \ud800 \U0001f600", "<|end|>", "x" * 100):
            check(await model.complete(ask(text)))
        await model.aclose()

    async def test_closing_twice_is_harmless_and_a_closed_model_opens_again(self, model: ChatModel) -> None:
        check(await model.complete(ask("one")))
        await model.aclose()
        await model.aclose()
        check(await model.complete(ask("two")))
        await model.aclose()

    def test_one_model_serves_several_loops_in_turn(self, model: ChatModel) -> None:
        async def use() -> Completion:
            completions = await asyncio.gather(*(model.complete(ask(f"loop {number}")) for number in range(10)))
            await model.aclose()
            return completions[0]

        first, second = asyncio.run(use()), asyncio.run(use())
        check(first)
        check(second)
        if self.is_deterministic:
            assert first.text == second.text


def check(completion: Completion) -> None:
    assert completion.outcome in get_args(Outcome)
    assert completion.fault in get_args(Fault)
    assert (completion.outcome == "failed") == (completion.fault != "")
    assert completion.outcome != "failed" or completion.error
    assert completion.fault not in FINAL_FAULTS or completion.error
    assert completion.seconds >= 0
    assert completion.usage.prompt_tokens >= 0
    assert completion.usage.completion_tokens >= 0
    completion.text.encode()  # whatever came over the wire can be stored

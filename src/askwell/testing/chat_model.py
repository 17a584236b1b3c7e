"""The contract of `ChatModel`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import get_args

from askwell.core.protocols import ChatModel
from askwell.core.types import FINAL_FAULTS, Completion, Fault, Outcome, Request
from askwell.testing.requests import make_request


class ChatModelContract:
    """Inherit this class and give it a fixture `model`.

    Set `is_deterministic` to False if equal requests may get different replies.
    """

    is_deterministic = True

    def test_it_is_a_chat_model(self, model: ChatModel) -> None:
        assert isinstance(model, ChatModel)
        assert model.name == model.name != ""

    def test_it_returns_a_valid_completion(self, model: ChatModel) -> None:
        complete_all(model, [make_request("What is 2 + 2?", system="Answer briefly.")])

    def test_concurrent_calls_get_the_replies_to_their_own_requests(self, model: ChatModel) -> None:
        requests = [make_request(f"Question {number}") for number in range(40)]
        together = complete_all(model, requests)
        alone = [complete_all(model, [request])[0] for request in requests[:5]]
        if self.is_deterministic:
            assert [completion.text for completion in together[:5]] == [completion.text for completion in alone]

    def test_any_text_is_accepted(self, model: ChatModel) -> None:
        for text in ("", "\x00 \ud800 \U0001f600", "<|end|>", "x" * 100):
            complete_all(model, [make_request(text)])

    def test_closing_twice_is_harmless_and_a_closed_model_opens_again(self, model: ChatModel) -> None:
        async def use() -> list[Completion]:
            first = await model.complete(make_request("first"))
            await model.aclose()
            await model.aclose()
            second = await model.complete(make_request("second"))
            await model.aclose()
            return [first, second]

        for completion in asyncio.run(use()):
            check_completion(completion)

    def test_one_model_serves_several_event_loops_in_turn(self, model: ChatModel) -> None:
        requests = [make_request(f"loop {number}") for number in range(10)]
        first, second = complete_all(model, requests), complete_all(model, requests)
        if self.is_deterministic:
            assert [completion.text for completion in first] == [completion.text for completion in second]


def complete_all(model: ChatModel, requests: Sequence[Request]) -> list[Completion]:
    """Make the calls at once on a new event loop, close the model, and check the completions."""

    async def use() -> list[Completion]:
        try:
            return await asyncio.gather(*(model.complete(request) for request in requests))
        finally:
            await model.aclose()

    completions = asyncio.run(use())
    for completion in completions:
        check_completion(completion)
    return completions


def check_completion(completion: Completion) -> None:
    """Assert that the parts of a completion agree."""
    assert completion.outcome in get_args(Outcome)
    assert completion.fault in get_args(Fault)
    assert (completion.outcome == "failed") == (completion.fault != "")
    assert completion.outcome != "failed" or completion.error
    assert completion.fault not in FINAL_FAULTS or completion.error
    assert completion.seconds >= 0
    assert completion.usage.prompt_tokens >= 0
    assert completion.usage.completion_tokens >= 0
    completion.text.encode()  # a lone surrogate could not be written to the run log

"""Reasoning tokens: counted by the server, or known because nothing else was generated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from askwell.core.types import Completion, Usage
from askwell.models.http.client import HttpResponse
from askwell.models.providers.anthropic import parse_message
from askwell.models.providers.gemini import parse_candidates
from askwell.models.providers.openai_wire import parse_chat_response
from askwell.runlog.codec import encode_completion

COUNTED = {"completion_tokens": 512, "completion_tokens_details": {"reasoning_tokens": 500}}


def choice(content: object, **more: object) -> dict[str, object]:
    return {"finish_reason": "length", "message": {"role": "assistant", "content": content, **more}}


@pytest.mark.parametrize(
    ("choices", "usage", "reasoning"),
    [
        ([choice("")], COUNTED, 500),
        ([choice("42", reasoning_content="hmm")], COUNTED, 500),
        ([choice("", reasoning_content="hmm")], {"completion_tokens": 512}, 512),  # vLLM, llama.cpp
        ([choice(None, reasoning="hmm")], {"completion_tokens": 64}, 64),  # Ollama, OpenRouter
        ([choice("", reasoning_content="hmm")], {"completion_tokens": 8, "completion_tokens_details": None}, 8),
        ([choice("42", reasoning_content="hmm")], {"completion_tokens": 512}, 0),  # how much of it, nobody says
        ([choice("")], {"completion_tokens": 512}, 0),
        ([choice("", reasoning_content="")], {"completion_tokens": 512}, 0),
        ([choice("", reasoning_content=None)], {}, 0),
        ([choice("")], {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": -4}}, 0),
        ([choice("")], {"completion_tokens": 9, "completion_tokens_details": "none"}, 0),
    ],
)
def test_openai(choices: list[object], usage: Mapping[str, object], reasoning: int) -> None:
    assert parse_openai({"choices": choices, "usage": usage}).usage.reasoning_tokens == reasoning


def test_samples_of_one_call_share_its_reasoning_tokens() -> None:
    body = {"choices": [choice("aaa"), choice("")], "usage": COUNTED}
    answer = HttpResponse(status=200, headers={}, body=json.dumps(body).encode())
    first = parse_chat_response(answer, 2).completion
    parts = [sample.usage for sample in (first, *first.other_samples)]
    assert [(usage.completion_tokens, usage.reasoning_tokens) for usage in parts] == [(409, 400), (103, 100)]


@pytest.mark.parametrize(
    ("blocks", "reasoning"),
    [
        ([{"type": "thinking", "thinking": "hmm"}], 30),
        ([{"type": "redacted_thinking", "data": "x"}, {"type": "thinking", "thinking": ""}], 30),
        ([{"type": "thinking", "thinking": "hmm"}, {"type": "text", "text": "42"}], 0),
        ([{"type": "text", "text": "42"}], 0),
        ([], 0),
    ],
)
def test_anthropic(blocks: list[object], reasoning: int) -> None:
    body = {"content": blocks, "stop_reason": "max_tokens", "usage": {"input_tokens": 4, "output_tokens": 30}}
    answer = HttpResponse(status=200, headers={}, body=json.dumps(body).encode())
    assert parse_message(answer).completion.usage == Usage(
        prompt_tokens=4, completion_tokens=30, reasoning_tokens=reasoning
    )


def test_gemini() -> None:
    body: dict[str, object] = {
        "candidates": [{"finishReason": "MAX_TOKENS", "content": {}}],
        "usageMetadata": {"promptTokenCount": 4, "thoughtsTokenCount": 30},
    }
    usage = parse_candidates(HttpResponse(status=200, headers={}, body=json.dumps(body).encode())).completion.usage
    assert (usage.completion_tokens, usage.reasoning_tokens) == (30, 30)


def test_the_log_holds_them_only_where_there_are_any() -> None:
    assert "reasoning_tokens" not in encode_completion(Completion(text="42"))
    assert encode_completion(Completion(usage=Usage(reasoning_tokens=3)))["reasoning_tokens"] == 3


def parse_openai(body: Mapping[str, Any]) -> Completion:
    return parse_chat_response(HttpResponse(status=200, headers={}, body=json.dumps(body).encode())).completion

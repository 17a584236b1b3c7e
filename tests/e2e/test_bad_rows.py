"""One row that a provider refuses or rejects: the others are scored, and the run ends well."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.harness import invoke
from tests.support.servers import ChatServer, chat_server, error, replying

REFUSED = {
    "OpenRouter": (403, "Input was flagged", None),
    "OpenAI": (400, "flagged", "invalid_prompt"),
    "DashScope": (400, "Input data may contain inappropriate content.", "data_inspection_failed"),
    "litellm": (400, "litellm.ContentPolicyViolationError: blocked", None),
    "Anthropic": (400, "Output blocked by content filtering policy", None),
}
REJECTED = {
    "context": (400, "This model's maximum context length is 64 tokens", "context_length_exceeded"),
    "size": (413, "Request too large", None),
    "rate": (429, "Request too large: Limit 10, Requested 50", "rate_limit_exceeded"),
    "unknown words": (400, "I would rather not", None),
    "a field": (422, "messages.0.content: string is too long", None),
}
ROWS = {**REFUSED, **REJECTED}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [{"input": f"Is {number} a number?", "target": "Yes"} for number in range(24)]
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(params=ROWS)
def server(request: pytest.FixtureRequest) -> Generator[ChatServer]:
    status, message, code = ROWS[request.param]

    def answer(body: dict[str, Any]) -> web.Response | None:
        return error(status, message, code) if "Is 7 a" in body["messages"][-1]["content"] else None

    with chat_server(transform=answer, reply=replying("Yes")) as running:
        yield running


def flags(server: ChatServer, data: Path) -> list[str]:
    return ["--data", str(data), "--metric", "exact", "--target", "openai:m", "--base-url", server.base_url]


def test_evaluate_scores_the_others(server: ChatServer, data: Path, request: pytest.FixtureRequest) -> None:
    ended = invoke("evaluate", *flags(server, data), "--prompt", "Answer with Yes or No.", "--json")
    assert ended.status == 0, ended.err
    is_refused = request.node.callspec.params["server"] in REFUSED
    assert ended.json["prompts"][0]["score"]["n"] == (24 if is_refused else 23)
    assert ended.json["prompts"][0]["score"]["estimate"] == pytest.approx(23 / 24 if is_refused else 1.0)


def test_optimize_goes_on_and_resumes(server: ChatServer, data: Path, tmp_path: Path) -> None:
    run = ["--run", "r", "--runs", str(tmp_path / "runs")]
    sizes = ["--train", "4", "--dev", "14", "--test", "6", "--steps", "2", "--candidates", "4"]
    capped = invoke("optimize", *flags(server, data), *sizes, *run, "--budget-calls", "30")
    assert capped.status == 0, capped.err
    resumed = invoke("optimize", "--resume", "r", "--runs", tmp_path / "runs", "--budget-calls", "400")
    assert resumed.status == 0, resumed.err
    whole = invoke("optimize", *flags(server, data), *sizes, "--run", "w", "--runs", tmp_path / "runs")
    assert whole.status == 0, whole.err


def test_more_rejected_rows_than_allowed_stop_the_run_and_a_flag_allows_them(data: Path, tmp_path: Path) -> None:
    def reject(body: dict[str, Any]) -> web.Response | None:
        question = body["messages"][-1]["content"]
        return error(400, "too long") if any(f"Is {number} a" in question for number in (3, 5, 8)) else None

    run = ["--prompt", "Say it.", "--run", "r", "--runs", str(tmp_path / "runs")]
    with chat_server(transform=reject, reply=replying("Yes")) as server:
        stopped = invoke("evaluate", *flags(server, data), *run)
        assert stopped.status == 1
        assert "3 of 24 target calls failed for good (3 × bad_request)" in stopped.err
        assert "--max-missing" in stopped.err
        allowed = invoke("evaluate", *flags(server, data), *run, "--max-missing", "0.2", "--json")
        assert allowed.status == 0, allowed.err
        assert allowed.json["prompts"][0]["score"]["n"] == 21

"""The main job from the command line with a target and an optimizer that speak other formats than OpenAI's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.support.harness import CONFIG, SMALL, SUMS, Answerer, Ended, events, invoke, kinds
from tests.support.wire_servers import KEY, anthropic_error, anthropic_server, gemini_server
from tests.support.wire_servers import always as always_answered

ENV = {"ANTHROPIC_API_KEY": KEY, "GEMINI_API_KEY": KEY}


def answering(answerer: Answerer) -> Callable[[str], str]:
    return lambda text: answerer.reply([{"role": "user", "content": text}])


def optimize(folder: Path, target_url: str, *more: str | Path, env: dict[str, str] | None = None) -> Ended:
    flags = [CONFIG, "--data", SUMS, "--metric", "number", "--target", "anthropic:tiny", "--base-url", target_url]
    return invoke("optimize", *flags, *SMALL, *more, "--run", "r", "--runs", folder, env=env or ENV)


def test_optimizing_claude_with_gemini(tmp_path: Path) -> None:
    numbers = count()

    def rewrite(_text: str) -> str:
        return f"<START>Count with care, {next(numbers)} times.<END>"

    with (
        anthropic_server(reply=answering(Answerer.of())) as target,
        gemini_server(reply=rewrite) as optimizer,
    ):
        run = optimize(
            tmp_path,
            target.base_url,
            "--optimizer-model",
            "gemini:tiny",
            "--optimizer-model-base-url",
            optimizer.base_url,
        )
    assert run.status == 0, run.err
    log = events(tmp_path / "r" / "log.db")
    assert kinds(log)["result"] == 1
    assert kinds(log)["rollout"] >= 24
    assert "anthropic:tiny" in str(log[0].body)
    assert "gemini:tiny" in str(log[0].body)
    assert len(optimizer.bodies) > 0
    assert KEY not in run.out + run.err + str([event.body for event in log])


def test_a_run_stops_with_the_providers_words_before_it_costs_anything(tmp_path: Path) -> None:
    with anthropic_server(reply=answering(Answerer.of())) as target:
        target.transform = always_answered(
            lambda: anthropic_error(400, "invalid_request_error", "Your credit balance is too low")
        )
        broke = optimize(tmp_path, target.base_url)
        assert broke.status != 0
        assert "Your credit balance is too low" in broke.err
        target.transform = lambda _: None
        assert "No run was kept" in broke.err
        again = optimize(tmp_path, target.base_url)
        assert again.status == 0, again.err
    assert kinds(events(tmp_path / "r" / "log.db"))["result"] == 1


@pytest.mark.parametrize("model", ["anthropic:claude-sonnet-4-5", "gemini:gemini-2.5-flash"])
def test_a_plan_knows_the_price(model: str) -> None:
    pytest.importorskip("genai_prices")
    plan = invoke("plan", "--data", SUMS, "--metric", "number", "--target", model, "--json", env=ENV)
    assert plan.status == 0, plan.err
    assert plan.json["models"][0]["expected"]["cost_usd"] > 0


def test_a_missing_key_is_named_before_anything_else(tmp_path: Path) -> None:
    run = optimize(tmp_path, "https://api.anthropic.com/v1", env={"OPENAI_API_KEY": KEY})
    assert run.status == 2
    assert "ANTHROPIC_API_KEY is not set" in run.err

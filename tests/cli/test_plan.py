"""`askwell plan` and what `askwell optimize` says first: through the command line, as a user does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import askwell
from askwell.cli.main import main
from askwell.core.errors import ConfigError

SMALL = [
    "--data",
    "pocket:numbers_even",
    "--train",
    "8",
    "--dev",
    "10",
    "--test",
    "5",
    "--steps",
    "2",
    "--optimizer",
    "gpo",
]


def run(*arguments: str, status: int = 0) -> str:
    found = CliRunner().invoke(main, [*arguments])
    assert found.exit_code == status, found.output
    return found.output


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "secret-key")


OPENAI = [*SMALL, "--target", "openai:gpt-4.1-mini", "--api-key-env", "A_KEY", "--candidates", "3"]


def test_a_plan_names_calls_tokens_money_and_time_of_each_model() -> None:
    text = run("plan", *OPENAI)
    assert "openai:gpt-4.1-mini" in text
    assert "80" in text  # 10 + 2 × 3 × 10 + 2 × 5
    assert "editor" in text
    assert "Time: about" in text


def test_json_holds_all_of_it() -> None:
    found = json.loads(run("plan", *OPENAI, "--json", "--budget-calls", "40", "--latency", "3"))
    target, optimizer = found["models"]
    assert (target["expected"]["calls"], optimizer["expected"]["calls"]) == (80, 6)
    assert target["worst"]["completion_tokens"] == 80 * 512
    assert found["cuts"] == [{"cap": "calls", "limit": 40, "expected": 86, "worst": 86, "last_step": 0}]
    assert found["expected_seconds"] == pytest.approx(3 * (1 + 2 * 2 + 1) + 2 * 0.05)


def test_a_cap_is_said_in_words() -> None:
    assert "is expected to end the run after step 0" in " ".join(run("plan", *OPENAI, "--budget-calls", "40").split())
    assert "The cap of 5000 calls is never reached" in run("plan", *OPENAI, "--budget-calls", "5000")


def test_own_prices_come_from_the_config_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[target]\nprices = {input = 1000.0, output = 0.0}\n", encoding="utf-8")
    found = json.loads(run("plan", str(path), *OPENAI, "--json"))
    target = found["models"][0]
    assert target["expected"]["cost_usd"] == pytest.approx(target["expected"]["prompt_tokens"] / 1000, rel=0.02)


def test_unknown_prices_are_said_to_be_unknown() -> None:
    text = run("plan", *SMALL, "--target", "openai:my-own-model", "--base-url", "http://127.0.0.1:9/v1")
    assert "unknown" in text
    assert "askwell[prices]" in " ".join(text.split())


def test_plans_are_refused_as_runs_are() -> None:
    assert "no data" in run("plan", "--target", "pocket", status=2)


@pytest.mark.slow
def test_optimize_says_its_plan_first(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    arguments = [*SMALL, "--target", "pocket", "--runs", str(tmp_path), "--candidates", "2"]
    found = CliRunner().invoke(main, ["optimize", *arguments])
    assert found.exit_code == 0, found.output
    assert found.stderr.startswith("Plan: about 60 + 4 calls, ")
    assert "; at most 60 + 4 calls, " in " ".join(found.stderr.split())


def test_from_python() -> None:
    found = askwell.plan(
        data=[{"input": f"{i}", "target": "yes"} for i in range(50)],
        target=str.upper,
        loop=askwell.LoopSettings(steps=1),
        optimizer="gpo",
        settings={"candidates": 2, "embedder": "lexical"},
        caps=askwell.Caps(max_usd=1.0),
    )
    assert found.models[0].expected.calls == 10 + 2 * 10 + 2 * 30
    assert found.expected_usd is None
    with pytest.raises(ConfigError):
        askwell.plan(data=[{"input": f"{i}", "target": "b"} for i in range(9)], target="nobody:x")

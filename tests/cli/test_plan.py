"""`askwell plan` and what `askwell optimize` says first: through the command line, as a user does."""

from __future__ import annotations

import json
from importlib.util import find_spec
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
    assert "81" in text  # 1 check + 10 + 2 × 3 × 10 + 2 × 5
    assert "high" in text
    assert "at most" not in text.lower()
    assert "editor" in text
    assert "Time: about" in text


def test_json_holds_all_of_it() -> None:
    found = json.loads(run("plan", *OPENAI, "--json", "--budget-calls", "40", "--latency", "3"))
    target, optimizer = found["models"]
    assert (target["expected"]["calls"], optimizer["expected"]["calls"]) == (81, 6)
    assert target["worst"]["completion_tokens"] == 81 * 512
    assert target["expected"]["completion_tokens"] == 16 + 80 * (16 + 512 / 4)
    assert target["expected"]["completion_tokens"] < target["high"]["completion_tokens"]
    assert target["high"]["completion_tokens"] < target["worst"]["completion_tokens"]
    assert found["cuts"] == [{"cap": "calls", "limit": 40, "expected": 87, "worst": 87, "last_step": 0}]
    assert found["expected_seconds"] == pytest.approx(3 * (1 + 2 * 2 + 1) + 2 * 0.05)


def test_a_cap_is_said_in_words() -> None:
    assert "is expected to end the run after step 0" in " ".join(run("plan", *OPENAI, "--budget-calls", "40").split())
    text = run("plan", *OPENAI, "--budget-calls", "5000")
    assert "The cap of 5000 calls is never reached" in text
    assert "at most" in text


@pytest.mark.parametrize(
    ("model", "expected"),
    [("openai:gpt-4.1-mini", 0), ("anthropic:claude-x", 0), ("groq:m", 0), ("local:no/such/folder", 2)],
)
def test_a_plan_needs_no_key(model: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "A_KEY"):
        monkeypatch.delenv(name, raising=False)
    run("plan", *SMALL, "--target", model, "--optimizer-model", "openai:gpt-4.1", status=expected)
    run("plan", *SMALL, "--target", "pocket", "--optimizer-model", "azure:x", status=2)  # no address


@pytest.mark.parametrize(
    ("package", "extra", "flags"),
    [
        ("dspy", "dspy", ["--optimizer", "dspy-mipro"]),
        ("dspy", "dspy", ["--optimizer", "dspy-simba"]),
        ("litellm", "litellm", ["--optimizer-model", "litellm:bedrock/x"]),
    ],
)
def test_a_missing_extra_is_found_before_any_call(package: str, extra: str, flags: list[str], tmp_path: Path) -> None:
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    for command in ("plan", "optimize"):
        text = run(command, *SMALL[:-2], "--target", "pocket", *flags, "--runs", str(tmp_path), status=2)
        assert f"askwell[{extra}]" in text
    assert not list(tmp_path.iterdir())


def test_a_missing_embedder_is_found_before_any_call(tmp_path: Path) -> None:
    if find_spec("sentence_transformers") is not None:
        pytest.skip("sentence-transformers is installed")
    path = tmp_path / "run.toml"
    path.write_text("[optimizer]\nname = 'gpo'\nembedder = 'sentence-transformers:x'\n", encoding="utf-8")
    assert "askwell[embed]" in run("plan", str(path), *SMALL[:-2], "--target", "pocket", status=2)


@pytest.mark.parametrize("command", ["plan", "optimize"])
@pytest.mark.parametrize(
    "models",
    [
        ["--target", "openai:toy", "--base-url", "http://127.0.0.1:9/v1"],
        [
            "--target",
            "pocket",
            "--optimizer-model",
            "openai:toy",
            "--optimizer-model-base-url",
            "http://127.0.0.1:9/v1",
        ],
        ["--target", "vllm:toy", "--optimizer-model", "ollama:toy"],
    ],
)
def test_a_dollar_cap_without_prices_is_refused(command: str, models: list[str], tmp_path: Path) -> None:
    text = " ".join(run(command, *SMALL, *models, "--budget-usd", "5", "--runs", str(tmp_path), status=2).split())
    assert "the cap of 5 dollars cannot be checked: no price is known for" in text
    assert ".prices" in text
    assert "askwell[prices]" in text
    assert not list(tmp_path.iterdir())


def test_a_dollar_cap_with_own_prices_or_free_models_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[target]\nprices = {input = 1.0, output = 2.0}\n", encoding="utf-8")
    text = run("plan", str(path), *SMALL, "--target", "openai:toy", "--base-url", "http://127.0.0.1:9/v1",
               "--budget-usd", "5")  # fmt: skip
    assert "The cap of 5 dollars" in text
    assert run("plan", *SMALL, "--target", "pocket", "--budget-usd", "5")


def test_a_dollar_cap_without_prices_is_refused_from_python() -> None:
    data = [{"input": f"{i}", "target": "yes"} for i in range(50)]
    for call in (askwell.plan, askwell.optimize):
        with pytest.raises(
            ConfigError, match="the cap of 1 dollars cannot be checked: no price is known for 'function:"
        ):
            call(data=data, target=str.upper, caps=askwell.Caps(max_usd=1.0))


def test_where_the_calls_go_is_told() -> None:
    served = [*SMALL, "--target", "openai:a", "--base-url", "http://127.0.0.1:9/v1", "--optimizer-model"]
    text = " ".join(run("plan", *served, "openai:b").split())
    assert text.count("Target: openai:a at http://127.0.0.1:9/v1") == 1
    assert "Optimizer model: openai:b at https://api.openai.com/v1" in text
    assert "Optimizer model:" not in run("plan", *served, "editor")


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
    assert "; hardly above 60 + 4 calls, " in " ".join(found.stderr.split())
    assert "at most" not in found.stderr


def test_from_python() -> None:
    found = askwell.plan(
        data=[{"input": f"{i}", "target": "yes"} for i in range(50)],
        target=str.upper,
        loop=askwell.LoopSettings(steps=1),
        optimizer="gpo",
        settings={"candidates": 2, "embedder": "lexical"},
        caps=askwell.Caps(max_tokens=1000),
    )
    assert found.models[0].expected.calls == 10 + 2 * 10 + 2 * 30
    assert found.expected_usd is None
    with pytest.raises(ConfigError):
        askwell.plan(data=[{"input": f"{i}", "target": "b"} for i in range(9)], target="nobody:x")

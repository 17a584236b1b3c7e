"""Addresses that the environment gives, as the providers' own clients read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import askwell
from askwell.api.build_models import build_model, describe_addresses
from askwell.api.config import ModelConfig
from askwell.core.errors import ConfigError
from askwell.models.parts import parts_of
from askwell.models.providers.registry import PROVIDERS
from tests.support.harness import invoke
from tests.support.servers import ChatServer, chat_server, replying

KEY = "key-very-secret-0123456789"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key is set and no address."""
    for provider in PROVIDERS.values():
        if provider.key_env:
            monkeypatch.setenv(provider.key_env, KEY)
        if provider.base_url_env:
            monkeypatch.delenv(provider.base_url_env, raising=False)


ADDRESSES: list[tuple[str, dict[str, str], str]] = [
    ("openai:m", {"OPENAI_BASE_URL": "http://gateway/v1"}, "http://gateway/v1"),
    ("openai:m", {"OPENAI_BASE_URL": "http://gateway/v1/"}, "http://gateway/v1"),
    ("openai:m", {"OPENAI_BASE_URL": "  "}, "https://api.openai.com/v1"),
    ("openai:m", {}, "https://api.openai.com/v1"),
    ("anthropic:m", {"ANTHROPIC_BASE_URL": "http://gateway"}, "http://gateway"),
    ("gemini:m", {"GOOGLE_GEMINI_BASE_URL": "http://gateway"}, "http://gateway"),
    ("azure:m", {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/"}, "https://r.openai.azure.com"),
    ("groq:m", {"GROQ_BASE_URL": "http://gateway"}, "http://gateway/openai/v1"),
    ("groq:m", {"GROQ_BASE_URL": "http://gateway/x"}, "http://gateway/x"),
    ("together:m", {"TOGETHER_BASE_URL": "http://gateway/v1"}, "http://gateway/v1"),
    ("ollama:m", {"OLLAMA_HOST": "gpu"}, "http://gpu:11434/v1"),
    ("ollama:m", {"OLLAMA_HOST": "gpu:5"}, "http://gpu:5/v1"),
    ("ollama:m", {"OLLAMA_HOST": "0.0.0.0"}, "http://127.0.0.1:11434/v1"),
    ("ollama:m", {"OLLAMA_HOST": "0.0.0.0:8"}, "http://127.0.0.1:8/v1"),
    ("ollama:m", {"OLLAMA_HOST": ":8"}, "http://127.0.0.1:8/v1"),
    ("ollama:m", {"OLLAMA_HOST": "[::1]"}, "http://[::1]:11434/v1"),
    ("ollama:m", {"OLLAMA_HOST": "[::1]:8"}, "http://[::1]:8/v1"),
    ("ollama:m", {"OLLAMA_HOST": "https://gpu"}, "https://gpu/v1"),
    ("ollama:m", {"OLLAMA_HOST": "http://gpu:8/"}, "http://gpu:8/v1"),
    ("ollama:m", {"OLLAMA_HOST": "http://gpu:8/ollama/v1"}, "http://gpu:8/ollama/v1"),
    ("openrouter:m", {"OPENAI_BASE_URL": "http://gateway/v1"}, "https://openrouter.ai/api/v1"),
    ("vllm:m", {"OPENAI_BASE_URL": "http://gateway/v1"}, "http://localhost:8000/v1"),
]


@pytest.mark.parametrize(("model", "variables", "address"), ADDRESSES)
def test_the_environment_gives_the_address(
    model: str, variables: Mapping[str, str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    [served] = parts_of(build_model(ModelConfig(model=model), flag="--target")).negotiating
    assert served.name.partition("@")[2] == address
    given = ModelConfig(model=model, base_url="http://own:1/v1")
    [own] = parts_of(build_model(given, flag="--target")).negotiating
    assert own.name.partition("@")[2] == "http://own:1/v1"
    source = next(iter(variables), "")
    is_used = source == PROVIDERS[model.partition(":")[0]].base_url_env and bool(variables.get(source, "").strip())
    assert describe_addresses(ModelConfig(model=model), flag="--target") == (
        f"{model} at {address} ({source})" if is_used else f"{model} at {address}"
    )
    assert describe_addresses(given, flag="--target") == f"{model} at http://own:1/v1"


@pytest.mark.parametrize("value", ["gateway/v1", "ftp://gateway", "http://", "http://user:hush-hush@gateway/v1"])
def test_a_wrong_address_is_told_with_its_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", value)
    with pytest.raises(ConfigError, match=r"OPENAI_BASE_URL: .*base URL.*unset") as caught:
        build_model(ModelConfig(model="openai:m"), flag="--target")
    assert "hush" not in str(caught.value)


def test_an_address_of_the_environment_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway/v1?key=hush-hush")
    assert describe_addresses(ModelConfig(model="openai:m"), flag="--target") == (
        "openai:m at http://gateway/v1?key=*** (OPENAI_BASE_URL)"
    )


def test_azure_names_its_variable() -> None:
    with pytest.raises(ConfigError, match=r"with --base-url .* or AZURE_OPENAI_ENDPOINT"):
        build_model(ModelConfig(model="azure:m"), flag="--target")


def rows(folder: Path) -> Path:
    path = folder / "q.jsonl"
    lines = [json.dumps({"input": f"Is {number} a number?", "target": "Yes"}) for number in range(20)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def answered(server: ChatServer) -> int:
    return server.total_requests


def test_commands_say_which_address_they_use(tmp_path: Path) -> None:
    flags = ["--data", str(rows(tmp_path)), "--metric", "exact", "--target", "openai:m"]
    with chat_server(reply=replying("Yes")) as server:
        env = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
        said = f"openai:m at {server.base_url} (OPENAI_BASE_URL)"
        plan = invoke("plan", *flags, env=env)
        assert plan.status == 0, plan.err
        assert said in " ".join(plan.out.split())
        assert answered(server) == 0
        evaluated = invoke("evaluate", *flags, "--prompt", "Say it.", env=env)
        assert said in evaluated.err
        assert (evaluated.status, answered(server)) == (0, 20)
        optimized = invoke("optimize", *flags, "--steps", "0", "--runs", tmp_path, "--run", "r", env=env)
        assert said in optimized.err
        assert optimized.status == 0
        calls = answered(server)
        with chat_server(reply=replying("Yes")) as own:
            given = invoke("evaluate", *flags, "--prompt", "Say it.", "--base-url", own.base_url, env=env)
            assert f"openai:m at {own.base_url}." in given.err
            assert (answered(own), answered(server)) == (20, calls)


def test_python_reads_the_environment_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chat_server(reply=replying("Yes")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        [found] = askwell.evaluate("Say it.", data=rows(tmp_path), target="openai:m", metric="exact")
    assert (found.score.estimate, answered(server)) == (1.0, 20)
    assert set(server.by_key) == {f"Bearer {KEY}"}

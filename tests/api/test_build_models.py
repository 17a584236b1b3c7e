"""Models by name: where a provider is, which key it gets, which format it is asked in; wrong names are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from askwell.api.build_models import build_model, find_address, is_openai_compatible
from askwell.api.config import ModelConfig
from askwell.api.config_file import parse_config
from askwell.cli.service import ServeOptions, build_service
from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Prompt
from askwell.models.parts import parts_of
from askwell.models.providers.openai import OpenAIModel
from askwell.models.providers.registry import PROVIDERS
from askwell.models.wrappers.shared_gate import SharedGate, SharedGates
from askwell.policies.fixed import FixedPolicy
from tests.support.requests import ask
from tests.support.wire_servers import KEY, anthropic_server, azure_server, gemini_server

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of somebody who has set nothing up."""
    for provider in PROVIDERS.values():
        monkeypatch.delenv(provider.key_env or "UNSET", raising=False)


def made(model: str, **more: object) -> ChatModel:
    return build_model(parse_config({"target": {"model": model, **more}}).target, flag="--target")


def served_as(model: ChatModel) -> str:
    """Return the name of the model at its server, with the server's address."""
    [server] = parts_of(model).negotiating
    return server.name


HOSTED = [name for name, provider in PROVIDERS.items() if provider.needs_key and provider.base_url]


@pytest.mark.parametrize("name", HOSTED)
def test_each_provider_has_an_address_and_a_key_of_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = PROVIDERS[name]
    with pytest.raises(ConfigError, match=rf"'{name}:m': .*{provider.key_env} is not set"):
        made(f"{name}:m")
    monkeypatch.setenv(provider.key_env, KEY)
    model = made(f"{name}:m")
    assert model.name == f"{name}:m"
    assert served_as(model) == f"{provider.format}:m@{provider.base_url}"
    monkeypatch.delenv(provider.key_env)
    monkeypatch.setenv("MY_KEY", KEY)
    assert made(f"{name}:m", api_key_env="MY_KEY").name == f"{name}:m"
    with pytest.raises(ConfigError, match="OTHER_KEY is not set"):
        made(f"{name}:m", api_key_env="OTHER_KEY")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ollama:llama3.2:1b", "http://localhost:11434/v1"),
        ("vllm:Qwen/Qwen3-0.6B", "http://localhost:8000/v1"),
        ("llama.cpp:any", "http://localhost:8080/v1"),
    ],
)
def test_servers_on_this_machine_need_no_key(name: str, address: str) -> None:
    model = made(name)
    assert model.name == name
    assert served_as(model) == f"openai:{name.partition(':')[2]}@{address}"
    assert served_as(made(name, base_url="http://gpu:1/v1")).endswith("@http://gpu:1/v1")


def test_azure_needs_an_address() -> None:
    with pytest.raises(ConfigError, match=r"no address for 'azure:gpt'.*openai\.azure\.com, with --base-url"):
        made("azure:gpt")
    with pytest.raises(ConfigError, match=r"--optimizer-model-base-url \(in Python optimizer_model_base_url=\)"):
        build_model(ModelConfig(model="azure:gpt"), flag="--optimizer-model")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("antropic:claude", "did you mean 'anthropic'"),
        ("ollma:x", "did you mean 'ollama'"),
        ("gemini:", "unknown model 'gemini:'"),
        ("pocket:x", "unknown model 'pocket:x'"),
        ("", "no model: give --target PROVIDER:NAME"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(model: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(model)


async def test_a_name_and_an_address_are_all_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for server_of, name in ((anthropic_server, "anthropic"), (gemini_server, "gemini"), (azure_server, "azure")):
        monkeypatch.setenv(PROVIDERS[name].key_env, KEY)
        with server_of() as server:
            model = made(f"{name}:tiny", base_url=server.base_url, prices={"input": 1.0, "output": 1.0})
            got = await model.complete(ask("hello there", system="Be brief."))
            await model.aclose()
        assert (got.text, got.outcome) == ("hello there", "ok"), got.error
        assert got.usage.cost_usd


class RecordedGates(SharedGates):
    """Gates that record which of them a model was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[SharedGate] = []

    def get(self, *key: str) -> SharedGate:
        self.given.append(super().get(*key))
        return self.given[-1]


def test_roles_that_use_one_model_with_one_key_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    gates = RecordedGates()

    def gate_of(**more: str) -> SharedGate:
        target = parse_config({"target": {"model": "anthropic:m", **more}}).target
        build_model(target, flag="--target", gates=gates)
        return gates.given[-1]

    assert gate_of() is gate_of(api_key_env="ANTHROPIC_API_KEY", base_url="https://api.anthropic.com/v1")
    assert gate_of() is not gate_of(base_url="http://localhost:1")


def test_a_proxy_goes_to_those_who_speak_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    address = find_address(ModelConfig(model="groq:m"), flag="--target")
    assert address is not None
    assert (address.base_url, address.name, address.api_key) == ("https://api.groq.com/openai/v1", "m", KEY)
    assert find_address(ModelConfig(model="pocket"), flag="--target") is None
    speaking = {name for name in (*PROVIDERS, "local", "pocket") if is_openai_compatible(f"{name}:m")}
    assert speaking.isdisjoint({"anthropic", "gemini", "azure", "litellm", "local", "pocket"})
    assert {"openai", "ollama", "openrouter"} <= speaking


async def test_serving_in_front_of_claude(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    policy = FixedPolicy(prompt=Prompt(instruction="Be brief."))
    with anthropic_server() as upstream:
        given = {"target.model": "anthropic:tiny", "target.base_url": upstream.base_url}
        service = build_service("brief", tmp_path, overrides=given, policy=policy, options=ServeOptions())
        assert (
            service.upstream == f"'anthropic:tiny' at {upstream.base_url!r}, key from the variable 'ANTHROPIC_API_KEY'"
        )
        async with TestServer(service.app) as server:
            model = OpenAIModel("brief", base_url=str(server.make_url("/v1")))
            got = await model.complete(ask("hello there"))
            await model.aclose()
    assert (got.text, got.outcome) == ("hello there\nBe brief.", "ok")
    assert upstream.bodies[0]["messages"] == [{"role": "user", "content": "hello there\nBe brief."}]


def test_the_python_on_the_page_of_providers_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    for fence in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        exec(compile(fence, "docs/providers.md", "exec"), {})
    classes, pool = capsys.readouterr().out.splitlines()
    assert classes.startswith("anthropic:LARGER-MODEL@https://api.anthropic.com/v1 gemini:")
    assert pool == "vllm:qwen3"


def test_the_page_of_providers_says_what_the_code_does() -> None:
    page = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+):[^`]*` \| (?:`(\w+)`|–) \| (?:`([^`]+)`|–)", page, re.MULTILINE)
    assert {name: (key, url) for name, key, url in rows} == {
        name: (provider.key_env, provider.base_url) for name, provider in PROVIDERS.items()
    }

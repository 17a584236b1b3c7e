"""What a user sets for a model's requests reaches its server, from flags, TOML and Python; secrets go nowhere else."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

import askwell
from askwell.api.build_models import build_model
from askwell.api.config_file import parse_config
from askwell.cli.service import ServeOptions, Service, build_service
from askwell.core.errors import ConfigError
from askwell.core.types import Prompt
from askwell.policies.fixed import FixedPolicy
from tests.support.harness import invoke
from tests.support.requests import ask
from tests.support.servers import completion, error, running
from tests.support.wire_servers import anthropic_answer, gemini_answer

SECRET = "s3cret-of-the-gateway"
ROWS = [{"input": f"Is {number} a number?", "target": "Yes"} for number in range(8)]


@dataclass
class Recorded:
    """A server that speaks three formats and keeps what it got."""

    address: str = ""
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(
        default_factory=list[tuple[str, dict[str, str], dict[str, Any]]]
    )
    echoes: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        self.requests.append((request.path, dict(request.headers), body))
        if self.echoes:
            return error(401, f"no access with {dict(request.headers)}")
        if request.path.endswith("/completions") and "prompt" in body:
            return web.json_response({"choices": [{"text": " Yes", "finish_reason": "stop"}], "usage": {}})
        if request.path.endswith("/messages"):
            return web.json_response(anthropic_answer("Yes", body))
        if request.path.endswith(":generateContent"):
            return web.json_response(gemini_answer("Yes", body))
        return web.json_response(completion("No" if "Is 3" in body["messages"][-1]["content"] else "Yes", body))

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body for _, _, body in self.requests]


@pytest.fixture
def server() -> Generator[Recorded]:
    recorded = Recorded()
    app = web.Application()
    app.router.add_post("/{path:.*}", recorded.answer)
    with running(app) as address:
        recorded.address = address
        yield recorded


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


async def sent(server: Recorded, model: str, **settings: Any) -> dict[str, Any]:
    """Return the body of a call with these settings, without the question."""
    target = {"model": model, "base_url": server.address, **settings}
    built = build_model(parse_config({"target": target}).target, flag="--target")
    got = await built.complete(ask("q"))
    await built.aclose()
    assert got.text.strip() == "Yes", got.error
    return {name: value for name, value in server.bodies[-1].items() if name not in {"messages", "contents", "model"}}


ALL = {"top_p": 0.5, "stop": ["\n\n", "Q:"], "reasoning_effort": "low", "extra_body": {"extra": {"deep": 1}}}
USUAL = {"temperature": 0.0, "max_tokens": 16}
ENCODED: dict[str, dict[str, Any]] = {
    "openai:m": {
        **USUAL, "top_p": 0.5, "stop": ["\n\n", "Q:"], "reasoning_effort": "low", "extra": {"deep": 1},
    },
    "anthropic:m": {
        **USUAL, "top_p": 0.5, "stop_sequences": ["\n\n", "Q:"], "output_config": {"effort": "low"},
        "extra": {"deep": 1},
    },
    "gemini:m": {
        "generationConfig": {
            "temperature": 0.0, "maxOutputTokens": 16, "topP": 0.5, "stopSequences": ["\n\n", "Q:"],
            "thinkingConfig": {"thinkingLevel": "low"},
        },
        "extra": {"deep": 1},
    },
    "gemini:gemini-2.5-flash": {
        "generationConfig": {
            "temperature": 0.0, "maxOutputTokens": 16, "topP": 0.5, "stopSequences": ["\n\n", "Q:"],
            "thinkingConfig": {"thinkingBudget": 1024},
        },
        "extra": {"deep": 1},
    },
}  # fmt: skip


@pytest.mark.parametrize("model", ENCODED)
async def test_settings_in_each_format(model: str, server: Recorded) -> None:
    assert await sent(server, model, **ALL) == ENCODED[model]


@pytest.mark.parametrize("model", ["openai:m", "anthropic:m", "gemini:m"])
async def test_what_is_not_set_is_not_sent(model: str, server: Recorded) -> None:
    body = await sent(server, model)
    assert set(body) <= {"temperature", "max_tokens", "generationConfig"}
    assert set(body.get("generationConfig", {})) <= {"temperature", "maxOutputTokens"}


async def test_the_extra_body_wins_and_a_single_stop_is_a_text(server: Recorded) -> None:
    body = await sent(server, "openai:m", stop="###", top_p=0.5, extra_body={"top_p": 0.9, "temperature": 0.3})
    assert body == {"temperature": 0.3, "max_tokens": 16, "top_p": 0.9, "stop": ["###"]}


async def test_headers_are_filled_from_the_environment(server: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY", SECRET)
    monkeypatch.setenv("OPENAI_API_KEY", "the-usual-key")
    headers = {"X-Team": "research", "authorization": "Bearer $GATEWAY", "X-Price": "$$5", "X-Two": "${GATEWAY}-2"}
    await sent(server, "openai:m", headers=headers)
    got = {name.lower(): value for name, value in server.requests[-1][1].items()}
    assert got["x-team"] == "research"
    assert got["authorization"] == f"Bearer {SECRET}"
    assert (got["x-price"], got["x-two"]) == ("$5", f"{SECRET}-2")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"X-Key": "$NOT_SET_ANYWHERE"}, "'X-Key' needs the environment variable 'NOT_SET_ANYWHERE'"),
        ({"X-Key": f"{SECRET} $"}, "'X-Key' has a '\\$' that begins no name"),
        ({"X-Key": f"{SECRET}\nHost: evil"}, "'X-Key' has characters"),
        ({"X-Key": f"{SECRET}密"}, "'X-Key' has characters"),
        ({"X Key": SECRET}, "'X Key' cannot be set as a header"),
        ({"Content-Length": "5"}, "'Content-Length' cannot be set"),
        ({"X-Key": "***"}, "not in the log; give it again with --header"),
        ({"X-Key": 5}, "target.headers is not a table of texts"),
        (f"X-Key: {SECRET}", "target.headers is not a table of texts"),
    ],
)
def test_a_bad_header_is_told_without_its_value(headers: Any, words: str) -> None:
    target = {"model": "openai:m", "base_url": "http://a/v1", "headers": headers}
    with pytest.raises(ConfigError, match=words) as caught:
        build_model(parse_config({"target": target}).target, flag="--target")
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__cause__)


@pytest.mark.parametrize("model", ["pocket", "editor", "local:x"])
@pytest.mark.parametrize("setting", [{"stop": ["x"]}, {"extra_body": {"a": 1}}, {"headers": {"a": "b"}},
                                     {"top_p": 0.5}, {"reasoning_effort": "low"}, {"completions": True}])  # fmt: skip
def test_a_model_of_this_process_has_no_settings_of_requests(model: str, setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"\['{next(iter(setting))}'\] are settings of a server's model"):
        build_model(parse_config({"target": {"model": model, **setting}}).target, flag="--target")


def test_a_wrong_top_p_is_refused() -> None:
    for value in (0, -1, 1.5):
        with pytest.raises(ConfigError, match="top_p is"):
            parse_config({"target": {"model": "openai:m", "top_p": value}})


def evaluate(server: Recorded, data: Path, *more: str, env: dict[str, str | None] | None = None) -> Any:
    base = ["--data", str(data), "--metric", "exact", "--target", "openai:m", "--base-url", f"{server.address}/v1"]
    return invoke("evaluate", *base, "--prompt", "Say it.", *more, env=env)


FLAGS = ["--extra-body", '{"enable_thinking": false}', "--header", "X-Team: research", "--header", "X-Key=$GATEWAY",
         "--top-p", "0.5", "--stop", "Q:", "--stop", "\n", "--reasoning-effort", "low"]  # fmt: skip
GIVEN = {"enable_thinking": False, "top_p": 0.5, "stop": ["Q:", "\n"], "reasoning_effort": "low"}


def test_flags_reach_the_server(server: Recorded, data: Path) -> None:
    ended = evaluate(server, data, *FLAGS, env={"GATEWAY": SECRET})
    assert ended.status == 0, ended.err
    assert all(body | GIVEN == body for body in server.bodies)
    assert {headers["X-Key"] for _, headers, _ in server.requests} == {SECRET}
    assert {headers["X-Team"] for _, headers, _ in server.requests} == {"research"}


def test_a_config_file_reaches_both_models(server: Recorded, data: Path, tmp_path: Path) -> None:
    table = (
        f'base_url = "{server.address}/v1"\n'
        'extra_body = {enable_thinking = false}\nheaders = {X-Key = "$GATEWAY"}\n'
        'top_p = 0.5\nstop = ["Q:", "\\n"]\nreasoning_effort = "low"\n'
    )
    config = tmp_path / "c.toml"
    config.write_text(f'[target]\nmodel = "openai:m"\n{table}\n[optimizer_model]\nmodel = "openai:o"\n{table}', "utf-8")
    flags = ["--data", str(data), "--metric", "exact", "--steps", "1", "--candidates", "2", "--runs", str(tmp_path)]
    ended = invoke("optimize", str(config), *flags, "--run", "r", env={"GATEWAY": SECRET})
    assert ended.status == 0, ended.err
    assert {body["model"] for body in server.bodies} == {"m", "o"}
    assert all(body | GIVEN == body for body in server.bodies)
    assert {headers["X-Key"] for _, headers, _ in server.requests} == {SECRET}
    stored = b"".join(path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file())
    assert SECRET.encode() not in stored
    assert b"GATEWAY" not in stored


def test_the_optimizer_model_has_flags_of_its_own(server: Recorded, data: Path, tmp_path: Path) -> None:
    own = [flag.replace("--", "--optimizer-model-", 1) if flag.startswith("--") else flag for flag in FLAGS]
    base = ["--data", str(data), "--metric", "exact", "--target", "openai:m", "--base-url", f"{server.address}/v1"]
    optimizer = ["--optimizer-model", "openai:o", "--optimizer-model-base-url", f"{server.address}/v1"]
    run = ["--steps", "1", "--candidates", "2", "--runs", str(tmp_path), "--run", "r"]
    ended = invoke("optimize", *base, *optimizer, *own, *run, env={"GATEWAY": SECRET})
    assert ended.status == 0, ended.err
    for body in server.bodies:
        assert (body | GIVEN == body) == (body["model"] == "o")


def test_python_reaches_the_server(server: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY", SECRET)
    target = {"model": "openai:m", "base_url": f"{server.address}/v1", "headers": {"X-Key": "$GATEWAY"},
              "extra_body": {"enable_thinking": False}, "top_p": 0.5, "stop": ["Q:", "\n"],
              "reasoning_effort": "low"}  # fmt: skip
    askwell.evaluate("Say it.", data=ROWS, target=target, metric="exact")
    assert all(body | GIVEN == body for body in server.bodies)
    assert {headers["X-Key"] for _, headers, _ in server.requests} == {SECRET}


@pytest.mark.parametrize("name", ["X-Gateway-Key", "Authorization", "X-Trace"])
def test_a_header_that_the_server_repeats_is_not_shown(
    name: str, server: Recorded, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.echoes = True
    ended = evaluate(server, data, "--header", f"{name}: Bearer {SECRET}", "--log-level", "debug")
    assert ended.status == 2
    assert "no access with" in ended.err
    assert SECRET not in ended.err + ended.out + caplog.text


def test_a_bad_flag_is_told_without_its_value(server: Recorded, data: Path) -> None:
    for flag in (["--header", f"{SECRET} and more"], ["--header", f"X Key: {SECRET}"]):
        ended = evaluate(server, data, *flag)
        assert ended.status == 2
        assert SECRET not in ended.err
    for text in ("{", "[1]", "3"):
        ended = evaluate(server, data, "--extra-body", text)
        assert ended.status == 2
        assert "not a JSON object" in ended.err


def test_the_extra_body_belongs_to_a_run_and_headers_do_not(server: Recorded, data: Path, tmp_path: Path) -> None:
    run = ["--run", "r", "--runs", str(tmp_path)]
    assert evaluate(server, data, *run, "--extra-body", '{"a": 1}', "--header", "X-A: 1").status == 0
    calls = len(server.requests)
    assert evaluate(server, data, *run, "--extra-body", '{"a": 1}', "--header", "X-A: 2").status == 0
    assert len(server.requests) == calls
    changed = evaluate(server, data, *run, "--extra-body", '{"a": 2}')
    assert changed.status == 2
    assert "target.extra_body.a: 1 then, 2 now" in changed.err
    assert "extra_body.a: 1 then, None now" in evaluate(server, data, *run).err
    assert "target.stop: None then" in evaluate(server, data, *run, "--extra-body", '{"a": 1}', "--stop", "x").err


def test_a_resumed_run_needs_its_headers_again(server: Recorded, data: Path, tmp_path: Path) -> None:
    base = ["--data", str(data), "--metric", "exact", "--target", "openai:m", "--base-url", f"{server.address}/v1"]
    run = ["--steps", "1", "--candidates", "2", "--runs", str(tmp_path), "--run", "r", "--header", f"X-Key: {SECRET}"]
    assert invoke("optimize", *base, *run).status == 0
    lost = invoke("optimize", "--resume", "r", "--runs", tmp_path)
    assert lost.status == 2
    assert "the value of the header 'X-Key' is not in the log" in lost.err
    assert invoke("optimize", "--resume", "r", "--runs", tmp_path, "--header", f"X-Key: {SECRET}").status == 0


@pytest.mark.parametrize("model", ["openai:m", "vllm:m", "llama.cpp:m", "together:m"])
async def test_a_base_model_gets_one_text(model: str, server: Recorded) -> None:
    body = await sent(server, model, completions=True, stop=["Q:"], base_url=f"{server.address}/v1")
    assert server.requests[-1][0] == "/v1/completions"
    assert body == {**USUAL, "prompt": "q", "stop": ["Q:"]}


@pytest.mark.parametrize("model", ["anthropic:m", "gemini:m", "azure:m", "litellm:x/m"])
def test_completions_need_openais_format(model: str) -> None:
    with pytest.raises(ConfigError, match="has no completions route"):
        build_model(parse_config({"target": {"model": model, "base_url": "http://a", "completions": True}}).target,
                    flag="--target")  # fmt: skip


def test_completions_by_flag(server: Recorded, data: Path, tmp_path: Path) -> None:
    run = ["--run", "r", "--runs", str(tmp_path)]
    ended = evaluate(server, data, "--completions", *run)
    assert ended.status == 0, ended.err
    assert {path for path, _, _ in server.requests} == {"/v1/completions"}
    assert "target.completions: True then, None now" in evaluate(server, data, *run).err


async def asked_by_a_client(service: Service, **body: Any) -> dict[str, Any]:
    async with TestServer(service.app) as served, ClientSession() as session:
        message = {"model": "r", "messages": [{"role": "user", "content": "Is 4 a number?"}], **body}
        async with session.post(served.make_url("/v1/chat/completions"), json=message) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


def serving(server: Recorded, folder: Path, **settings: Any) -> Service:
    target = {"target.model": "openai:m", "target.base_url": f"{server.address}/v1"}
    given = {**target, **{f"target.{name}": value for name, value in settings.items()}}
    policy = FixedPolicy(prompt=Prompt(instruction="Say it."))
    return build_service("r", folder, overrides=given, options=ServeOptions(), policy=policy)


async def test_a_served_run_sends_its_settings(
    server: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY", SECRET)
    settings = {**ALL, "headers": {"X-Key": "$GATEWAY"}}
    await asked_by_a_client(serving(server, tmp_path, **settings))
    path, headers, body = server.requests[-1]
    assert (path, headers["X-Key"]) == ("/v1/chat/completions", SECRET)
    assert (body["top_p"], body["stop"], body["reasoning_effort"], body["extra"]) == (
        0.5, ["\n\n", "Q:"], "low", {"deep": 1},
    )  # fmt: skip
    await asked_by_a_client(serving(server, tmp_path, **settings), stop=["own"])
    assert server.bodies[-1]["stop"] == ["own"]


async def test_a_served_base_model_gets_one_text(server: Recorded, tmp_path: Path) -> None:
    got = await asked_by_a_client(serving(server, tmp_path, completions=True, stop="Q:"))
    assert got["choices"][0]["message"]["content"] == " Yes"
    path, _, body = server.requests[-1]
    assert (path, body["stop"]) == ("/v1/completions", ["Q:"])
    assert body["prompt"] == "Is 4 a number?\nSay it."

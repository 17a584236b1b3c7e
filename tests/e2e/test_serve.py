"""`askwell serve` as a process: what it says, whom it lets in, and what of the run reaches the upstream."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.harness import clean_environment, ended, invoke, start
from tests.support.servers import ChatServer, chat_server, error

KEY = "sk-SECRETKEY123456"
ROWS = [{"input": f"Is {number} even?", "target": "Yes" if number % 2 == 0 else "No"} for number in range(24)]
LONG_PROMPT = "请仔细阅读问题并回答是或否。" * 80


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def optimize(
    server: ChatServer, data: Path, *more: str, prompt: str = "Answer with Yes or No.", name: str = "r1"
) -> None:
    """Make a run in `runs` beside the data."""
    flags = ["--data", str(data), "--metric", "exact", "--target", "openai:tiny", "--base-url", server.base_url]
    flags += ["--prompt", prompt, "--steps", "0", "--run", name, "--runs", str(data.parent / "runs"), *more]
    run = invoke("optimize", *flags)
    assert run.status == 0, run.err
    server.bodies.clear()


class Serving:
    """A running `askwell serve` and the lines it printed before the first request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.lines = [process.stdout.readline().rstrip("\n") for _ in range(3)]
        self.url = self.lines[0].partition(" at ")[2].partition(" ")[0]

    def ask(self, body: dict[str, Any] | None = None, **headers: str) -> tuple[int, Any, Any]:
        given = {"messages": [{"role": "user", "content": "Is 7 even?"}], **(body or {})}
        request = urllib.request.Request(
            f"{self.url}/chat/completions",
            data=json.dumps(given).encode(),
            headers={
                "Content-Type": "application/json",
                **{name.replace("_", "-"): one for name, one in headers.items()},
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read()), answer.headers
        except urllib.error.HTTPError as problem:
            return problem.code, json.loads(problem.read()), problem.headers


@contextmanager
def serving(data: Path, *arguments: str, env: dict[str, str] | None = None) -> Generator[Serving]:
    process = start("serve", *arguments, "--port", "0", cwd=data.parent, env=clean_environment(**(env or {})))
    try:
        yield Serving(process)
        process.send_signal(signal.SIGTERM)
        end = ended(process, timeout_s=30)
        assert (end.status, end.err) == (0, "")
    finally:
        process.kill()


def test_it_says_where_the_questions_and_the_key_go_before_the_first_request(data: Path) -> None:
    with chat_server() as server:
        optimize(server, data)
        with serving(data, "r1", env={"OPENAI_API_KEY": KEY}) as served:
            assert served.lines[0] == f"serving 'r1' at {served.url} (Ctrl-C stops)"
            assert served.lines[1] == (
                f"upstream: 'openai:tiny' at {server.base_url!r}, key from the variable 'OPENAI_API_KEY'"
            )
            assert served.lines[2] == "clients on this machine need no key"
            assert server.bodies == []
            assert served.ask()[0] == 200
            assert served.ask(Origin="http://evil.example")[0] == 403
            assert served.ask(Host="evil.example")[0] == 403
            assert served.ask(Content_Type="text/plain")[0] == 415
        assert server.by_key[f"Bearer {KEY}"] == 1


def test_clients_of_other_machines_need_a_key(data: Path) -> None:
    with chat_server() as server:
        optimize(server, data)
        refused = invoke("serve", "r1", "--host", "0.0.0.0", "--runs", data.parent / "runs")
        assert (refused.status, refused.out) == (2, "")
        assert "--serve-key-env" in refused.err
        flags = ("r1", "--host", "0.0.0.0", "--serve-key-env", "MY_KEY")
        assert "'MY_KEY': this environment variable is not set" in invoke("serve", *flags).err
        with serving(data, *flags, env={"MY_KEY": "client-key"}) as served:
            assert served.lines[2] == "clients need the key in the variable 'MY_KEY'"
            assert "client-key" not in str(served.lines)
            served.url = served.url.replace("0.0.0.0", "127.0.0.1")
            assert served.ask()[0] == 401
            assert served.ask(Authorization="Bearer client-key")[0] == 200


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--port", "99999"), "--port 99999 is no port; expected 0 (a free one) to 65535"),
        (("--port", "-1"), "--port -1 is no port"),
        (("--host", "192.0.2.7"), "--serve-key-env"),
        (("--target", "openai:"), "unknown model 'openai:' for --target"),
        (("--target", "nobody:x"), "unknown model 'nobody:x' for --target"),
        (("--cors", "evil"), "--cors 'evil' is no origin"),
        (("--cap", "n"), "'n' is not NAME=MAX"),
        (("--cap", "n=many"), "'n=many' is not NAME=MAX"),
        (("--base-url", "http://127.0.0.1:1/v1", "--base-url", "http://127.0.0.1:2/v1"), "base_url has 2 values"),
    ],
)
def test_a_wrong_flag_is_told_in_one_line(data: Path, flags: tuple[str, ...], words: str) -> None:
    with chat_server() as server:
        optimize(server, data)
        run = invoke("serve", "r1", "--runs", data.parent / "runs", *flags)
    assert run.status == 2
    assert words in run.err
    assert "serving" not in run.out


def test_a_taken_port_is_told_before_anything_is_said_to_be_served(data: Path) -> None:
    with chat_server() as server, socket.create_server(("127.0.0.1", 0)) as taken:
        optimize(server, data)
        port = taken.getsockname()[1]
        run = invoke("serve", "r1", "--runs", data.parent / "runs", "--port", str(port))
    assert (run.status, run.out) == (2, "")
    assert run.err == f"askwell: port {port} is taken; give another one with --port (0 takes a free one)\n"


@pytest.mark.parametrize(
    ("flags", "sent"),
    [
        ((), {"temperature": 0.3, "max_tokens": 33}),
        (("--client-sampling",), {}),
        (("--target", "openai:other"), {"temperature": 0.3, "max_tokens": 33}),
        (("--cap", "max_tokens=9"), {"temperature": 0.3, "max_tokens": 9}),
    ],
)
def test_the_run_is_served_as_it_was_measured(data: Path, flags: tuple[str, ...], sent: dict[str, object]) -> None:
    with chat_server() as server:
        optimize(server, data, "--temperature", "0.3", "--max-tokens", "33", "--placement", "system")
        more = ("--base-url", server.base_url) if "--target" in flags else ()
        with serving(data, "r1", *flags, *more) as served:
            assert served.ask({"top_k": None, "user": "u"})[0] == 200
        [body] = server.bodies
    assert body.pop("model") == ("other" if "--target" in flags else "tiny")
    system, question = body.pop("messages")
    assert (system["role"], system["content"]) == ("system", "Answer with Yes or No.")
    assert question == {"role": "user", "content": "Is 7 even?"}
    assert body == {"top_k": None, "user": "u", **sent}


def reasoning(body: dict[str, Any]) -> web.Response | None:
    """A server like those of reasoning models: other names, no temperature, no system role."""
    if any(message["role"] == "system" for message in body["messages"]):
        return error(400, "system role not supported", "bad")
    if "max_tokens" in body:
        return error(400, "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens' instead", "bad")
    if "temperature" in body:
        return error(400, "Unsupported value: 'temperature' does not support 0 with this model.", "bad")
    return None


def test_what_the_run_learnt_of_the_server_is_not_asked_again(data: Path) -> None:
    with chat_server(transform=reasoning) as server:
        optimize(server, data, "--placement", "system")
        with serving(data, "r1") as served:
            assert served.ask()[0] == 200
        [body] = server.bodies
    assert body == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Answer with Yes or No.\n\nIs 7 even?"}],
        "max_completion_tokens": 512,
    }


def test_a_long_prompt_of_chinese_is_served(data: Path) -> None:
    with chat_server() as server:
        optimize(server, data, prompt=LONG_PROMPT)
        with serving(data, "r1", "--show-prompt") as served:
            status, _, headers = served.ask()
    assert status == 200
    assert len(str(headers)) < 2000
    assert server.bodies[0]["messages"][0]["content"].endswith(LONG_PROMPT)


def test_the_upstreams_echo_of_the_key_is_masked(data: Path) -> None:
    with chat_server() as server:
        optimize(server, data)
        server.api_key = "another"  # the server answers 401 and repeats the key it was given
        with serving(data, "r1", env={"OPENAI_API_KEY": KEY}) as served:
            status, body, _ = served.ask()
    assert (status, body["error"]["message"]) == (401, "Incorrect API key provided: Bearer ***")

"""A real inference server, `transformers serve`, on a tiny checkpoint made on the spot; and the client users have."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from askwell.runlog.fold import read_rollouts
from tests.support.harness import CONFIG, SUMS, events, invoke, kinds
from tests.support.logs import stored
from tests.support.servers import ChatServer

START_S = 240.0


def installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in names)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not installed("torch", "transformers", "fastapi", "uvicorn"):
        pytest.skip("needs transformers serve: pip install 'transformers[serving]' torch")
    from tests.support.checkpoints import make_checkpoint

    return make_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny", context=512)


@pytest.fixture(scope="module")
def served(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of `transformers serve`, with no way to the network."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    command = Path(sys.executable).with_name("transformers")
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with log.open("w") as output:
        process = subprocess.Popen(
            [command, "serve", checkpoint, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
            env=env, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"transformers serve ended: {log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"transformers serve did not answer within {START_S:g} s: {log.read_text()[-2000:]}")


@pytest.mark.slow
def test_evaluating_on_transformers_serve(served: str, checkpoint: Path, tmp_path: Path) -> None:
    flags = ["evaluate", "--data", SUMS, "--limit", "4", "--metric", "number", "--target", f"openai:{checkpoint}"]
    flags += ["--base-url", served, "--max-tokens", "8", "--concurrency", "2", "--run", "r", "--runs", tmp_path]
    run = invoke(*flags, "--prompt", "Add up.", "--prompt", "Count.", "--json")
    assert run.status == 0, run.err
    assert [one["score"]["n"] for one in run.json["prompts"]] == [4, 4]
    log = events(tmp_path / "r" / "log.db")
    completions = [rollout.completion for rollout in read_rollouts(stored(log))]
    assert len(completions) == 8
    for completion in completions:
        assert completion.usage.prompt_tokens > 20
        assert 1 <= completion.usage.completion_tokens <= 8
        assert completion.outcome in ("ok", "truncated")


@pytest.mark.slow
def test_optimizing_on_transformers_serve(served: str, checkpoint: Path, tmp_path: Path) -> None:
    flags = [CONFIG, "--data", SUMS, "--metric", "number", "--target", f"openai:{checkpoint}", "--base-url", served]
    flags += [
        "--optimizer-model",
        "editor",
        "--train",
        "4",
        "--dev",
        "3",
        "--test",
        "3",
        "--steps",
        "1",
        "--candidates",
        "2",
        "--force",  # random weights: every reply is cut
    ]
    run = invoke("optimize", *flags, "--max-tokens", "8", "--concurrency", "2", "--run", "r", "--runs", tmp_path)
    assert run.status == 0, run.err
    assert "held-out test" in run.out
    assert kinds(events(tmp_path / "r" / "log.db"))["result"] == 1


def test_the_openai_client_and_askwell_read_the_same_reply(server: ChatServer, tmp_path: Path) -> None:
    openai = pytest.importorskip("openai", reason="the official client is not installed")
    question = json.loads(SUMS.read_text())["examples"][0]["input"]
    data = tmp_path / "one.jsonl"
    data.write_text(json.dumps({"input": question, "target": "1"}) + "\n")
    flags = ["--target", "openai:tiny", "--base-url", server.base_url, "--run", "r", "--runs", tmp_path]
    assert invoke("evaluate", "--data", data, "--prompt", "Add up.", *flags).status == 0
    [ours] = [one.completion for one in read_rollouts(stored(events(tmp_path / "r" / "log.db")))]
    with openai.OpenAI(base_url=server.base_url, api_key="none") as client:
        theirs = client.chat.completions.create(
            model="tiny", messages=server.bodies[0]["messages"], temperature=0, max_tokens=512
        )
    assert ours.text == theirs.choices[0].message.content
    assert ours.usage.prompt_tokens == theirs.usage.prompt_tokens
    assert ours.usage.completion_tokens == theirs.usage.completion_tokens

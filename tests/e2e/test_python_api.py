"""`askwell.optimize` from Python: in a running loop, and the prompt exactly as it is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import askwell
from askwell.core.errors import StoreError
from askwell.models.providers.openai import OpenAIModel
from tests.support.harness import START, SUMS
from tests.support.servers import ChatServer


def optimize(server: ChatServer, run: Path, *, prompt: str = START) -> askwell.Result:
    return askwell.optimize(
        prompt=prompt,
        data=SUMS,
        target=OpenAIModel("tiny", base_url=server.base_url),
        optimizer_model="editor",
        metric="number",
        optimizer="gpo",
        settings={"candidates": 3, "embedder": "lexical"},
        loop=askwell.LoopSettings(steps=2, seed=1),
        run=run,
    )


async def test_it_works_inside_a_running_loop(server: ChatServer, tmp_path: Path) -> None:
    """As in a notebook, where a loop is always running."""
    result = optimize(server, tmp_path / "r")
    assert 0.0 <= result.interval.low <= result.score <= result.interval.high <= 1.0
    assert result.run == tmp_path / "r"


def test_the_prompt_is_what_the_server_received(server: ChatServer, tmp_path: Path) -> None:
    result = optimize(server, tmp_path / "r")
    assert result.prompt != result.initial_prompt == START
    tested = server.bodies[-1]["messages"][-1]["content"]
    assert tested.endswith(f"\n{result.prompt}")
    sent = {body["messages"][-1]["content"] for body in server.bodies}
    assert sum(text.removesuffix(f"\n{result.prompt}") != text for text in sent) >= result.interval.n

    assert result.save(tmp_path / "prompt.txt").read_bytes() == result.prompt.encode()
    saved = json.loads(result.save(tmp_path / "prompt.json").read_text())
    assert saved["prompt"] == result.prompt
    assert saved["best"]["test"]["estimate"] == result.score
    difference = result.diff()
    assert difference.replace("[-", "{+").count("{+") >= 1
    kept = [word for word in difference.split() if word in START.split()]
    assert kept or "[-" in difference


def test_the_same_call_goes_on_with_its_run_and_pays_nothing_again(server: ChatServer, tmp_path: Path) -> None:
    first = optimize(server, tmp_path / "r")
    paid = server.total_requests
    assert optimize(server, tmp_path / "r") == first
    assert server.total_requests == paid
    with pytest.raises(StoreError, match="begun with other settings"):
        optimize(server, tmp_path / "r", prompt="Another beginning.")


def test_functions_will_do_for_everything(tmp_path: Path) -> None:
    def target(text: str) -> str:
        return "4" if "sum" in text else "5"

    def rewrite(_text: str) -> str:
        return "<START>Say the sum.<END>"

    def exact(reply: str, target: str) -> float:
        return float(reply == target)

    result = askwell.optimize(
        prompt="Answer.",
        data=[{"input": f"{i} + {4 - i}", "target": "4"} for i in range(30)],
        target=target,
        optimizer_model=rewrite,
        metric=exact,
        settings={"candidates": 1, "embedder": "lexical"},
        run=tmp_path / "r",
    )
    assert (result.prompt, result.score) == ("Say the sum.", 1.0)
    assert result.gain is not None
    assert result.gain.estimate == 1.0
    assert result.diff() == "[-Answer.-] {+Say the sum.+}"

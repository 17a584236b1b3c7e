"""From a run's log to a served policy on the bundled model, command by command, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner

from askwell.cli.main import main
from askwell.cli.service import ServeOptions, build_service

CONFIG = """
prompt = "Do the task."
task = {data = "pocket:numbers_max+words_first+review_sentiment"}
split = {train = 30, dev = 24, test = 24}
target = {model = "pocket"}
optimizer_model = {model = "editor"}
optimizer = {name = "gpo", candidates = 3}
run = {steps = 1}
[policy]
base = "pocket"
loops = 1
epochs = 1
samples = 0
force = true
fallback = false
"""


@pytest.mark.slow
async def test_experiences_headroom_compare_train_prompt_and_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    Path("q.toml").write_text(CONFIG, encoding="utf-8")
    call("optimize", "q.toml", "--run", "mixed")
    held = call("experiences", "mixed")
    assert (held["queries"], held["targets"][0].partition("#")[0]) == (24, "pocket")
    assert held["failures"] > 0
    assert "verdict" in call("headroom", "mixed")
    found = call("train", "mixed", "--run", "policy")
    assert found["finished"]
    assert found["test"]["gain"]["n"] == 24
    table = call("compare", "policy", "--scorer", "knn")
    assert table["queries"] == 24
    assert table["trainings"][0]["test"] == found["test"]
    queries = ["3, 8, 1", "plum, cat"]
    sent = [row["prompt"] for row in call("policy", "prompt", "policy", *queries)]
    assert len(sent) == 2
    app = build_service("policy", Path("runs"), overrides={}, options=ServeOptions()).app
    async with TestClient(TestServer(app)) as client:
        body = {"model": "policy", "messages": [{"role": "user", "content": queries[0]}]}
        answer = await client.post("/v1/chat/completions", json=body)
        assert answer.status == 200
        assert (await answer.json())["choices"][0]["message"]["content"]


def call(*arguments: str) -> Any:
    shown = CliRunner().invoke(main, [*arguments, "--json"])
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.stdout)

"""A run begun from Python goes on from the command line, and the other way round: one config, one identity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import askwell
from askwell.engine.loop import Progress
from askwell.report.live.progress import LiveProgress
from tests.support.harness import START, SUMS, events, invoke
from tests.support.prompt_writers import TableTrainer, read_table
from tests.support.servers import ChatServer, Fault

KEY = "a-key-of-the-test-server"
ENV = {"OPENAI_API_KEY": KEY}


class Stopped(Exception):
    """Stands for the death of a process."""


def stop_after_a_step(progress: Progress) -> None:
    if progress.step == 1 and progress.stage == "step done":
        raise Stopped


def by_python(server: ChatServer, run: Path, **more: Any) -> askwell.Result:
    given: dict[str, Any] = {
        "prompt": START,
        "data": SUMS,
        "target": {"model": "openai:tiny", "base_url": server.base_url},
        "optimizer_model": "editor",
        "optimizer": "gpo",
        "settings": {"candidates": 3, "embedder": "lexical"},
        "metric": "number",
        "loop": askwell.LoopSettings(steps=3, seed=1),
        "run": run,
    }
    return askwell.optimize(**{**given, **more})


def flags(server: ChatServer, config: Path) -> list[str]:
    """The same run as `by_python`, as flags and a file."""
    config.write_text('[optimizer]\nembedder = "lexical"\n', encoding="utf-8")
    flags = [str(config), "--prompt", START, "--data", str(SUMS), "--metric", "number", "--target", "openai:tiny"]
    flags += ["--base-url", server.base_url, "--optimizer-model", "editor", "--optimizer", "gpo"]
    return [*flags, "--candidates", "3", "--steps", "3", "--seed", "1"]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]  pytest uses it
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def settled(run: Path) -> list[object]:
    """What a run's log says but for times."""
    return [(event.position, event.kind, event.body) for event in events(run / "log.db") if event.kind != "rollout"]


def test_a_run_begun_from_python_goes_on_by_the_command_line(server: ChatServer, tmp_path: Path) -> None:
    whole = by_python(server, tmp_path / "whole")
    server.answered.clear()
    with pytest.raises(Stopped):
        by_python(server, tmp_path / "r", watch=stop_after_a_step)

    resumed = invoke("optimize", "--resume", "r", "--runs", tmp_path, "--json", env=ENV)
    assert resumed.status == 0, resumed.err
    assert resumed.json["prompt"] == whole.prompt
    assert settled(tmp_path / "r") == settled(tmp_path / "whole")
    assert set(server.answered.values()) == {1}, "no call is paid twice"

    again = by_python(server, tmp_path / "r")
    assert (again.prompt, again.interval, again.report.curve) == (whole.prompt, whole.interval, whole.report.curve)


def test_a_run_begun_by_the_command_line_goes_on_from_python(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = by_python(server, tmp_path / "whole")
    server.answered.clear()
    begin = [*flags(server, tmp_path / "c.toml"), "--run", "r", "--runs", str(tmp_path)]
    with monkeypatch.context() as dying:
        dying.setattr(LiveProgress, "__call__", staticmethod(stop_after_a_step))
        with pytest.raises(Stopped):
            invoke("optimize", *begin, env=ENV)

    resumed = by_python(server, tmp_path / "r")
    assert (resumed.prompt, resumed.interval) == (whole.prompt, whole.interval)
    assert settled(tmp_path / "r") == settled(tmp_path / "whole")
    assert set(server.answered.values()) == {1}, "no call is paid twice"


def test_a_run_begun_from_python_is_planned_by_its_name(server: ChatServer, tmp_path: Path) -> None:
    by_python(server, tmp_path / "r")
    planned = invoke("plan", "--resume", "r", "--runs", tmp_path, "--json", env=ENV)
    assert planned.status == 0, planned.err
    by_flags = invoke("plan", *flags(server, tmp_path / "c.toml"), "--json", env=ENV)
    assert planned.json == by_flags.json
    assert planned.json["steps"] == 3
    assert [one["model"] for one in planned.json["models"]] == ["openai:tiny", "editor"]


def test_a_run_begun_from_python_is_retried_by_its_name(server: ChatServer, tmp_path: Path) -> None:
    def one_question(body: str, _repeat: int) -> Fault | None:
        return "500" if "question 7 of dev" in body else None

    server.faults = one_question
    target = {"model": "openai:tiny", "base_url": server.base_url, "max_attempts": 1}
    missing = by_python(server, tmp_path / "r", target=target, data=split_files(tmp_path), force=True).report.missing
    assert missing

    server.faults = lambda _body, _repeat: None
    retried = invoke("retry", "r", "--runs", tmp_path, "--json", env=ENV)
    assert retried.status == 0, retried.err
    assert (retried.json["missing"], retried.json["filled"]) == (0, missing)


def split_files(folder: Path, size: int = 60) -> dict[str, Path]:
    files = {name: folder / f"{name}.jsonl" for name in ("train", "dev", "test")}
    for name, path in files.items():
        rows = ({"input": f"{number} is question {number} of {name}", "target": str(number)} for number in range(size))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return files


def always(_: str) -> str:
    return "1"


@pytest.mark.parametrize("verb", ["optimize", "plan"])
def test_parts_without_a_name_are_told_and_who_can_give_them(verb: str, tmp_path: Path) -> None:
    def answer(text: str) -> str:
        return "4" if "sum" in text else "5"

    askwell.optimize(
        data=[{"input": f"{i} + {4 - i}", "target": "4"} for i in range(30)],
        target=answer,
        settings={"embedder": "lexical"},
        loop=askwell.LoopSettings(steps=1),
        run=tmp_path / "r",
    )
    refused = invoke(verb, "--resume", "r", "--runs", tmp_path)
    assert refused.status == 2
    said = " ".join(refused.err.split())
    assert "data (a list)" in said
    assert "answer" in said
    assert "optimizer model" not in said
    assert f"askwell.optimize again with the same arguments and run='{tmp_path / 'r'}'" in said


def test_other_arguments_are_refused_by_their_key(server: ChatServer, tmp_path: Path) -> None:
    by_python(server, tmp_path / "r")
    with pytest.raises(askwell.StoreError, match=r"optimizer\.candidates: 3 then, 4 now"):
        by_python(server, tmp_path / "r", settings={"candidates": 4, "embedder": "lexical"})
    moved = tmp_path / "elsewhere.json"
    moved.write_bytes(SUMS.read_bytes())
    with pytest.raises(askwell.StoreError, match="name: 'sums' then, 'elsewhere' now"):
        by_python(server, tmp_path / "r", data=moved)


def test_the_same_data_elsewhere_is_the_same_run(server: ChatServer, tmp_path: Path) -> None:
    by_python(server, tmp_path / "r")
    paid, moved = server.total_requests, tmp_path / "moved" / SUMS.name
    moved.parent.mkdir()
    moved.write_bytes(SUMS.read_bytes())
    by_python(server, tmp_path / "r", data=str(moved))
    assert server.total_requests == paid


def test_a_training_begun_from_python_with_an_object_is_told(tmp_path: Path) -> None:
    log, data = tmp_path / "log.jsonl", split_files(tmp_path)
    rows = [
        {"query": f"{number} is question {number} of dev", "prompt": prompt, "score": number % 2}
        for number in range(60)
        for prompt in ("Think.", "Guess.")
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    askwell.train(
        str(log), data=data, target=always, metric="number", policy={"loops": 1}, run=tmp_path / "t",
        trainer=TableTrainer(), read_writer=read_table,
    )  # fmt: skip
    refused = invoke("train", "--resume", "t", "--runs", tmp_path)
    assert refused.status == 2
    said = " ".join(refused.err.split())
    assert "trainer (a TableTrainer)" in said
    assert "askwell.train again" in said
    assert "data (" not in said
    wrong = invoke("optimize", "--resume", "t", "--runs", tmp_path)
    assert "askwell train --resume t" in wrong.err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"preset": "gpo"}, "preset= is called optimizer= now"),
        ({"optimizer": "openai:gpt-4.1"}, "give it as optimizer_model"),
        ({"optimizer": lambda text: text}, "as optimizer_model="),  # type: ignore[dict-item]
        ({"settings": {"temperature": 0.5}}, "optimizer_model.temperature"),
        ({"settings": {"candidats": 4}}, "did you mean 'candidates'"),
        ({"target": {"model": "openai:tiny", "draws": 3}}, r"'target.draws' is called 'target.repeats' now"),
        ({"target": {"model": "openai:tiny", "base": "x"}}, r"unknown key 'target.base'"),
    ],
)
def test_old_and_wrong_arguments_are_refused_with_the_right_one(
    given: dict[str, Any], words: str, server: ChatServer, tmp_path: Path
) -> None:
    with pytest.raises(askwell.ConfigError, match=words):
        by_python(server, tmp_path / "r", **given)
    assert server.total_requests == 0

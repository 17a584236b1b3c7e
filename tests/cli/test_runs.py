"""`askwell runs`: no name is cut, starts without a call are not listed, and every kind of run says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import askwell
from askwell.runlog.folders import find_run
from tests.support.command_line import call, flat

ROWS = [{"input": f"{n} + 1", "target": str(n + 1)} for n in range(60)]
NAMES = ("numbers-max-with-a-long-name-1", "numbers-max-with-a-long-name-2")


def add(prompt: str) -> str:
    return str(int(prompt.split(maxsplit=1)[0]) + 1) if "Add" in prompt else "?"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name, prompt in zip(NAMES, ("Add.", "Say."), strict=True):
        askwell.optimize(
            data=ROWS, target=add, metric="number", prompt=prompt, loop=askwell.LoopSettings(steps=0),
            run=tmp_path / name,
        )  # fmt: skip
    askwell.evaluate(["Add.", "Say."], data=ROWS, target=add, metric="number", run=tmp_path / "scored")
    return tmp_path


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_name_is_cut(runs: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = call("runs", "--runs", runs).output.splitlines()
    for name in (*NAMES, "scored"):
        assert any(name in line for line in lines), lines
    assert max(map(len, lines)) <= width


def test_an_evaluation_is_listed_as_one(runs: Path) -> None:
    listed = {row["run"]: row for row in json.loads(call("runs", "--runs", runs, "--json").output)}
    assert {name: row["kind"] for name, row in listed.items()} == {
        NAMES[0]: "optimization", NAMES[1]: "optimization", "scored": "evaluation",
    }  # fmt: skip
    scored = listed["scored"]
    assert (scored["step"], scored["test"], scored["calls"], scored["finished"]) == (2, 1.0, 120, True)
    assert "2 prompts" in call("runs", "--runs", runs).output


def test_what_a_run_was_made_with_is_listed(runs: Path) -> None:
    row = next(row for row in json.loads(call("runs", "--runs", runs, "--json").output) if row["run"] == NAMES[0])
    assert (row["optimizer"], row["seed"]) == ("askwell", 0)
    assert row["began"].startswith("20")
    assert row["test_interval"]["low"] < row["test"] == row["test_interval"]["estimate"]


def test_a_start_without_a_call_is_counted_and_not_listed(runs: Path) -> None:
    def fails(prompt: str) -> str:
        raise ConnectionError(prompt)

    with pytest.raises(askwell.AskwellError):
        askwell.optimize(data=ROWS, target=fails, metric="number", run=runs / "nothing")
    listed = call("runs", "--runs", runs).output
    assert "nothing" not in listed or "Not listed: 1" in listed


def test_a_damaged_log_stands_in_the_list_with_its_problem_in_full(runs: Path) -> None:
    (runs / "bad").mkdir()
    (runs / "bad" / "log.db").write_bytes(b"nothing")
    shown = call("runs", "--runs", runs).output
    assert "damaged" in shown
    assert "file is not a database" in shown
    assert NAMES[0] in shown


@pytest.mark.parametrize("command", ["show", "report", "export", "retry"])
@pytest.mark.parametrize(
    ("folder", "typed", "advice"),
    [
        ("runs", "runs/a", "give a"),  # as a shell completes it
        ("runs", "./runs/a/", "give a"),
        ("runs", "elsewhere/b", "give its name b, and --runs"),  # as a script names the folder of its run
        ("runs", "c", "give its name c, and --runs"),
        (".", "runs/a", "give its name a, and --runs"),
    ],
)
def test_the_path_of_a_run_is_refused_with_its_name(
    command: str, folder: str, typed: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("runs/a", "elsewhere/b", "c"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "log.db").touch()
    refused = call(command, typed, "--runs", folder)
    assert refused.exit_code == 2
    assert advice in flat(refused)


def test_a_run_of_the_folder_goes_before_one_of_the_same_name_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("runs/a", "a"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "log.db").touch()
    assert find_run(Path("runs"), "a") == Path("runs/a/log.db")

"""A shell completes the names that a flag or an argument takes."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from askwell.cli.main import main


def complete(arguments: list[str], incomplete: str) -> list[str]:
    shell = ShellComplete(main, {}, "askwell", "_ASKWELL_COMPLETE")
    return [item.value for item in shell.get_completions(arguments, incomplete)]


@pytest.mark.parametrize(
    ("arguments", "incomplete", "found"),
    [
        (["optimize", "--optimizer"], "ask", ["askwell"]),
        (["evaluate", "--metric"], "num", ["number"]),
        (["data", "check", "--data"], "bench:gsm", ["bench:gsm8k"]),
        (["evaluate", "--data"], "pocket:numbers_e", ["pocket:numbers_even"]),
        (["sho"], "sho", ["show"]),
    ],
)
def test_names_of_values_are_completed(arguments: list[str], incomplete: str, found: list[str]) -> None:
    assert complete(arguments[:-1] if arguments == ["sho"] else arguments, incomplete) == found


@pytest.mark.parametrize(
    "arguments",
    [
        ["show"], ["report"], ["export"], ["retry"], ["diff"], ["diff", "x"], ["headroom"], ["train"], ["serve"],
        ["policy", "show"], ["policy", "prompt"], ["log", "export"], ["optimize", "--resume"],
    ],
)  # fmt: skip
def test_runs_are_completed(arguments: list[str], tmp_path: Path) -> None:
    for name in ("sums-1", "sums-2", "words"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "log.db").touch()
    with chdir(tmp_path):
        assert complete(arguments, "su") == ["sums-1", "sums-2"]


def test_runs_of_another_folder_are_completed(tmp_path: Path) -> None:
    (tmp_path / "sums").mkdir()
    (tmp_path / "sums" / "log.db").touch()
    assert complete(["show", "--runs", str(tmp_path)], "") == ["sums"]

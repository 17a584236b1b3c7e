"""`askwell diff A B`: winners are compared on the examples that both tested and neither has seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import askwell
from tests.support.command_line import call, flat

ROWS = [{"input": f"Is {n} even?", "target": "no" if n % 2 else "yes"} for n in range(120)]


def knows(prompt: str) -> str:
    """A target that is right if its prompt speaks of numbers, and otherwise always says no."""
    number = int("".join(character for character in prompt.rsplit("Is ", maxsplit=1)[-1] if character.isdigit()))
    return "yes" if "number" in prompt and number % 2 == 0 else "no"


def run(folder: Path, name: str, prompt: str, rows: Any = ROWS) -> None:
    askwell.optimize(
        data=rows, target=knows, metric="exact", prompt=prompt, loop=askwell.LoopSettings(steps=0), run=folder / name,
    )  # fmt: skip


def test_the_better_prompt_wins_on_the_same_test_examples(tmp_path: Path) -> None:
    run(tmp_path, "a", "Answer.")
    run(tmp_path, "b", "Mind the number.")
    body = json.loads(call("diff", "a", "b", "--runs", tmp_path, "--json").output)
    assert body["difference"]["low"] > 0
    assert body["verdict"].endswith("b is better.")
    assert (body["left_out"], [one["run"] for one in body["runs"]]) == (0, ["a", "b"])
    assert body["settings"] == {"prompt": ["Answer.", "Mind the number."]}
    shown = flat(call("diff", "b", "a", "--runs", tmp_path))
    assert "b is better" in shown
    assert "a minus b: -" in shown


def test_a_run_with_itself_has_no_proven_difference(tmp_path: Path) -> None:
    run(tmp_path, "a", "Answer.")
    assert "no proven difference" in flat(call("diff", "a", "a", "--runs", tmp_path))


def test_examples_that_the_other_run_selected_on_are_left_out(tmp_path: Path) -> None:
    run(tmp_path, "a", "Answer.", {"train": ROWS[:20], "dev": ROWS[20:40], "test": ROWS[40:]})
    run(tmp_path, "b", "Answer.", {"train": ROWS[:40], "dev": ROWS[40:50], "test": ROWS[50:]})
    body = json.loads(call("diff", "a", "b", "--runs", tmp_path, "--json").output)
    assert (body["left_out"], body["difference"]["n"]) == (10, 70)


def test_runs_on_other_data_do_not_compare(tmp_path: Path) -> None:
    run(tmp_path, "a", "Answer.", ROWS[:60])
    run(tmp_path, "b", "Answer.", ROWS[60:])
    body = json.loads(call("diff", "a", "b", "--runs", tmp_path, "--json").output)
    assert body["difference"] is None
    assert "do not compare" in body["verdict"]


def test_an_evaluation_and_an_unknown_run_are_refused(tmp_path: Path) -> None:
    run(tmp_path, "a", "Answer.")
    askwell.evaluate(["x"], data=ROWS, target=knows, metric="exact", run=tmp_path / "scored")
    assert "is an evaluation" in flat(call("diff", "a", "scored", "--runs", tmp_path))
    assert call("diff", "a", "nothing", "--runs", tmp_path).exit_code == 2


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_the_order_gives_the_sign(tmp_path: Path, order: tuple[str, str]) -> None:
    run(tmp_path, "a", "Answer.")
    run(tmp_path, "b", "Mind the number.")
    body = json.loads(call("diff", *order, "--runs", tmp_path, "--json").output)
    assert (body["difference"]["estimate"] > 0) == (order == ("a", "b"))

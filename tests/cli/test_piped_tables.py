"""A list that another program reads has full lines: no name is cut, and no border stands in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

import askwell
from askwell.cli.console import Console
from askwell.cli.tables import Column, print_columns
from askwell.optimizers.presets import PRESETS
from askwell.tasks.catalog import BENCHMARKS
from tests.support.harness import invoke

PIPED = {"COLUMNS": None}


def first_word(text: str) -> str:
    return text.split(maxsplit=1)[0]


def first_words(*arguments: str | Path) -> list[str]:
    ended = invoke(*arguments, env=PIPED)
    assert ended.status == 0
    assert not set("┃│━─…") & set(ended.out)
    return [line.split()[0] for line in ended.out.splitlines()]


def test_data_list_has_whole_names() -> None:
    assert [name for name in first_words("data", "list") if name.startswith("bench:")] == [
        f"bench:{name}" for name in BENCHMARKS
    ]


def test_optimizers_are_one_a_line() -> None:
    assert first_words("optimizers")[1:] == list(PRESETS)


def test_runs_have_every_column(tmp_path: Path) -> None:
    name = "a-run-with-a-name-" + "that-goes-on-" * 8
    askwell.optimize(
        data=[{"input": str(n), "target": str(n)} for n in range(60)],
        target=first_word,
        loop=askwell.LoopSettings(steps=0),
        run=tmp_path / name,
    )
    assert name in first_words("runs", "--runs", tmp_path)
    heading = invoke("runs", "--runs", tmp_path, env=PIPED).out.splitlines()[0]
    assert heading.split() == [
        "run", "state", "dev", "test", "gain", "calls", "cost", "optimizer", "seed", "began", "task",
    ]  # fmt: skip


@pytest.mark.parametrize("cell", ["a\nb", "\x1b[2J", "漢字", "x" * 300])
def test_a_cell_stays_on_its_line(
    cell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    columns = [
        Column(heading="name", cells=[cell, "y"], rank=0, is_text=True),
        Column(heading="n", cells=["1", "22"], rank=1),
    ]
    print_columns(Console(), columns)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].endswith("   1")
    assert "\x1b" not in lines[1]

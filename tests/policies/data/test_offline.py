"""Runs, evaluations and their exported tables are the same offline data."""

from __future__ import annotations

from pathlib import Path

import pytest

import askwell
from askwell.policies.data.offline import read_offline
from askwell.policies.data.outcomes import OutcomeRow, merge
from askwell.policies.data.summary import summarize
from tests.support.command_line import call

DATA = [{"input": f"Is {n} even?", "target": "no" if n % 2 else "yes"} for n in range(40)]


def answer(prompt: str) -> str:
    return "yes" if "even" in prompt.rsplit("?", maxsplit=1)[-1] or "0" in prompt else "no"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """An optimization and an evaluation of two prompts, one of them empty."""
    folder = tmp_path / "runs"
    askwell.optimize(data=DATA, target=answer, metric="exact", loop=askwell.LoopSettings(steps=1), run=folder / "found")
    askwell.evaluate(["", "Is it even?"], data=DATA, target=answer, metric="exact", run=folder / "scored")
    return folder


@pytest.mark.parametrize("name", ["found", "scored"])
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_an_exported_table_is_read_as_the_run_itself(runs: Path, name: str, form: str) -> None:
    file = runs / f"table.{form}"
    done = call("log", "export", name, "--table", "rollouts", "--format", form, "-o", file, "--runs", runs)
    assert done.exit_code == 0, done.output
    assert read_offline([str(file)]) == read_offline([name], folder=runs)


def test_an_evaluation_holds_nothing_out(runs: Path) -> None:
    summary = summarize(read_offline(["scored"], folder=runs))
    assert (summary.queries, summary.prompts, summary.samples) == (40, 2, 80)


def test_the_test_split_of_an_optimization_is_left_out(runs: Path) -> None:
    assert summarize(read_offline(["found"], folder=runs)).queries < 40


def test_a_file_of_evaluations_and_a_run_of_the_same_target_merge(runs: Path) -> None:
    call("log", "export", "scored", "--table", "rollouts", "--format", "jsonl", "-o", runs / "t.jsonl", "--runs", runs)
    merged = read_offline(["scored", str(runs / "t.jsonl")], folder=runs)
    assert (merged.copies, merged.conflicts) == (80, 0)


def test_an_empty_prompt_is_a_prompt_and_an_empty_query_is_not() -> None:
    [pair] = merge([OutcomeRow(query="q", prompt="", total=1.0)]).pairs
    assert pair.prompt == ""
    with pytest.raises(askwell.DataError, match="query ' '"):
        merge([OutcomeRow(query=" ", prompt="p", total=1.0)])


def test_a_score_is_preferred_to_the_outcome_of_the_call(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("query,prompt,outcome,score\nq,p,ok,0.5\n", encoding="utf-8")
    assert read_offline([str(file)]).pairs[0].mean == 0.5

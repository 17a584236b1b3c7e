"""`askwell experiences` and `askwell headroom`, over files and run logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import askwell
from askwell.policies.data.offline import find_run_log, read_offline
from tests.support.command_line import call
from tests.support.outcome_sources import DATA, records, run
from tests.support.policy_worlds import PROMPTS, phrased


def test_experiences_of_a_file_and_a_closing_sentence(tmp_path: Path) -> None:
    shown = call("experiences", records(tmp_path / "a.jsonl"))
    assert shown.exit_code == 0, shown.output
    assert "queries              60" in shown.output
    assert "100.0 % of all possible; 720 samples" in shown.output
    assert "Yes: a query-level policy is worth training here" in " ".join(shown.output.split())


def test_several_sources_are_merged(tmp_path: Path) -> None:
    records(tmp_path / "a.jsonl", n=30)
    records(tmp_path / "b.jsonl", n=40, seed=1)
    found = json.loads(call("experiences", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--json").output)
    assert found["queries"] == 70
    assert found["prompts"] == 3


def test_a_run_log_is_offline_data_without_its_test_split(tmp_path: Path) -> None:
    run(tmp_path / "runs" / "sums")
    found = json.loads(call("experiences", "sums", "--runs", tmp_path / "runs", "--json").output)
    task = askwell.load(DATA)
    assert found["prompts"] == 2
    assert found["queries"] < len(task) // 2
    cells = read_offline([str(tmp_path / "runs" / "sums")])
    assert find_run_log("sums", tmp_path / "runs") == find_run_log(str(tmp_path / "runs" / "sums"), Path("nowhere"))
    assert len(cells.queries) == found["queries"]


def test_headroom_closes_with_one_sentence(tmp_path: Path) -> None:
    shown = call("headroom", records(tmp_path / "a.jsonl"))
    assert shown.exit_code == 0, shown.output
    assert "naive oracle" in shown.output
    lines = " ".join(shown.output.split())
    assert "Yes: a query-level policy is worth training here" in lines
    body = json.loads(call("headroom", tmp_path / "a.jsonl", "--json").output)
    assert (body["worth_it"], body["method"]) == (True, "repeats")
    assert body["shares"]["interaction"] > 0


def test_a_log_without_headroom_is_told_to_keep_one_prompt(tmp_path: Path) -> None:
    rows = [
        {"query": query, "prompt": prompt, "correct": 4 * (prompt == PROMPTS[0]), "draws": 4}
        for query in phrased(40, seed=0)[0]
        for prompt in PROMPTS
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    shown = call("headroom", path)
    assert shown.exit_code == 0, shown.output
    assert "No: one prompt is enough here" in " ".join(shown.output.split())
    assert not json.loads(call("headroom", path, "--json").output)["worth_it"]


def test_held_out_queries_among_the_data_are_refused(tmp_path: Path) -> None:
    records(tmp_path / "a.jsonl", n=30)
    records(tmp_path / "b.jsonl", n=30, seed=1)
    assert call("headroom", tmp_path / "a.jsonl", "--held-out", tmp_path / "b.jsonl").exit_code == 0
    refused = call("headroom", tmp_path / "a.jsonl", "--held-out", tmp_path / "a.jsonl")
    assert refused.exit_code == 2
    assert "ask the same" in refused.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.jsonl", "a.jsonl"], "is given twice"),
        (["a.jsonl", "--column", "query"], "is not NAME=COLUMN"),
        (["a.jsonl", "--column", "query=questoin"], "question"),
        (["nothing"], "no run 'nothing'"),
        (["gone.jsonl"], "no file"),
        (["a.jsonl", "--target-model", "x"], ""),
    ],
)
def test_wrong_sources_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    records(tmp_path / "a.jsonl", n=30)
    monkeypatch.chdir(tmp_path)
    shown = call("headroom", *arguments)
    assert shown.exit_code == (2 if words else 0), shown.output
    assert words in " ".join(shown.output.split())


def test_outcomes_of_two_targets_are_not_mixed(tmp_path: Path) -> None:
    run(tmp_path / "a", target="one")
    run(tmp_path / "b", target="two")
    both = [str(tmp_path / "a"), str(tmp_path / "b")]
    refused = call("experiences", *both)
    assert refused.exit_code == 2
    assert "several target models" in refused.output
    name = read_offline(both[:1]).targets[0]
    assert call("experiences", *both, "--target-model", name).exit_code == 0

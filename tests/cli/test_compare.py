"""`askwell compare`, over files, runs and trainings."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command_line import call, flat
from tests.support.outcome_sources import records
from tests.support.trainings import logged, plain
from tests.support.trainings import train as trained


def test_one_table_by_one_command(tmp_path: Path) -> None:
    shown = call("compare", records(tmp_path / "a.jsonl"), "--scorer", "knn", "--scorer", "trees")
    assert shown.exit_code == 0, shown.output
    for words in ("baseline prompt", "random prompt", "naive oracle", "oracle less luck", "knn", "guarded"):
        assert words in flat(shown)
    assert "a real gain" in flat(shown)
    body = json.loads(call("compare", tmp_path / "a.jsonl", "--scorer", "knn", "--json").stdout)
    assert [row["policy"] for row in body["rows"]][3:] == ["knn", "multitask, guarded"]
    assert [row["deployed"] for row in body["rows"]] == [False, False, False, False, True]
    assert body["headroom"]["worth_it"]
    assert body["trainings"] == []


def test_a_training_stands_for_its_sources_and_its_test_joins_the_table(tmp_path: Path) -> None:
    source = logged(tmp_path / "log.jsonl")
    found = trained(source, tmp_path / "runs" / "policy")
    shown = call("compare", "policy", "--runs", tmp_path / "runs", "--scorer", "trees")
    assert shown.exit_code == 0, shown.output
    assert "test: policy" in flat(shown)
    assert "policy on its own test queries" in flat(shown)
    body = json.loads(
        call("compare", "policy", source, "--runs", tmp_path / "runs", "--scorer", "trees", "--json").stdout
    )
    assert body["queries"] == 60
    [training] = body["trainings"]
    assert found.figures.tested is not None
    assert training["test"]["gain"]["estimate"] == found.figures.tested.gain.estimate
    assert (training["finished"], training["keeps_static"]) == (True, False)


def test_a_training_that_kept_the_single_prompt_says_so(tmp_path: Path) -> None:
    trained(logged(tmp_path / "log.jsonl", plain), tmp_path / "runs" / "policy", target=plain)
    shown = call("compare", "policy", "--runs", tmp_path / "runs", "--scorer", "knn")
    assert shown.exit_code == 0, shown.output
    assert "policy keeps the baseline prompt for every query" in flat(shown)
    assert "not a proven gain" in flat(shown)


def test_what_can_not_be_compared_is_refused(tmp_path: Path) -> None:
    records(tmp_path / "a.jsonl", n=12)
    assert "needs 20 or more" in flat(call("compare", tmp_path / "a.jsonl"))
    refused = call("compare", records(tmp_path / "b.jsonl"), "--scorer", "neighbours")
    assert refused.exit_code == 2
    assert "unknown scorer 'neighbours'" in flat(refused)

"""`askwell compare` and `askwell policy estimate`, over files, runs and trainings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import askwell
from askwell.cli import main
from askwell.policy import FixedPolicy
from askwell.qpo.learnt import digest_of, keep_learnt, read_learnt
from askwell.qpo.policy import save_policy
from askwell.types import Example, Prompt
from tests.qpo.worlds import PROMPTS
from tests.test_query_commands import records, run
from tests.test_training import SPLITS, logged, plain
from tests.test_training import train as trained


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def flat(result: Result) -> str:
    return " ".join(result.output.split())


def test_one_table_by_one_command(tmp_path: Path) -> None:
    shown = call("compare", records(tmp_path / "a.jsonl"), "--scorer", "knn", "--scorer", "trees")
    assert shown.exit_code == 0, shown.output
    for words in ("best static prompt", "random prompt", "naive oracle", "oracle less luck", "knn", "guarded"):
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
    assert "policy keeps the single prompt for every query" in flat(shown)
    assert "not a proven gain" in flat(shown)


def test_what_can_not_be_compared_is_refused(tmp_path: Path) -> None:
    records(tmp_path / "a.jsonl", n=12)
    assert "needs 20 or more" in flat(call("compare", tmp_path / "a.jsonl"))
    refused = call("compare", records(tmp_path / "b.jsonl"), "--scorer", "neighbours")
    assert refused.exit_code == 2
    assert "unknown scorer 'neighbours'" in flat(refused)


def test_a_policy_is_estimated_on_queries_it_has_not_seen(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    learnt, other = records(tmp_path / "a.jsonl", n=120), records(tmp_path / "b.jsonl", n=60, seed=3)
    assert call("train", learnt, "--runs", runs, "--run", "chosen").exit_code == 0
    shown = call("policy", "estimate", "chosen", other, "--runs", runs)
    assert shown.exit_code == 0, shown.output
    assert "On 60 of these 60 queries the log holds the very prompt" in flat(shown)
    body = json.loads(call("policy", "estimate", "chosen", other, learnt, "--runs", runs, "--json").stdout)
    assert (body["logged"], body["learnt"], body["unlogged"]) == (180, 120, 0)
    assert body["policy"]["doubly_robust"]["low"] <= 0.8 <= body["policy"]["doubly_robust"]["high"]
    assert body["single"]["doubly_robust"]["value"] < body["policy"]["doubly_robust"]["value"]
    refused = call("policy", "estimate", "chosen", learnt, "--runs", runs)
    assert refused.exit_code == 2
    assert "was learnt from 120 of the 120 logged queries" in flat(refused)


def test_a_trained_writer_is_estimated_and_its_test_queries_were_not_learnt_from(tmp_path: Path) -> None:
    trained(logged(tmp_path / "log.jsonl"), tmp_path / "policy")
    digests = read_learnt(tmp_path / "policy" / "policy")
    assert digests is not None
    assert {digest_of(row["input"]) for row in SPLITS["dev"]} <= digests
    assert not {digest_of(row["input"]) for row in SPLITS["test"]} & digests


def test_an_optimization_was_learnt_from_its_train_and_dev_examples(tmp_path: Path) -> None:
    run(tmp_path / "runs" / "sums")
    refused = call("policy", "estimate", "sums", "sums", "--runs", tmp_path / "runs")
    assert refused.exit_code == 2
    assert "the policy was learnt from" in flat(refused)


def test_what_the_log_does_not_speak_for_is_said(tmp_path: Path) -> None:
    source = records(tmp_path / "a.jsonl", n=40)
    save_policy(FixedPolicy(prompt=Prompt(instruction=PROMPTS[1])), tmp_path / "known")
    shown = call("policy", "estimate", tmp_path / "known", source)
    assert shown.exit_code == 0, shown.output
    assert "Which queries the policy was learnt from was not kept" in flat(shown)
    save_policy(FixedPolicy(prompt=Prompt(instruction="Sing.")), tmp_path / "unknown")
    refused = call("policy", "estimate", tmp_path / "unknown", source)
    assert "40 of 40 queries get a prompt that the log has for no query" in flat(refused)
    demo = Example(id="d", input="1", target="1")
    save_policy(FixedPolicy(prompt=Prompt(instruction=PROMPTS[1], demos=(demo,))), tmp_path / "shown")
    refused = call("policy", "estimate", tmp_path / "shown", source)
    assert "sends demonstrations" in flat(refused)


def test_what_was_learnt_from_is_kept_by_digest(tmp_path: Path) -> None:
    assert read_learnt(tmp_path) is None
    keep_learnt(tmp_path, ["How many?", "how  many?", "Why?"])
    assert read_learnt(tmp_path) == {digest_of("How many?"), digest_of("Why?")}
    (tmp_path / "learnt.json").write_text("{", encoding="utf-8")
    with pytest.raises(askwell.DataError, match="not a list of learnt queries"):
        read_learnt(tmp_path)

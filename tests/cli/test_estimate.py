"""`askwell policy estimate`, over files, runs and trainings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import askwell
from askwell.core.types import Example, Prompt
from askwell.policies.data.training_queries import digest_query, read_training_queries, write_training_queries
from askwell.policies.fixed import FixedPolicy
from askwell.policies.saved_policy import save_policy
from tests.support.command_line import call, flat
from tests.support.outcome_sources import records, run
from tests.support.policy_worlds import PROMPTS
from tests.support.trainings import SPLITS, logged
from tests.support.trainings import train as trained


def test_a_policy_is_estimated_on_queries_it_has_not_seen(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    learnt, other = records(tmp_path / "a.jsonl", n=120), records(tmp_path / "b.jsonl", n=60, seed=3)
    assert call("train", learnt, "--runs", runs, "--run", "chosen").exit_code == 0
    shown = call("policy", "estimate", "chosen", other, "--runs", runs)
    assert shown.exit_code == 0, shown.output
    assert "For 60 of these 60 queries, the policy's prompt was logged" in flat(shown)
    body = json.loads(call("policy", "estimate", "chosen", other, learnt, "--runs", runs, "--json").stdout)
    assert (body["logged"], body["learnt"], body["unlogged"]) == (180, 120, 0)
    assert body["policy"]["doubly_robust"]["low"] <= 0.8 <= body["policy"]["doubly_robust"]["high"]
    assert body["single"]["doubly_robust"]["value"] < body["policy"]["doubly_robust"]["value"]
    refused = call("policy", "estimate", "chosen", learnt, "--runs", runs)
    assert refused.exit_code == 2
    assert "was trained on 120 of the 120 logged queries" in flat(refused)


def test_a_trained_writer_is_estimated_and_its_test_queries_were_not_learnt_from(tmp_path: Path) -> None:
    trained(logged(tmp_path / "log.jsonl"), tmp_path / "policy")
    digests = read_training_queries(tmp_path / "policy" / "policy")
    assert digests is not None
    assert {digest_query(row["input"]) for row in SPLITS["dev"]} <= digests
    assert not {digest_query(row["input"]) for row in SPLITS["test"]} & digests


def test_an_optimization_was_learnt_from_its_train_and_dev_examples(tmp_path: Path) -> None:
    run(tmp_path / "runs" / "sums")
    refused = call("policy", "estimate", "sums", "sums", "--runs", tmp_path / "runs")
    assert refused.exit_code == 2
    assert "the policy was trained on" in flat(refused)


def test_what_the_log_does_not_speak_for_is_said(tmp_path: Path) -> None:
    source = records(tmp_path / "a.jsonl", n=40)
    save_policy(FixedPolicy(prompt=Prompt(instruction=PROMPTS[1])), tmp_path / "known")
    shown = call("policy", "estimate", tmp_path / "known", source)
    assert shown.exit_code == 0, shown.output
    assert "Which queries the policy was trained on is not recorded" in flat(shown)
    save_policy(FixedPolicy(prompt=Prompt(instruction="Sing.")), tmp_path / "unknown")
    refused = call("policy", "estimate", tmp_path / "unknown", source)
    assert "40 of 40 queries get a prompt that was logged for no query" in flat(refused)
    demo = Example(id="d", input="1", target="1")
    save_policy(FixedPolicy(prompt=Prompt(instruction=PROMPTS[1], demos=(demo,))), tmp_path / "shown")
    refused = call("policy", "estimate", tmp_path / "shown", source)
    assert "sends demonstrations" in flat(refused)


def test_what_was_learnt_from_is_kept_by_digest(tmp_path: Path) -> None:
    assert read_training_queries(tmp_path) is None
    write_training_queries(tmp_path, ["How many?", " How many?\n", "Why?"])
    assert read_training_queries(tmp_path) == {digest_query("How many?"), digest_query("Why?")}
    (tmp_path / "learnt.json").write_text("{", encoding="utf-8")
    with pytest.raises(askwell.DataError, match="not a list of training queries"):
        read_training_queries(tmp_path)

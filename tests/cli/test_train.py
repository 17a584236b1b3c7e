"""`askwell train`, `policy` and `demo --act 2` as they are typed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from askwell.api.build_training import PolicySettings, build_policy_settings, fill_base_model
from askwell.api.config_file import parse_config
from askwell.cli.service import ServeOptions, build_service
from askwell.policies.settings import QPO_LOOPS, QPO_TRAINING
from askwell.tasks import bundled
from tests.support.command_line import call, flat
from tests.support.outcome_sources import records

BUNDLE = "numbers_max+words_first+review_sentiment"


def one_is_enough(path: Path) -> Path:
    """A log in which one prompt works for every query, and the other for none."""
    rows = [
        {"query": example.input, "prompt": prompt, "score": float(prompt.startswith("What is the largest"))}
        for example in bundled.examples(BUNDLE, "dev", 48)
        for prompt in ("What is the largest number?", "Answer the question.")
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_where_one_prompt_is_enough_it_says_so_and_keeps_it(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    source, runs = one_is_enough(tmp_path / "log.jsonl"), tmp_path / "runs"
    given = ("--data", f"pocket:{BUNDLE}", "--target", "pocket", "--runs", runs, "--run", "enough")
    shown = call("train", source, *given)
    assert shown.exit_code == 0, shown.output
    assert "No: one prompt is enough here" in flat(shown)
    assert "Kept: the baseline prompt, for every query" in flat(shown)
    asked = call("policy", "prompt", "enough", "3, 4, 5", "cat, plum", "--runs", runs)
    assert asked.output.splitlines() == ["What is the largest number?"] * 2
    again = json.loads(call("policy", "show", "enough", "--runs", runs, "--json").output)
    assert (again["keeps_static"], again["loops"], again["worth_it"]) == (True, [], False)
    assert call("train", "--resume", "enough", "--runs", runs).exit_code == 0
    [listed] = json.loads(call("runs", "--runs", runs, "--json").output)
    assert (listed["finished"], listed["task"]) == (True, f"policy for {BUNDLE}")
    assert "askwell policy show enough" in flat(call("show", "enough", "--runs", runs))
    refused = call("train", source, *given)
    assert refused.exit_code == 2
    assert "askwell train --resume enough" in flat(refused)


def test_without_a_task_a_policy_chooses_among_the_logged_prompts(tmp_path: Path) -> None:
    source, runs = records(tmp_path / "a.jsonl", n=120), tmp_path / "runs"
    shown = call("train", source, "--runs", runs, "--run", "chosen")
    assert shown.exit_code == 0, shown.output
    assert "A policy that chooses among 3 logged prompts" in flat(shown)
    assert "give --data and --target" in flat(shown)
    puzzle = "Suppose that 3 pens weigh as much as 4 stones, which does Ann lift first?"
    total = "Ann has 4 pens and buys 3 more. How many pens are there in all?"
    asked = call("policy", "prompt", "chosen", puzzle, total, "--runs", runs)
    assert len(set(asked.output.splitlines())) == 2


def test_method_and_acquisition_are_taken_by_their_new_names(tmp_path: Path) -> None:
    source, runs = records(tmp_path / "a.jsonl", n=120), tmp_path / "runs"
    shown = call("train", source, "--runs", runs, "--method", "qpo", "--acquisition", "uncertainty", "--acquire", 9)
    assert shown.exit_code == 0, shown.output
    assert call("train", source, "--runs", runs, "--method", "gpo").exit_code == 2


def test_a_scorer_may_be_named_and_what_it_learnt_is_served(tmp_path: Path) -> None:
    source, runs = records(tmp_path / "sums.jsonl", n=120), tmp_path / "runs"
    shown = call("train", source, "--runs", runs, "--scorer", "trees")
    assert shown.exit_code == 0, shown.output
    assert "chooses among 3 logged prompts (trees)" in flat(shown)
    assert (runs / "sums-policy-1" / "policy" / "policy.json").is_file()
    assert "give --target" in flat(call("serve", "sums-policy-1", "--runs", runs))
    assert "chooses among 3 logged prompts (trees)" in flat(call("policy", "show", "sums-policy-1", "--runs", runs))
    kept = json.loads(call("policy", "show", "sums-policy-1", "--runs", runs, "--json").stdout)
    assert (kept["scorer"], kept["guard"]["gain"] > 0) == ("trees", True)
    given = {"target.model": "openai:m", "target.base_url": "http://127.0.0.1:9/v1"}
    build_service("sums-policy-1", runs, overrides=given, options=ServeOptions())
    assert "unknown scorer 'tree'" in flat(call("train", source, "--runs", runs, "--scorer", "tree"))


def test_what_was_learnt_on_one_target_is_estimated_on_another(tmp_path: Path) -> None:
    paths = [records(tmp_path / f"{seed}.jsonl", n=120, seed=seed) for seed in (0, 3)]
    lines = [
        {**json.loads(line), "target_model": name}
        for name, path in zip(("small", "large"), paths, strict=True)
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    both, runs = tmp_path / "both.jsonl", tmp_path / "runs"
    both.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert "several target models" in flat(call("train", both, "--runs", runs))
    taught = call("train", both, "--target-model", "small", "--runs", runs, "--run", "small")
    assert taught.exit_code == 0, taught.output
    given = ("--target-model", "large", "--runs", runs, "--json")
    found = json.loads(call("policy", "estimate", "small", both, *given).stdout)
    assert (found["logged"], found["learnt"]) == (120, 0)
    assert found["policy"]["doubly_robust"]["low"] > found["single"]["doubly_robust"]["value"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to train on"),
        (["a.jsonl", "--run", "x/y"], "is not a folder name"),
        (["a.jsonl", "--objective", "wish"], "objective"),
        (["a.jsonl", "--data", "pocket:numbers_max", "--target", "pocket"], "are among the logged queries"),
        (["nothing"], "no run 'nothing'"),
        (["--resume", "nothing"], "no run 'nothing'"),
    ],
)
def test_what_can_not_be_trained_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    records(tmp_path / "a.jsonl", n=30)
    monkeypatch.chdir(tmp_path)
    shown = call("train", *arguments)
    assert shown.exit_code == 2, shown.output
    assert words in flat(shown)


def test_presets_and_changes() -> None:
    def settings(**policy: object) -> PolicySettings:
        return build_policy_settings(parse_config({"policy": policy}).policy, seed=3)

    paper = {"method": "qpo", "loops": 2}
    assert settings(**paper).loops == replace(QPO_LOOPS, loops=2, seed=3)
    assert settings(**paper).training == QPO_TRAINING
    assert settings(**paper, shots=6).loops.reward == "few-shot"
    assert settings(**paper, shots=6, reward="accuracy").loops.reward == "accuracy"
    assert settings().loops.reward == "accuracy"
    own = settings(acquisition="uncertainty", fallback=False, acquire=7, epochs=5, lora_rank=4)
    assert (own.loops.acquisition, own.loops.acquire, own.loops.fallback) == ("uncertainty", 7, False)
    assert (own.loops.selector_first, own.loops.patience) == (True, 1)
    assert (own.training.epochs, own.training.later_epochs, own.model.lora_rank) == (5, 5, 4)


def test_the_bundled_target_is_learnt_for_by_the_bundled_model() -> None:
    assert fill_base_model(parse_config({}).policy, target="pocket#123").settings["base"] == "pocket"
    mine = parse_config({"policy": {"base": "mine"}}).policy
    assert fill_base_model(mine, target="pocket#123").settings["base"] == "mine"


@pytest.mark.long
def test_the_second_act_of_the_demo_ends_with_a_real_gain(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    shown = call("demo", "--act", 2, "--runs", tmp_path)
    assert shown.exit_code == 0, shown.output
    name = next(path.name for path in tmp_path.iterdir() if path.name.endswith("policy-1"))
    found = json.loads(call("policy", "show", name, "--runs", tmp_path, "--json").output)
    assert len(found["loops"]) >= 2
    assert found["test"]["gain"]["low"] > 0


def test_a_config_of_the_policy_alone_keeps_the_task_and_target_of_the_run(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    runs, config = tmp_path / "runs", tmp_path / "policy.toml"
    config.write_text('[policy]\nbase = "pocket"\nloops = 1\n', encoding="utf-8")
    given = ("--data", f"pocket:{BUNDLE}", "--target", "pocket", "--optimizer-model", "editor", "--runs", runs)
    made = call("optimize", *given, "--run", "source", "--steps", 0, "--dev", 8, "--test", 8, "--train", 8)
    assert made.exit_code == 0, made.output
    refused = call("train", "source", "--config", config, "--runs", runs, "--budget-calls", 3)
    assert "max_calls = 3 is too few" in flat(refused)  # a training of the run's task, not a selector
    config.write_text('[policy]\nbase = "pocket"\n[target]\nmodel = "pocket:nothing"\n', encoding="utf-8")
    assert "pocket:nothing" in flat(call("train", "source", "--config", config, "--runs", runs))

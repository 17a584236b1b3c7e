"""The experiments that ship as files: known keys, known benchmarks, the settings they promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from askwell.api.build_training import build_policy_settings
from askwell.api.config_file import read_config
from askwell.policies.settings import QPO_LOOPS
from askwell.tasks.catalog import find_benchmark

RUNS = Path(__file__).parents[1] / "runs"
QPO = {"agnews", "boolq", "imdb", "emotion", "cosmosqa", "hellaswag", "gsm8k", "svamp"}


def test_all_eight_tasks_of_qpo_are_there() -> None:
    assert {path.stem.removeprefix("qpo_") for path in RUNS.glob("qpo_*.toml")} == QPO


@pytest.mark.parametrize("path", sorted(RUNS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_file_is_read_and_names_a_benchmark(path: Path) -> None:
    config = read_config(path, {})
    entry = find_benchmark(config.task.data.removeprefix("bench:"))
    assert entry.answer_type
    assert f"runs/{path.name}" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(RUNS.glob("qpo_*.toml")), ids=lambda path: path.stem)
def test_a_qpo_file_is_the_papers_setting(path: Path) -> None:
    config = read_config(path, {})
    assert config.policy.shots == 0
    settings = build_policy_settings(config.policy, seed=0)
    assert (settings.loops.acquire, settings.loops.prompts) == (QPO_LOOPS.acquire, QPO_LOOPS.prompts)
    assert settings.model.base == "gpt2"
    assert (config.split.train or 0) >= 600
    ours = read_config(path, {"policy.method": "askwell"})
    assert build_policy_settings(ours.policy, seed=0).loops.fallback


@pytest.mark.parametrize("path", sorted(RUNS.glob("qpo_*.toml")), ids=lambda path: path.stem)
def test_the_flags_that_a_qpo_file_names_give_the_papers_few_shot_setting(path: Path) -> None:
    [command] = [line for line in path.read_text(encoding="utf-8").splitlines() if "--shots" in line]
    flags = command.partition("--shots")[2].split()
    overrides = {"policy.shots": flags[0], "policy.reward": flags[2] if flags[1:2] == ["--reward"] else None}
    policy = read_config(path, overrides).policy
    assert policy.shots == 6
    assert build_policy_settings(policy, seed=0).loops.reward == "few-shot"

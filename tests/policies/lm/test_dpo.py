"""DPO through trl: within a query, prompts that worked are preferred to prompts that failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from askwell.core.errors import ConfigError, DataError
from askwell.policies.lm.dpo import PreferenceSettings, sample_preferences
from askwell.policies.lm.train import LanguageModelTrainer
from tests.support.trained_policies import BAD, GOOD, QUICK, queries, tiny, world


def test_preferences_are_within_queries_and_between_success_and_failure() -> None:
    data = world(5, seed=0)
    rewards = {(row.query, row.prompt): row.reward for row in data}
    sampled = sample_preferences(data, PreferenceSettings(), seed=0)
    assert len(sampled) == 2 * 10
    assert all(rewards[pair.query, pair.chosen] - rewards[pair.query, pair.rejected] == 1.0 for pair in sampled)
    assert len(sample_preferences(data, PreferenceSettings(pairs_per_query=1), seed=0)) == 10
    assert sample_preferences([replace(row, reward=1.0) for row in data], PreferenceSettings(), seed=0) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # trl still uses names that transformers is about to drop
def test_dpo_moves_a_cloned_policy_towards_what_worked(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="objective='dpo' needs the dpo extra")
    settings = replace(QUICK, objective="dpo", kept_share=1.0, epochs=18)  # all is cloned, failures too
    data, unseen = world(12, seed=0), queries(8, seed=99)

    def figures(preferring: PreferenceSettings) -> tuple[float, float]:
        """Return the share of prompts that work, and of queries whose good prompt is valued above the bad one."""
        writer = LanguageModelTrainer(settings, tiny(tmp_path), preferences=preferring).fit(data, [], seed=0)
        good = writer.value([(text, GOOD[text.split()[0]]) for text in unseen])
        bad = writer.value([(text, BAD) for text in unseen])
        written = [prompt for [prompt] in writer.write(unseen)]
        works = sum(prompt == GOOD[text.split()[0]] for text, prompt in zip(unseen, written, strict=True))
        return works / len(unseen), sum(a > b for a, b in zip(good, bad, strict=True)) / len(unseen)

    cloned, _ = figures(PreferenceSettings(learning_rate=0.0))
    tuned, valued = figures(PreferenceSettings(learning_rate=2e-3, epochs=6, batch_pairs=16))
    assert cloned <= 0.6
    assert tuned > cloned + 0.15
    assert tuned > 0.7
    assert valued > 0.7


def test_dpo_refuses_what_it_can_not_do(tmp_path: Path) -> None:
    settings = replace(QUICK, objective="dpo", epochs=1)
    with pytest.raises(ConfigError, match="lora_rank=0"):
        LanguageModelTrainer(settings, tiny(tmp_path, lora_rank=2)).fit(world(2, seed=0), [])
    alike = [replace(one, reward=1.0) for one in world(2, seed=0)]
    with pytest.raises(DataError, match="nothing to prefer"):
        LanguageModelTrainer(settings, tiny(tmp_path)).fit(alike, [])

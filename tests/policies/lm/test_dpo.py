"""DPO through trl: what worked is preferred to what failed, within a query."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from askwell.core.errors import ConfigError, DataError
from askwell.policies.lm.dpo import Preferences, preferences
from askwell.policies.lm.train import LanguageModelTrainer
from tests.support.trained_policies import BAD, GOOD, QUICK, queries, tiny, world


def test_preferences_are_within_queries_and_between_success_and_failure() -> None:
    data = world(5, seed=0)
    rewards = {(one.query, one.prompt): one.reward for one in data}
    found = preferences(data, Preferences(), seed=0)
    assert len(found) == 2 * 10
    assert all(rewards[pair.query, pair.chosen] - rewards[pair.query, pair.rejected] == 1.0 for pair in found)
    assert len(preferences(data, Preferences(pairs_per_query=1), seed=0)) == 10
    assert preferences([replace(one, reward=1.0) for one in data], Preferences(), seed=0) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # trl still uses names that transformers is about to drop
def test_dpo_moves_what_was_cloned_towards_what_worked(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="objective='dpo' needs the dpo extra")
    settings = replace(QUICK, objective="dpo", kept_share=1.0, epochs=18)  # all is cloned, failures too
    data, unseen = world(12, seed=0), queries(8, seed=99)

    def figures(preferring: Preferences) -> tuple[float, float]:
        """Share of greedy prompts that work, and share of queries whose working prompt is valued above the bad one."""
        writer = LanguageModelTrainer(settings, tiny(tmp_path), preferences=preferring).fit(data, [], seed=0)
        good = writer.value([(text, GOOD[text.split()[0]]) for text in unseen])
        bad = writer.value([(text, BAD) for text in unseen])
        written = [prompt for [prompt] in writer.write(unseen)]
        works = sum(prompt == GOOD[text.split()[0]] for text, prompt in zip(unseen, written, strict=True))
        return works / len(unseen), sum(a > b for a, b in zip(good, bad, strict=True)) / len(unseen)

    cloned, _ = figures(Preferences(learning_rate=0.0))
    tuned, valued = figures(Preferences(learning_rate=2e-3, epochs=6, batch_pairs=16))
    assert cloned <= 0.6
    assert tuned > cloned + 0.15
    assert tuned > 0.7
    assert valued > 0.7


def test_dpo_says_what_it_can_not_do(tmp_path: Path) -> None:
    settings = replace(QUICK, objective="dpo", epochs=1)
    with pytest.raises(ConfigError, match="lora_rank=0"):
        LanguageModelTrainer(settings, tiny(tmp_path, lora_rank=2)).fit(world(2, seed=0), [])
    alike = [replace(one, reward=1.0) for one in world(2, seed=0)]
    with pytest.raises(DataError, match="nothing to prefer"):
        LanguageModelTrainer(settings, tiny(tmp_path)).fit(alike, [])

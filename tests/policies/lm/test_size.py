"""A batch is computed in passes that change nothing, and a base's size decides rate and memory."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch is typed in part only)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

torch = pytest.importorskip("torch")

from askwell.api.build_training import build_policy_settings  # noqa: E402 - after the skip
from askwell.api.config import PolicyConfig  # noqa: E402
from askwell.core.errors import ConfigError  # noqa: E402
from askwell.policies.lm.batches import TokenizedPair, TrainingPair, split_passes  # noqa: E402
from askwell.policies.lm.size import choose_learning_rate, describe_memory, expect_memory  # noqa: E402
from askwell.policies.lm.train import Epoch, LanguageModelTrainer  # noqa: E402
from askwell.policies.settings import METHODS, TrainSettings  # noqa: E402
from tests.support.trained_policies import QUICK, tiny, world  # noqa: E402

SHORT = replace(QUICK, epochs=3, learning_rate=1e-3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("base")


@pytest.mark.parametrize(
    "settings",
    [
        SHORT,
        replace(SHORT, packed=False),
        replace(SHORT, objective="filtered-cloning"),
        replace(SHORT, objective="advantage-weighted", signal="reward"),
        replace(SHORT, most_shared=1),
        replace(SHORT, value_weight=0.2),
    ],
)
@pytest.mark.parametrize("batch_tokens", [1, 50, 300])
def test_passes_change_nothing(base: Path, settings: TrainSettings, batch_tokens: int) -> None:
    def losses(settings: TrainSettings) -> list[Epoch]:
        history: list[Epoch] = []
        trainer = LanguageModelTrainer(settings, tiny(base), on_epoch=history.append)
        trainer.fit(world(6, seed=0), world(2, seed=1), seed=0)
        return history

    whole, parts = losses(settings), losses(replace(settings, batch_tokens=batch_tokens))
    for one, other in zip(whole, parts, strict=True):
        assert other.train.total == pytest.approx(one.train.total, rel=2e-4)
        assert (one.dev is None) == (other.dev is None)
        if one.dev is not None and other.dev is not None:
            assert other.dev.total == pytest.approx(one.dev.total, rel=2e-4)


def test_the_rule_for_a_large_error_is_that_of_the_whole_batch(base: Path) -> None:
    far = [replace(row, reward=100 * row.reward) for row in world(6, seed=0)]  # an error above 10 has another weight
    settings = replace(SHORT, signal="reward", standardise=False)
    totals: list[list[float]] = []
    for batch_tokens in (4_096, 60):
        history: list[Epoch] = []
        LanguageModelTrainer(
            replace(settings, batch_tokens=batch_tokens), tiny(base), on_epoch=history.append
        ).fit(far, [], seed=0)  # fmt: skip
        totals.append([epoch.train.total for epoch in history])
    assert totals[1] == pytest.approx(totals[0], rel=2e-4)


def pair(query: int, prompt: int, name: int = 0) -> TrainingPair:
    tokens = TokenizedPair(query=(name,) * query, prompt=(1,) * prompt, signal=0.0)
    return TrainingPair(pair=tokens, hides_condition=False, weight=1.0)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("batch_tokens", [1, 9, 30, 64, 10_000])
def test_passes_hold_every_pair_once_within_the_bound(packed: bool, batch_tokens: int) -> None:
    chunks = [[pair(5 + name, 1 + name * index % 7, name) for index in range(6)] for name in range(5)]
    passes = split_passes(chunks, TrainSettings(packed=packed, batch_tokens=batch_tokens))
    assert [one for part in passes for chunk in part for one in chunk] == [one for chunk in chunks for one in chunk]
    for part in passes:
        tokens = sum(
            (len(chunk[0].pair.query) if packed else sum(len(one.pair.query) for one in chunk))
            + sum(len(one.pair.prompt) + 2 for one in chunk)
            for chunk in part
        )
        assert tokens <= batch_tokens or sum(map(len, part)) == 1
    if batch_tokens == 10_000:
        assert len(passes) == 1


def of_size(weights: float, *, lora_rank: int = 0) -> Any:
    """Return what the rules read of a model with so many weights."""
    one = SimpleNamespace(numel=lambda: int(weights), requires_grad=True)
    config = SimpleNamespace(num_hidden_layers=30, hidden_size=576, vocab_size=49_152)
    inner = SimpleNamespace(
        parameters=lambda: iter([one]), config=SimpleNamespace(get_text_config=lambda: config)
    )  # fmt: skip
    return SimpleNamespace(
        base=inner, parameters=lambda: iter([one]), settings=SimpleNamespace(lora_rank=lora_rank),
        device=torch.device("cpu"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("weights", "rate"),
    [(2e6, 1e-3), (124e6, 1e-3), (134.5e6, 9.2e-4), (360e6, 3.4e-4), (1.7e9, 7.3e-5), (7e9, 1.8e-5)],
)
def test_a_large_base_is_trained_more_carefully(weights: float, rate: float) -> None:
    model, settings = of_size(weights), TrainSettings()
    assert choose_learning_rate(settings, model, is_later=False) == pytest.approx(rate, rel=0.02)
    assert choose_learning_rate(settings, model, is_later=True) == pytest.approx(0.3 * rate, rel=0.02)
    own = TrainSettings(learning_rate=5e-5, later_learning_rate=1e-6)
    assert (choose_learning_rate(own, model, is_later=False), choose_learning_rate(own, model, is_later=True)) == (
        5e-5,
        1e-6,
    )
    assert choose_learning_rate(settings, of_size(weights, lora_rank=8), is_later=False) == 1e-3


def test_the_expected_memory_is_near_what_was_measured() -> None:
    smollm2 = of_size(134.5e6)
    assert 4e9 < expect_memory(smollm2, TrainSettings()) < 9e9  # 6.4 to 8.0 GB were measured
    assert expect_memory(smollm2, TrainSettings(batch_tokens=512)) < 4e9


def test_more_than_the_machine_has_is_told_with_what_to_do() -> None:
    assert "lower batch_tokens" in describe_memory(of_size(1e13), TrainSettings())
    assert describe_memory(of_size(2e6), TrainSettings(batch_tokens=64)).endswith("GB of memory")


def test_epochs_show_what_is_done(base: Path) -> None:
    shown: list[tuple[str, int, int]] = []

    def show(stage: str, done: int, total: int) -> None:
        shown.append((stage, done, total))

    data = world(6, seed=0)
    LanguageModelTrainer(replace(SHORT, epochs=2), tiny(base), show=show).fit(data, [], seed=0)
    assert shown[0][0].startswith("training 0 million weights takes about")
    first = [(done, total) for stage, done, total in shown if stage.startswith("epoch 1 of at most 2")]
    assert first[0] == (0, len(data))
    assert first[-1] == (len(data), len(data))
    assert len(first) > 2
    assert any(stage.startswith("epoch 2 of at most 2, loss ") for stage, _, _ in shown)


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": 0.0}, {"learning_rate": -1.0}, {"batch_pairs": 0}, {"batch_tokens": 0}]
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TrainSettings(**wrong)


@pytest.mark.parametrize(
    ("method", "given", "rates"),
    [
        ("askwell", {}, (None, None)),
        ("askwell", {"learning_rate": 1e-4}, (1e-4, None)),
        ("qpo", {}, (1e-3, 1e-4)),
        ("qpo", {"learning_rate": 1e-4}, (1e-4, 1e-5)),
        ("qpo", {"learning_rate": 1e-4, "later_learning_rate": 1e-4}, (1e-4, 1e-4)),
    ],
)
def test_a_rate_carries_over_to_later_loops(method: str, given: dict[str, float], rates: tuple[float, float]) -> None:
    assert method in METHODS
    policy = PolicyConfig(method=cast("Any", method), settings=given)
    training = build_policy_settings(policy, seed=0).training
    assert (training.learning_rate, training.later_learning_rate) == pytest.approx(rates) or rates == (
        training.learning_rate,
        training.later_learning_rate,
    )

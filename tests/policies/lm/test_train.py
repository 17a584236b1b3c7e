"""Training of a prompt generator: it learns, it resumes, it is deterministic."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch is typed in part only)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - after the skip

from askwell.core.errors import ConfigError, DataError  # noqa: E402
from askwell.core.types import Experience  # noqa: E402
from askwell.policies.lm.train import Epoch, LanguageModelTrainer  # noqa: E402
from askwell.policies.lm.writer import LanguageModelWriter, load_writer  # noqa: E402
from askwell.policies.settings import QPO_TRAINING  # noqa: E402
from tests.support.checkpoints import make_checkpoint  # noqa: E402
from tests.support.trained_policies import BAD, GOOD, QUICK, queries, tiny, world  # noqa: E402


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("base")


def weights(writer: LanguageModelWriter) -> Tensor:
    return torch.cat([one.detach().flatten() for one in writer.model.parameters()])


def share_good(writer: LanguageModelWriter) -> float:
    unseen = queries(20, seed=99)
    return sum(
        written == GOOD[text.split()[0]] for text, [written] in zip(unseen, writer.write(unseen), strict=True)
    ) / len(unseen)


@pytest.mark.parametrize(
    "settings",
    [
        QUICK,
        replace(QUICK, objective="filtered-cloning", kept_share=0.3),
        replace(QUICK, objective="advantage-weighted"),
        replace(QUICK, packed=False, signal="reward", standardise=False, most_shared=1, target_quantile=1.0),
    ],
    ids=["reward-conditioned", "filtered-cloning", "advantage-weighted", "the paper's form"],
)
def test_a_policy_generates_and_values_what_works_for_unseen_queries(base: Path, settings: object) -> None:
    trainer = LanguageModelTrainer(settings, tiny(base))  # pyright: ignore[reportArgumentType] - parametrized
    writer = trainer.fit(world(20, seed=0), world(6, seed=1), seed=0)
    assert share_good(writer) > 0.9
    unseen = queries(10, seed=99)
    good = writer.value([(text, GOOD[text.split()[0]]) for text in unseen])
    bad = writer.value([(text, BAD) for text in unseen])
    assert min(good) > max(bad)


def test_conditions_may_be_words_instead_of_embeddings(base: Path) -> None:
    model = tiny(base, conditioning="tokens")
    writer = LanguageModelTrainer(replace(QUICK, epochs=24), model).fit(world(20, seed=0), [], seed=0)
    assert share_good(writer) > 0.9
    assert not hasattr(writer.model, "condition")


def test_the_same_arguments_give_the_same_writer_packed_or_plain(base: Path) -> None:
    data, short = world(8, seed=0), replace(QUICK, epochs=3)
    first = LanguageModelTrainer(short, tiny(base)).fit(data, [], seed=1)
    again = LanguageModelTrainer(short, tiny(base)).fit(data, [], seed=1)
    plain = LanguageModelTrainer(replace(short, packed=False), tiny(base)).fit(data, [], seed=1)
    other = LanguageModelTrainer(short, tiny(base)).fit(data, [], seed=2)
    assert torch.equal(weights(first), weights(again))
    torch.testing.assert_close(weights(first), weights(plain), atol=1e-3, rtol=1e-3)
    assert not torch.allclose(weights(first), weights(other), atol=1e-3)


def test_pairs_drawn_one_by_one_are_encoded_together_with_the_same_losses(base: Path) -> None:
    """The paper's batches: a query that is in a batch several times is still encoded once."""
    data, history = world(8, seed=0), {True: list[Epoch](), False: list[Epoch]()}
    for packed, seen in history.items():
        settings = replace(QUICK, epochs=3, most_shared=1, packed=packed)
        LanguageModelTrainer(settings, tiny(base), on_epoch=seen.append).fit(data, world(3, seed=1), seed=1)
    for one, other in zip(history[True], history[False], strict=True):
        assert one.train.total == pytest.approx(other.train.total, abs=1e-4)


def test_without_patience_the_dev_loss_is_measured_after_the_last_epoch_only(base: Path) -> None:
    seen: list[Epoch] = []
    settings = replace(QUICK, epochs=3, patience=0)
    LanguageModelTrainer(settings, tiny(base), on_epoch=seen.append).fit(world(6, seed=0), world(3, seed=1), seed=0)
    assert [one.dev is None for one in seen] == [True, True, False]


class Killed(RuntimeError):
    """Stands for a kill after an epoch."""


def test_a_killed_training_resumes_to_the_same_writer(base: Path, tmp_path: Path) -> None:
    settings, data = replace(QUICK, epochs=6, patience=4), (world(8, seed=0), world(3, seed=1))
    whole = LanguageModelTrainer(settings, tiny(base)).fit(*data, seed=0)
    seen: list[int] = []

    def killed(epoch: Epoch) -> None:
        seen.append(epoch.number)
        if len(seen) in (2, 4):
            raise Killed

    def trainer() -> LanguageModelTrainer:
        return LanguageModelTrainer(settings, tiny(base), checkpoints=tmp_path, on_epoch=killed)

    for _ in range(2):
        with pytest.raises(Killed):
            trainer().fit(*data, seed=0)
    resumed = trainer().fit(*data, seed=0)
    assert seen == [0, 1, 2, 3, 4, 5]
    assert torch.equal(weights(whole), weights(resumed))
    with pytest.raises(ConfigError, match="other data, settings or seed"):
        trainer().fit(*data, seed=1)


def test_dropout_resumes_with_its_rng_state(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "base", architecture="gpt2")
    model, settings = tiny(tmp_path / "base"), replace(QUICK, epochs=3)
    whole = LanguageModelTrainer(settings, model).fit(world(4, seed=0), [], seed=0)

    def killed(epoch: Epoch) -> None:
        if epoch.number == 1:
            raise Killed

    trainer = LanguageModelTrainer(settings, model, checkpoints=tmp_path)
    with pytest.raises(Killed):
        replace(trainer, on_epoch=killed).fit(world(4, seed=0), [], seed=0)
    assert torch.equal(weights(whole), weights(trainer.fit(world(4, seed=0), [], seed=0)))


def test_a_later_loop_continues_from_a_copy_of_the_first_writer(base: Path) -> None:
    trainer = LanguageModelTrainer(replace(QUICK, later_epochs=2, later_learning_rate=1e-3), tiny(base))
    first = trainer.fit(world(20, seed=0), [], seed=0)
    before = weights(first).clone()
    second = trainer.fit(world(20, seed=5), [], start=first, seed=0)
    assert torch.equal(before, weights(first))
    assert not torch.equal(before, weights(second))
    assert (second.scale.mean, second.scale.spread) == (first.scale.mean, first.scale.spread)
    assert share_good(second) > 0.9


def test_the_best_epoch_is_kept_and_training_stops_when_dev_gets_worse(base: Path) -> None:
    history: list[Epoch] = []
    settings = replace(QUICK, epochs=40, patience=2)
    trainer = LanguageModelTrainer(settings, tiny(base), on_epoch=history.append)
    contrary = [replace(one, reward=1.0 - one.reward) for one in world(3, seed=1)]  # the opposite of what is learnt
    trainer.fit(world(6, seed=0), contrary, seed=0)
    losses = [one.dev.total for one in history if one.dev is not None]
    assert len(losses) == len(history) < 40
    assert losses.index(min(losses)) == len(losses) - 4


def test_the_papers_numbers() -> None:
    paper = QPO_TRAINING
    assert (
        paper.learning_rate,
        paper.epochs,
        paper.later_learning_rate,
        paper.later_epochs,
    ) == (1e-3, 100, 1e-4, 20)
    assert (paper.decay, paper.decay_every, paper.batch_pairs, paper.clip) == (
        0.65,
        20,
        128,
        0.25,
    )
    assert (paper.weight_decay, paper.value_weight, paper.target_quantile) == (1e-4, None, 1.0)
    assert (paper.signal, paper.most_shared, paper.patience) == ("reward", 1, 0)


def test_advantages_must_be_known_for_most(base: Path) -> None:
    data = [Experience(query=f"sum {n}", prompt="add", reward=1.0) for n in range(4)]
    trainer = LanguageModelTrainer(replace(QUICK, signal="advantage"), tiny(base))
    with pytest.raises(ConfigError, match="4 of 4 experiences have no advantage"):
        trainer.fit(data, [])
    with pytest.raises(DataError, match="no experience"):
        LanguageModelTrainer(QUICK, tiny(base)).fit([], [])
    with pytest.raises(DataError, match="dev queries are in the training data too, such as ' sum 0'"):
        LanguageModelTrainer(QUICK, tiny(base)).fit(data, [replace(data[0], query=" sum 0")])


def test_lora_trains_adapters_only(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="lora_rank needs the lora extra")
    writer = LanguageModelTrainer(replace(QUICK, epochs=2), tiny(base, lora_rank=4)).fit(world(6, seed=0), [], seed=0)
    trained = {name for name, one in writer.model.named_parameters() if one.requires_grad and name.startswith("base.")}
    assert trained
    assert all(".lora_" in name for name in trained)
    writer.save(tmp_path)
    assert not (tmp_path / "base").exists()
    again = load_writer(tmp_path)
    unseen = queries(4, seed=9)
    assert again.write(unseen) == writer.write(unseen)
    assert again.value([(text, "add") for text in unseen]) == writer.value([(text, "add") for text in unseen])

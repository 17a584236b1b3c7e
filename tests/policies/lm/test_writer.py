"""A trained writer: a query's prompts depend on that query alone, and a saved writer is loaded as the same."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch is typed in part only)

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from askwell.core.errors import ConfigError, DataError  # noqa: E402 - after the skip
from askwell.policies.lm.generate import GenerationSettings  # noqa: E402
from askwell.policies.lm.model import build_policy_model  # noqa: E402
from askwell.policies.lm.train import LanguageModelTrainer  # noqa: E402
from askwell.policies.lm.writer import LanguageModelWriter, load_writer  # noqa: E402
from tests.support.checkpoints import make_checkpoint  # noqa: E402
from tests.support.trained_policies import GOOD, QUICK, queries, tiny, world  # noqa: E402

LENGTHS = ["a", "sum 12 34", "word " * 6, "sum 1", "x" * 60]


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> LanguageModelWriter:
    base = tmp_path_factory.mktemp("base")
    settings = replace(QUICK, epochs=4)  # half-learnt: its samples differ
    return LanguageModelTrainer(settings, tiny(base)).fit(world(8, seed=0), [], seed=0)


@pytest.mark.parametrize("samples", [0, 5])
def test_a_querys_prompts_are_the_same_alone_and_in_a_batch(writer: LanguageModelWriter, samples: int) -> None:
    batch = writer.write(LENGTHS, samples=samples, seed=3)
    assert batch == [writer.write([text], samples=samples, seed=3)[0] for text in LENGTHS]
    assert batch == writer.write(LENGTHS[::-1], samples=samples, seed=3)[::-1]
    assert all(len(prompts) == max(1, samples) and all(prompts) for prompts in batch)


def test_samples_depend_on_the_seed_and_duplicates_are_kept(writer: LanguageModelWriter) -> None:
    first, again, other = (writer.write(["sum 5 6"], samples=40, seed=seed)[0] for seed in (0, 0, 1))
    assert first == again != other
    assert 1 < len(set(first)) < 40


def test_samples_come_from_the_likeliest_tokens_only(writer: LanguageModelWriter) -> None:
    one = LanguageModelWriter(writer.model, writer.tokenizer, scale=writer.scale, sampling=GenerationSettings(top_k=1))
    narrow = LanguageModelWriter(
        writer.model, writer.tokenizer, scale=writer.scale, sampling=GenerationSettings(top_p=1e-6)
    )
    [greedy] = writer.write(["word 7"])
    assert one.write(["word 7"], samples=3) == narrow.write(["word 7"], samples=3) == [greedy * 3]


def test_sampling_follows_the_models_shares(writer: LanguageModelWriter) -> None:
    drawn = Counter(prompt[0] for prompt in writer.write(["sum 5 6"], samples=2000, seed=0)[0])
    [(first, count), (second, _)] = drawn.most_common()
    tokenizer = writer.tokenizer
    from askwell.policies.lm.shared_prefix import QueryGroup, Suffix

    suffix = Suffix(
        condition_tokens=tokenizer.encode_condition(),
        prompt=tokenizer.encode_prompt("a"),
        condition=writer.scale.target,
    )
    batch = writer.model.collate(
        [QueryGroup(query=tokenizer.encode_query("sum 5 6"), suffixes=(suffix,))], packed=False
    )
    with torch.no_grad():
        logits = writer.model.logits(writer.model.hidden(batch))[0]
    odds = torch.softmax(logits[[tokenizer.encode_prompt(first)[0], tokenizer.encode_prompt(second)[0]]], dim=0)
    assert count / 2000 == pytest.approx(float(odds[0]), abs=0.04)


def test_values_are_the_same_alone_in_any_order_and_in_the_signals_unit(writer: LanguageModelWriter) -> None:
    pairs = [(query, prompt) for query in queries(3, seed=4) for prompt in (*GOOD.values(), "guess", "a new one")]
    values = writer.value(pairs)
    assert writer.value(pairs[::-1])[::-1] == pytest.approx(values, abs=1e-4)
    assert [writer.value([pair])[0] for pair in pairs] == pytest.approx(values, abs=1e-4)
    shifted = replace(writer.scale, mean=writer.scale.mean + 5)
    other = LanguageModelWriter(writer.model, writer.tokenizer, scale=shifted, sampling=writer.sampling)
    assert other.value(pairs) == pytest.approx([value + 5 for value in values], abs=1e-4)
    assert writer.value([]) == []
    assert writer.write([]) == []


def test_a_saved_writer_writes_and_values_the_same(writer: LanguageModelWriter, tmp_path: Path) -> None:
    writer.save(tmp_path)
    again = load_writer(tmp_path)
    unseen = queries(4, seed=9)
    assert again.write(unseen, samples=3, seed=1) == writer.write(unseen, samples=3, seed=1)
    assert again.value([(text, "add") for text in unseen]) == writer.value([(text, "add") for text in unseen])
    suffixes = {file.suffix for file in tmp_path.rglob("*") if file.is_file()}
    assert suffixes <= {".json", ".safetensors", ".jinja"}


def test_folders_that_hold_no_policy_are_named(writer: LanguageModelWriter, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no readable policy"):
        load_writer(tmp_path)
    writer.save(tmp_path)
    body: dict[str, Any] = json.loads((tmp_path / "policy.json").read_text(encoding="utf-8"))
    (tmp_path / "policy.json").write_text(json.dumps(body | {"format": 99}), encoding="utf-8")
    with pytest.raises(DataError, match="format 2"):
        load_writer(tmp_path)


def test_a_base_too_short_for_the_settings_is_refused(tmp_path: Path) -> None:
    settings = tiny(make_checkpoint(tmp_path, context=64))
    with pytest.raises(ConfigError, match="takes 64 tokens"):
        build_policy_model(replace(settings, max_query_tokens=60), seed=0)

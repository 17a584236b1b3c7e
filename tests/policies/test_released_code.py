"""The nine defects of QPO's released code, one test each: ours must not have them (section 4 of its specification).

Nine, since three lines there name two defects each.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch is typed in part only)

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from askwell.core.stats import mean_interval  # noqa: E402
from askwell.core.types import Experience  # noqa: E402
from askwell.policies.lm.model import build_policy_model  # noqa: E402 - after the skip
from askwell.policies.lm.shared_prefix import QueryGroup, Suffix  # noqa: E402
from askwell.policies.lm.tokenization import PolicyTokenizer  # noqa: E402
from askwell.policies.lm.train import Epoch, LanguageModelTrainer  # noqa: E402
from askwell.policies.lm.writer import LanguageModelWriter  # noqa: E402
from askwell.policies.settings import ModelSettings  # noqa: E402 - after the skip
from tests.support.checkpoints import make_checkpoint  # noqa: E402
from tests.support.trained_policies import BAD, GOOD, QUICK, queries, tiny, world  # noqa: E402


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def writer(base: Path) -> LanguageModelWriter:
    return LanguageModelTrainer(QUICK, tiny(base)).fit(world(20, seed=0), world(4, seed=1), seed=0)


def test_queries_are_not_cut_at_40_tokens(tmp_path: Path) -> None:
    model, base_tokenizer = build_policy_model(ModelSettings(base=str(make_checkpoint(tmp_path, context=512))), seed=0)
    tokenizer = PolicyTokenizer(base_tokenizer, model.settings)
    query = "".join(
        chr(97 + place % 26) for place in range(255)
    )  # 256 tokens of one byte each, the line break included
    assert base_tokenizer.decode(list(tokenizer.encode_query(query))) == query + "\n"
    assert tokenizer.truncated.queries == 0


def test_a_truncation_is_counted_and_warned_of(writer: LanguageModelWriter, caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = PolicyTokenizer(writer.tokenizer.base, writer.tokenizer.settings)
    fresh = LanguageModelWriter(writer.model, tokenizer, scale=writer.scale, sampling=writer.sampling)
    with caplog.at_level(logging.WARNING):
        fresh.write(["sum 12 34", "s" * 20 + "m" * 20 + "e" * 20])
    assert (tokenizer.truncated.queries, tokenizer.truncated.of_queries) == (1, 2)
    assert "1 of 2 queries are longer than 32 tokens" in caplog.text
    assert (
        tokenizer.decode(tokenizer.encode_query("s" * 20 + "m" * 20 + "e" * 20)) == "s" * 16 + "e" * 15
    )  # both ends are kept


def test_padding_is_not_attended_to_in_generation(writer: LanguageModelWriter) -> None:
    unseen = queries(3, seed=9)
    padded = writer.write([*unseen, "sum 1234567890 1234567890"])
    assert padded[:-1] == [writer.write([text])[0] for text in unseen]


def test_the_first_prompt_token_is_not_predicted_from_a_pad(writer: LanguageModelWriter) -> None:
    """It is predicted from the condition, right after the query, as in training; a batch's longest row has no pad."""
    short, long = "sum 10 20", "sum 12345 67890"
    for text, [written] in zip((short, long), writer.write([short, long]), strict=True):
        tokenizer = writer.tokenizer
        suffix = Suffix(
            condition_tokens=tokenizer.encode_condition(),
            prompt=tokenizer.encode_prompt(written),
            condition=writer.scale.target,
        )
        batch = writer.model.collate([QueryGroup(query=tokenizer.encode_query(text), suffixes=(suffix,))], packed=True)
        with torch.no_grad():
            expected = writer.model.logits(writer.model.hidden(batch)).argmax(dim=-1)
        assert expected.tolist() == [*tokenizer.encode_prompt(written), tokenizer.end_id]


def test_decoding_stops_at_end_of_text(writer: LanguageModelWriter) -> None:
    written = [prompt for [prompt] in writer.write(queries(8, seed=9))]
    assert set(written) == set(GOOD.values())  # nothing after the end, far below max_prompt_tokens


def test_the_value_does_not_read_the_reward_it_predicts(writer: LanguageModelWriter) -> None:
    """Read at the last prompt token with the condition hidden, it tells good from bad on queries never seen."""
    unseen = queries(10, seed=9)
    pairs = [(text, prompt) for text in unseen for prompt in (*GOOD.values(), BAD)]
    values = writer.value(pairs)
    right = [prompt == GOOD[text.split()[0]] for text, prompt in pairs]
    assert min(value for value, good in zip(values, right, strict=True) if good) > max(
        value for value, good in zip(values, right, strict=True) if not good
    )
    low_target = replace(writer.scale, target=-5.0)
    other = LanguageModelWriter(writer.model, writer.tokenizer, scale=low_target, sampling=writer.sampling)
    assert other.value(pairs) == values


def test_failures_are_kept(base: Path) -> None:
    """Successes alone can't say what fails: the value of what never worked must come from its failures."""
    data = world(12, seed=0)
    assert sum(one.reward == 0.0 for one in data) > len(data) / 2
    successes = [one for one in data if one.reward > 0]
    on_successes = LanguageModelTrainer(QUICK, tiny(base)).fit(successes, [], seed=0)
    writer = LanguageModelTrainer(QUICK, tiny(base)).fit(data, [], seed=0)
    unseen = queries(8, seed=9)

    def least_margin(writer: LanguageModelWriter) -> float:
        """Return the least difference between the values of the good and the bad prompt of a query."""
        good = writer.value([(text, GOOD[text.split()[0]]) for text in unseen])
        bad = writer.value([(text, BAD) for text in unseen])
        return min(a - b for a, b in zip(good, bad, strict=True))

    assert least_margin(writer) > 0.5 > abs(least_margin(on_successes))


def test_the_epoch_is_selected_on_held_out_queries(base: Path) -> None:
    history: list[Epoch] = []
    settings = replace(QUICK, epochs=12, patience=12)
    contrary = [Experience(query=one.query, prompt=one.prompt, reward=1.0 - one.reward) for one in world(3, seed=1)]
    trainer = LanguageModelTrainer(settings, tiny(base), on_epoch=history.append)
    writer = trainer.fit(world(12, seed=0), contrary, seed=0)
    losses = [one.dev.total for one in history if one.dev is not None]
    best = losses.index(min(losses))
    assert best < len(losses) - 1
    stopped = LanguageModelTrainer(replace(settings, epochs=best + 1), tiny(base)).fit(world(12, seed=0), contrary)
    for kept, expected in zip(writer.model.parameters(), stopped.model.parameters(), strict=True):
        assert torch.equal(kept, expected)


def test_a_result_on_100_queries_says_how_little_that_is() -> None:
    """±4.5 points at .95: every score here carries its interval, and a test split is scored whole."""
    few, many = (mean_interval([1.0] * (95 * n) + [0.0] * (5 * n)) for n in (1, 20))
    assert math.isclose((few.high - few.low) / 2, 0.045, abs_tol=0.005)
    assert (many.high - many.low) / 2 < 0.011

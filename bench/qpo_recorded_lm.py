"""Train every language-model objective of QPO, and QPO as published, on recorded outcomes; score on held-out questions.

Command (about a quarter of an hour of CPU time; depends on --questions, --epochs and --seeds):

    python bench/qpo_recorded.py --lm [--data …/math_prompts_llama2_7b_chat.parquet]

One policy per objective is trained on rows of split `train` from all data sets together (a sample of questions of each,
a tenth of them for early stopping), and scored on `dev` (GSM8K has no dev rows; there, on other questions of `train`).
Only prompts of the pool have recorded outcomes, so a policy's prompt is selected *within the pool*:

* `likelihood`: the prompt with the highest likelihood, end token included, given the query and the target reward;
* `value`: the prompt with the highest value by the value head (in the paper the head does not select).

Neither has a fallback threshold. The base is the bundled model, as no pretrained GPT-2 is available offline. The
paper's 100 epochs are cut to `--epochs` for all, and its pairs are packed, which does not change the losses.
"""
# ruff: noqa: N806 - axes in capitals

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from askwell.core.types import Experience
from askwell.policies.data.outcomes import PairOutcomes, drop_queries, merge
from askwell.policies.data.table import OutcomeTable, build_table, find_baseline
from askwell.policies.lm.dpo import Preferences
from askwell.policies.lm.shared_prefix import Group, Suffix
from askwell.policies.lm.train import LanguageModelTrainer
from askwell.policies.lm.writer import LanguageModelWriter
from askwell.policies.settings import QPO_TRAINING, ModelSettings, Objective, TrainSettings
from recorded import Row, as_rows, format_gain, list_datasets, merge_rows, sample_queries, score_columns

MODEL = ModelSettings(base="pocket", max_prompt_tokens=96)
"""The longest prompt has 82 of its tokens."""

BATCH_PAIRS = 64
"""Half of the default: so short a training gains more from additional steps than from larger batches."""

QUERIES_AT_ONCE = 16
SPLIT_OFF = 200
"""Questions held out of a data set that has no dev rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One data set: training outcomes, table to score, and baseline prompt (chosen on all of train)."""

    name: str
    train: PairOutcomes
    test: OutcomeTable
    baseline: int


def compare_language_models(rows: Sequence[Row], *, questions: int, epochs: int, seeds: int) -> None:
    """Print gains over the baseline prompt, in points, one line for each objective and way of selecting."""
    for seed in range(seeds):
        parts = list(_parts(rows, questions, seed))
        train, stop = _experience(parts, seed)
        print(f"\nseed {seed}: {len(train)} training pairs, {len(stop)} for early stopping, {epochs} epochs at most")
        print(f"{'objective':22s}{'chosen by':12s}" + "".join(f"{_title(part):>30s}" for part in parts))
        for name, settings in objectives(epochs).items():
            began = time.process_time()
            trainer = LanguageModelTrainer(settings, MODEL, preferences=Preferences(pairs_per_query=4, epochs=1))
            writer = trainer.fit(train, stop, seed=seed)
            for way in ("likelihood", "value"):
                gains = [format_gain(_gains(writer, part, way)) for part in parts]
                print(f"{name:22s}{way:12s}" + "".join(f"{gain:>30s}" for gain in gains), flush=True)
            print(f"{'':22s}{time.process_time() - began:.0f} s of CPU time", flush=True)


def objectives(epochs: int) -> dict[str, TrainSettings]:
    """Ours with each objective, and the paper's settings."""
    names: tuple[Objective, ...] = ("reward-conditioned", "filtered-cloning", "advantage-weighted", "dpo")
    ours = {str(name): TrainSettings(objective=name, epochs=epochs, batch_pairs=BATCH_PAIRS) for name in names}
    return ours | {
        "QPO as published": replace(QPO_TRAINING, epochs=epochs, batch_pairs=BATCH_PAIRS, packed=True, most_shared=32)
    }


def _parts(rows: Sequence[Row], questions: int, seed: int) -> Iterator[Part]:
    names = list_datasets(rows, None)
    inside = {name: merge_rows(row for row in rows if row.dataset == name and row.split == "train") for name in names}
    outside = {name: merge_rows(row for row in rows if row.dataset == name and row.split != "train") for name in names}
    for name in names:
        if not outside[name].pairs:  # GSM8K: split train by question
            outside[name] = sample_queries(inside[name], SPLIT_OFF, seed=seed)
    held_out = [query for outcomes in outside.values() for query in outcomes.queries]
    for name in names:
        train = drop_queries(inside[name], held_out)
        whole = build_table(train)
        test = build_table(outside[name], prompts=whole.prompts)
        yield Part(
            name=name, train=sample_queries(train, questions, seed=seed), test=test, baseline=find_baseline(whole)
        )


def _experience(parts: Sequence[Part], seed: int) -> tuple[list[Experience], list[Experience]]:
    """Return the training pairs of all data sets, and those of a tenth of the questions for early stopping."""
    together = merge(row for part in parts for row in as_rows(part.train))
    queries = list(together.queries)
    random.Random(seed).shuffle(queries)
    stopping = set(queries[: len(queries) // 10])
    train: list[Experience] = []
    stop: list[Experience] = []
    for pair in together.pairs:
        one = Experience(query=pair.query, prompt=pair.prompt, reward=pair.mean)
        (stop if pair.query in stopping else train).append(one)
    return train, stop


def _gains(writer: LanguageModelWriter, part: Part, way: str) -> np.ndarray:
    rate = likelihoods if way == "likelihood" else values
    return score_columns(
        part.test, rate(writer, part.test.queries, part.test.prompts).argmax(axis=1), part.baseline
    ).gains


def values(writer: LanguageModelWriter, queries: Sequence[str], prompts: Sequence[str]) -> np.ndarray:
    """Return the value head's predictions for every pair: (queries, prompts)."""
    pairs = [(query, prompt) for query in queries for prompt in prompts]
    return np.array(writer.value(pairs)).reshape(len(queries), len(prompts))


@torch.inference_mode()
def likelihoods(writer: LanguageModelWriter, queries: Sequence[str], prompts: Sequence[str]) -> np.ndarray:
    """Log-probability in nats that the policy writes the prompt and ends, aiming at its target: (queries, prompts)."""
    texts, scale, model = writer.texts, writer.scale, writer.model
    tails = tuple(
        Suffix(lead=texts.lead(scale.word(scale.aim)), prompt=texts.prompt(prompt), condition=scale.aim)
        for prompt in prompts
    )
    model.eval()
    found: list[list[float]] = []
    for begin in range(0, len(queries), QUERIES_AT_ONCE):
        some = queries[begin : begin + QUERIES_AT_ONCE]
        laid = model.lay([Group(query=texts.query(query), tails=tails) for query in some], packed=True)
        words_MV = torch.log_softmax(model.logits(model.hidden(laid)), dim=-1)
        word_M = words_MV.gather(1, laid.labels_M[:, None]).squeeze(1)
        sums_P = torch.zeros(len(laid.last_P)).index_add(0, laid.tail_M, word_M)
        found += sums_P.view(len(some), len(prompts)).tolist()
    return np.array(found)


def _title(part: Part) -> str:
    return f"{part.name} ({len(part.test.queries)})"

"""Train every language-model objective of QPO, and QPO as published, on recorded outcomes; score on held-out questions.

Command:  python bench/qpo_recorded.py --lm [--data …/math_prompts_llama2_7b_chat.parquet]
          (CPU time about a quarter of an hour; --questions, --epochs and --seeds change that)

One policy per objective is trained on rows of split `train` from all data sets together (a sample of questions of each,
a tenth of them for early stopping). It is scored on `dev` (GSM8K has no dev rows: questions of `train` that were not
sampled). Only prompts of the pool have recorded outcomes, so the policy's prompt is selected *within the pool*:

* `likelihood`: the prompt with the highest likelihood, end token included, given the query and the target reward;
* `value`: the prompt with the highest value by the value head (in the paper's form the head selects nothing).

Neither has a fallback threshold. The base is the bundled model, because a pretrained GPT-2 needs a download. The
paper's 100 epochs are cut to `--epochs` for all, and its pairs are packed, which leaves the losses as they are.
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
from askwell.policies.data.outcomes import PairOutcomes, merge, without
from askwell.policies.data.table import Table, baseline_prompt, table_of
from askwell.policies.lm.dpo import Preferences
from askwell.policies.lm.shared_prefix import Group, Suffix
from askwell.policies.lm.train import LanguageModelTrainer
from askwell.policies.lm.writer import LanguageModelWriter
from askwell.policies.settings import QPO_TRAINING, ModelSettings, Objective, TrainSettings
from recorded import Row, cells_of, datasets, format_gain, sampled, scored, to_rows

MODEL = ModelSettings(base="pocket", max_prompt_tokens=96)
"""The longest prompt has 82 tokens."""

BATCH_PAIRS = 64
"""Half of the default: in so short a training, more steps are worth more than less noisy ones."""

QUERIES_AT_ONCE = 16
SPLIT_OFF = 200
"""Questions held out from a data set that has no dev rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One data set: outcomes to train on, a table to score, and the baseline prompt (selected on all of train)."""

    name: str
    train: PairOutcomes
    test: Table
    baseline: int


def compare_language_models(rows: Sequence[Row], *, questions: int, epochs: int, seeds: int) -> None:
    """Print gains over the baseline prompt, in points, one row per objective and way of selecting."""
    for seed in range(seeds):
        parts = list(_parts(rows, questions, seed))
        train, stop = _experience(parts, seed)
        print(f"\nseed {seed}: {len(train)} pairs to train on, {len(stop)} for early stopping, {epochs} epochs at most")
        print(f"{'objective':22s}{'selected by':12s}" + "".join(f"{_title(part):>30s}" for part in parts))
        for name, settings in objectives(epochs).items():
            began = time.process_time()
            trainer = LanguageModelTrainer(settings, MODEL, preferences=Preferences(pairs_per_query=4, epochs=1))
            writer = trainer.fit(train, stop, seed=seed)
            for way in ("likelihood", "value"):
                gains = [format_gain(_gains(writer, part, way)) for part in parts]
                print(f"{name:22s}{way:12s}" + "".join(f"{gain:>30s}" for gain in gains), flush=True)
            print(f"{'':22s}{time.process_time() - began:.0f} s of CPU time", flush=True)


def objectives(epochs: int) -> dict[str, TrainSettings]:
    """Return our settings with each objective, and the paper's settings."""
    names: tuple[Objective, ...] = ("reward-conditioned", "filtered-cloning", "advantage-weighted", "dpo")
    ours = {str(name): TrainSettings(objective=name, epochs=epochs, batch_pairs=BATCH_PAIRS) for name in names}
    return ours | {
        "QPO as published": replace(QPO_TRAINING, epochs=epochs, batch_pairs=BATCH_PAIRS, packed=True, most_shared=32)
    }


def _parts(rows: Sequence[Row], questions: int, seed: int) -> Iterator[Part]:
    names = datasets(rows, None)
    inside = {name: cells_of(row for row in rows if row.dataset == name and row.split == "train") for name in names}
    outside = {name: cells_of(row for row in rows if row.dataset == name and row.split != "train") for name in names}
    for name in names:
        if not outside[name].cells:  # GSM8K: split train by question
            outside[name] = sampled(inside[name], SPLIT_OFF, seed=seed)
    held_out = [query for cells in outside.values() for query in cells.queries]
    for name in names:
        train = without(inside[name], held_out)
        whole = table_of(train)
        test = table_of(outside[name], prompts=whole.prompts)
        yield Part(name=name, train=sampled(train, questions, seed=seed), test=test, baseline=baseline_prompt(whole))


def _experience(parts: Sequence[Part], seed: int) -> tuple[list[Experience], list[Experience]]:
    """Return the pairs of all data sets: for training, and a tenth of the questions for early stopping."""
    together = merge(row for part in parts for row in to_rows(part.train))
    queries = list(together.queries)
    random.Random(seed).shuffle(queries)
    stopping = set(queries[: len(queries) // 10])
    train: list[Experience] = []
    stop: list[Experience] = []
    for cell in together.cells:
        experience = Experience(query=cell.query, prompt=cell.prompt, reward=cell.mean)
        (stop if cell.query in stopping else train).append(experience)
    return train, stop


def _gains(writer: LanguageModelWriter, part: Part, way: str) -> np.ndarray:
    rate = likelihoods if way == "likelihood" else values
    return scored(part.test, rate(writer, part.test.queries, part.test.prompts).argmax(axis=1), part.baseline).gains


def values(writer: LanguageModelWriter, queries: Sequence[str], prompts: Sequence[str]) -> np.ndarray:
    """Return the value head's prediction for every pair: (queries, prompts)."""
    pairs = [(query, prompt) for query in queries for prompt in prompts]
    return np.array(writer.value(pairs)).reshape(len(queries), len(prompts))


@torch.inference_mode()
def likelihoods(writer: LanguageModelWriter, queries: Sequence[str], prompts: Sequence[str]) -> np.ndarray:
    """Return the log-probability in nats of each prompt and its end, given the target reward: (queries, prompts)."""
    texts, scale, model = writer.texts, writer.scale, writer.model
    tails = tuple(
        Suffix(lead=texts.lead(scale.word(scale.aim)), prompt=texts.prompt(prompt), condition=scale.aim)
        for prompt in prompts
    )
    model.eval()
    sums: list[list[float]] = []
    for begin in range(0, len(queries), QUERIES_AT_ONCE):
        chunk = queries[begin : begin + QUERIES_AT_ONCE]
        laid = model.lay([Group(query=texts.query(query), tails=tails) for query in chunk], packed=True)
        words_MV = torch.log_softmax(model.logits(model.hidden(laid)), dim=-1)
        word_M = words_MV.gather(1, laid.labels_M[:, None]).squeeze(1)
        sums_P = torch.zeros(len(laid.last_P)).index_add(0, laid.tail_M, word_M)
        sums += sums_P.view(len(chunk), len(prompts)).tolist()
    return np.array(sums)


def _title(part: Part) -> str:
    return f"{part.name} ({len(part.test.queries)})"

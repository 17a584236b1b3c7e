"""Compare shared-prefix training with one row per pair and with trl's SFTTrainer: pairs/s, peak memory, dev loss.

Command:  OMP_NUM_THREADS=1 python bench/qpo_train.py
          (the figures in docs/algorithms/qpo.md; about 4 minutes on one quiet core; --epochs, --queries shorten it)

All three train the same GPT-2-style network (random weights, 6 layers of width 256, 5.4 M parameters; the bundled
model's tokenizer, 2,048 tokens) on the same tokens in the same batches: 30 prompts of 15-30 tokens on every query of
60-120 tokens, 4 queries per batch, AdamW at a constant 3e-4, loss on prompt and end only, float32. Each runs in its own
process. Time covers the training steps alone, as wall time and as CPU time (which a busy machine disturbs less). Memory
is the peak of the resident set above that before the first step. One function computes the dev loss of all, over other
queries.
"""

# pyright: basic
# torch, datasets and trl are only partly typed.

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from askwell.core.types import Experience
from askwell.models.bundled import CHECKPOINT
from askwell.policies.lm.batches import TokenizedPair, TrainingPair, group_by_query, make_batches
from askwell.policies.lm.model import PolicyModel, build_policy_model
from askwell.policies.lm.shared_prefix import QueryGroup, Suffix
from askwell.policies.lm.tokenization import PolicyTokenizer
from askwell.policies.lm.train import LanguageModelTrainer
from askwell.policies.settings import ModelSettings, TrainSettings
from askwell.tasks import bundled

KINDS = ("packed", "plain", "trl")
PROMPTS_PER_QUERY, QUERIES_PER_BATCH = 30, 4
MIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Time, memory and loss of one kind of training."""

    kind: str
    pairs: int
    wall_s: float
    cpu_s: float
    memory_mib: float
    dev_loss: float


class Clock:
    """Wall and CPU time since its construction."""

    def __init__(self) -> None:
        self._began = (time.perf_counter(), time.process_time())
        self.wall_s = self.cpu_s = 0.0

    def stop(self) -> None:
        wall, cpu = self._began
        self.wall_s, self.cpu_s = time.perf_counter() - wall, time.process_time() - cpu


def make_base(folder: Path) -> None:
    """Write the network, with weights sampled by a seed, and the tokenizer."""
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    base_tokenizer: Any = AutoTokenizer.from_pretrained(CHECKPOINT)
    config = GPT2Config(
        vocab_size=len(base_tokenizer),
        n_embd=256,
        n_layer=6,
        n_head=8,
        n_positions=512,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        eos_token_id=base_tokenizer.eos_token_id,
        bos_token_id=base_tokenizer.bos_token_id,
    )
    torch.manual_seed(0)
    GPT2LMHeadModel(config).save_pretrained(folder)
    base_tokenizer.save_pretrained(folder)


def make_data(tokenizer: PolicyTokenizer, n_queries: int) -> list[Experience]:
    """Queries of 60–120 tokens, each with its own 30 of 120 prompts of 15–30 tokens."""
    rng = random.Random(0)
    reviews = [example.input for example in bundled.examples("review_topic", "train", 400)]
    phrases = [
        text
        for task in bundled.task_names()
        for text in (*bundled.held_out_prompts(task), *bundled.style_prompts(task))
    ]
    prompts: dict[str, None] = {}
    while len(prompts) < 120:
        text = " ".join(rng.sample(phrases, rng.choice((2, 2, 3))))
        if 15 <= len(tokenizer.encode_prompt(text)) <= 30:
            prompts[text] = None
    queries: dict[str, None] = {}
    while len(queries) < n_queries:
        text = " ".join(rng.sample(reviews, rng.randint(2, 6)))
        if 60 <= len(tokenizer.encode_query(text)) <= 120:
            queries[text] = None
    return [
        Experience(query=query, prompt=prompt, reward=0.0)
        for query in queries
        for prompt in rng.sample(list(prompts), PROMPTS_PER_QUERY)
    ]


RATE = 3e-4


def settings_of(kind: str, epochs: int) -> TrainSettings:
    """Return settings for plain cloning of all pairs, as SFTTrainer does."""
    return TrainSettings(
        objective="filtered-cloning",
        signal="reward",
        kept_share=1.0,
        value_weight=0.0,
        epochs=epochs,
        learning_rate=RATE,
        decay=1.0,
        batch_pairs=PROMPTS_PER_QUERY * QUERIES_PER_BATCH,
        most_shared=PROMPTS_PER_QUERY,
        patience=0,
        packed=kind == "packed",
    )


def train_ours(settings: TrainSettings, model: ModelSettings, data: Sequence[Experience]) -> tuple[PolicyModel, Clock]:
    """Train with `LanguageModelTrainer`; return the model and a started clock."""
    clock = Clock()
    writer = LanguageModelTrainer(settings, model).fit(data, [], seed=0)
    return writer.model, clock


def train_trl(settings: TrainSettings, model: ModelSettings, data: Sequence[Experience]) -> tuple[PolicyModel, Clock]:
    """Train with SFTTrainer on the same tokens in the same order; the prefix of a prompt is the end token."""
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    policy, base_tokenizer = build_policy_model(model, seed=0)
    tokenizer = PolicyTokenizer(base_tokenizer, model)
    samples = [
        TokenizedPair(query=tokenizer.encode_query(one.query), prompt=tokenizer.encode_prompt(one.prompt), signal=0.0)
        for one in data
    ]

    def weigh(pair: TokenizedPair, hides_condition: bool) -> TrainingPair:
        return TrainingPair(pair=pair, hides_condition=hides_condition, weight=1.0)

    rows: dict[str, list[list[int]]] = {"input_ids": [], "labels": []}
    for epoch in range(settings.epochs):
        for batch in make_batches(group_by_query(samples), weigh, settings, seed=0, epoch=epoch):
            for training_pair in itertools.chain.from_iterable(batch):
                opening = [*training_pair.pair.query, *tokenizer.encode_condition()]
                ending = [*training_pair.pair.prompt, tokenizer.end_id]
                rows["input_ids"].append(opening + ending)
                rows["labels"].append([-100] * len(opening) + ending)
    with tempfile.TemporaryDirectory() as folder:
        options = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=settings.batch_pairs,
            num_train_epochs=1,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.clip,
            train_sampling_strategy="sequential",
            dataset_kwargs={"skip_prepare_dataset": True},
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        policy.base.set_attn_implementation("sdpa")
        trainer = SFTTrainer(
            model=policy.base, args=options, train_dataset=Dataset.from_dict(rows), processing_class=base_tokenizer
        )
        clock = Clock()
        trainer.train()
        clock.stop()
    return policy, clock


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / MIB / MIB


@torch.no_grad()
def dev_loss(policy: PolicyModel, tokenizer: PolicyTokenizer, data: Sequence[Experience], *, injected: bool) -> float:
    """Mean cross-entropy a token of prompts and ends."""
    policy.eval()
    policy.injects = injected
    policy.base.set_attn_implementation("sdpa")
    total, count = 0.0, 0
    for _, rows in itertools.groupby(data, key=lambda pair: pair.query):
        pairs = list(rows)
        suffixes = tuple(
            Suffix(
                condition_tokens=tokenizer.encode_condition(),
                prompt=tokenizer.encode_prompt(one.prompt),
                condition=None,
            )
            for one in pairs
        )
        batch = policy.collate(
            [QueryGroup(query=tokenizer.encode_query(pairs[0].query), suffixes=suffixes)], packed=False
        )
        losses = cross_entropy(policy.logits(policy.hidden(batch)), batch.labels_M, reduction="sum")
        total, count = total + float(losses), count + len(batch.labels_M)
    return total / count


def measure(kind: str, base: Path, *, queries: int, epochs: int) -> Figures:
    """Train once and measure, after a first step on one query as a warm-up."""
    model = ModelSettings(base=str(base), max_query_tokens=160, max_prompt_tokens=40, device="cpu")
    policy, base_tokenizer = build_policy_model(model, seed=0)
    tokenizer = PolicyTokenizer(base_tokenizer, model)
    data = make_data(tokenizer, queries + 8)
    cut = queries * PROMPTS_PER_QUERY
    settings = settings_of(kind, epochs)
    before = _resident_mib()
    train = train_trl if kind == "trl" else train_ours
    train(replace(settings, epochs=1), model, data[:PROMPTS_PER_QUERY])
    policy, clock = train(settings, model, data[:cut])
    if not clock.wall_s:
        clock.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    return Figures(
        kind=kind,
        pairs=cut * epochs,
        wall_s=clock.wall_s,
        cpu_s=clock.cpu_s,
        memory_mib=peak - before,
        dev_loss=dev_loss(policy, tokenizer, data[cut:], injected=kind != "trl"),
    )


def main() -> None:
    """Run each kind in its own process and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--only", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--base", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        figures = measure(options.only, options.base, queries=options.queries, epochs=options.epochs)
        print(json.dumps({name: getattr(figures, name) for name in Figures.__slots__}))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_base(Path(folder))
        rows = [_measure_in_process(kind, folder, options.queries, options.epochs) for kind in KINDS]
    print("| training | pairs/s | pairs per CPU second | peak memory, MiB | final dev loss |\n|---|---|---|---|---|")
    for row in rows:
        rates = f"{row.pairs / row.wall_s:.1f} | {row.pairs / row.cpu_s:.1f}"
        print(f"| {row.kind} | {rates} | {row.memory_mib:.0f} | {row.dev_loss:.4f} |")
    ours = rows[0]
    for row in rows[1:]:
        print(
            f"packed against {row.kind}: {row.wall_s / ours.wall_s:.2f} x pairs/s, {row.cpu_s / ours.cpu_s:.2f} x by "
            f"CPU time; dev loss {100 * (ours.dev_loss / row.dev_loss - 1):+.2f} %"
        )
    assert all(math.isfinite(row.dev_loss) for row in rows)


def _measure_in_process(kind: str, folder: str, queries: int, epochs: int) -> Figures:
    command = [sys.executable, __file__, "--only", kind, "--base", folder]
    command += ["--queries", str(queries), "--epochs", str(epochs)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()

"""Preferences (DPO, through trl): for one query, the prompt that worked over the one that failed.

Not in the paper. Three stages: the best share of the pairs is cloned, so that the model writes prompts at all and there
is a reference to stay near; trl's DPOTrainer learns from (failing, working) pairs of the same query; the value head,
whose hidden states have moved, is fitted again by ridge regression on all outcomes. Conditions are tokens here, since
trl builds its batches from text.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportPrivateImportUsage=false
# (torch, datasets and trl are typed in part only)
# ruff: noqa: N806 - axes in capitals

from __future__ import annotations

import copy
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Experience
from askwell.policies.lm.reward_signals import with_signal
from askwell.policies.lm.shared_prefix import ATTENTION
from askwell.policies.lm.tokenization import Texts
from askwell.policies.lm.writer import LanguageModelWriter
from askwell.policies.settings import Signal

RIDGE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How preferences are drawn and learnt from."""

    pairs_per_query: int = 8
    """At most so many (failing, working) pairs of a query, drawn by the seed."""
    least_difference: float = 0.5
    """In units of the reward: what "worked" and "failed" must be apart."""
    beta: float = 0.1
    """How near the cloned model it stays: DPO's β."""
    learning_rate: float = 5e-5
    epochs: int = 2
    batch_pairs: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """One query with a prompt that worked and one that failed."""

    query: str
    chosen: str
    rejected: str


def preferences(data: Sequence[Experience], settings: Preferences, *, seed: int) -> list[Preference]:
    """Draw pairs within queries, all alike likely; queries on which all prompts did alike give none."""
    rng = random.Random(seed)
    groups: dict[str, list[Experience]] = {}
    for one in data:
        groups.setdefault(one.query, []).append(one)
    found: list[Preference] = []
    for query, members in groups.items():
        apart = [
            Preference(query=query, chosen=good.prompt, rejected=bad.prompt)
            for good in members
            for bad in members
            if good.reward - bad.reward >= settings.least_difference
        ]
        found += rng.sample(apart, min(len(apart), settings.pairs_per_query))
    return found


def prefer(
    writer: LanguageModelWriter, data: Sequence[Experience], settings: Preferences, *, signal: Signal, seed: int
) -> LanguageModelWriter:
    """Tune a cloned writer in place, its value head included, and return it.

    Raises `DataError` where no query has a working and a failing prompt, `ConfigError` where trl is missing.
    """
    pairs = preferences(data, settings, seed=seed)
    if not pairs:
        raise DataError(
            f"no query has two prompts whose rewards are {settings.least_difference} apart: there is nothing to "
            "prefer; train with another objective"
        )
    _learn(writer, pairs, settings, seed=seed)
    _refit_value(writer, data, signal)
    return writer


def _learn(writer: LanguageModelWriter, pairs: Sequence[Preference], settings: Preferences, *, seed: int) -> None:
    try:
        from datasets import Dataset, disable_progress_bars
        from transformers import PrinterCallback
        from trl import DPOConfig, DPOTrainer
    except ImportError as error:
        raise ConfigError("objective='dpo' needs trl: pip install \"askwell[dpo]\"") from error
    disable_progress_bars()
    # trl changes the models and the tokenizer it is given, so it gets copies: one model to tune, one as the reference.
    tuned, reference = _copied(writer.model.base), _copied(writer.model.base)
    with tempfile.TemporaryDirectory() as folder:
        trainer = DPOTrainer(
            model=tuned,
            ref_model=reference,
            args=DPOConfig(output_dir=folder, seed=seed, **_options(writer, settings)),
            train_dataset=Dataset.from_list(_rows(writer.texts, pairs)),
            processing_class=copy.deepcopy(writer.texts.tokenizer),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    with torch.no_grad():
        for kept, learnt in zip(writer.model.base.parameters(), tuned.parameters(), strict=True):
            kept.copy_(learnt)
    writer.model.eval()


def _rows(texts: Texts, pairs: Sequence[Preference]) -> list[dict[str, str]]:
    """Return the pairs as trl's columns; queries are cut as the writer cuts them."""
    lead = texts.text(texts.lead()) + "\n"
    queries = {query: texts.text(texts.query(query)) + "\n" + lead for query in {pair.query for pair in pairs}}
    return [{"prompt": queries[pair.query], "chosen": pair.chosen, "rejected": pair.rejected} for pair in pairs]


def _options(writer: LanguageModelWriter, settings: Preferences) -> dict[str, Any]:
    """Return trl's settings: ours, and those that keep it from printing and from writing files."""
    limits = writer.texts.settings
    return {
        "beta": settings.beta,
        "learning_rate": settings.learning_rate,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": settings.batch_pairs,
        "max_length": limits.max_query_tokens + limits.max_prompt_tokens + 16,
        "use_cpu": writer.model.device.type == "cpu",
        "bf16": writer.model.device.type == "cuda",
        "activation_checkpointing": False,
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
    }


def _copied(base: Any) -> Any:  # noqa: ANN401 - partly typed library
    base.set_attn_implementation("sdpa")
    made = copy.deepcopy(base)
    base.set_attn_implementation(ATTENTION)
    return made


@torch.no_grad()
def _refit_value(writer: LanguageModelWriter, data: Sequence[Experience], signal: Signal) -> None:
    """Ridge regression of the standardised signal on the hidden states of last prompt tokens, in float64."""
    rows = with_signal(data, signal)
    order: list[int] = []
    hidden: list[torch.Tensor] = []
    for places, hidden_PD in writer.last_hidden([(one.query, one.prompt) for one, _ in rows]):
        order += places
        hidden.append(hidden_PD.double())
    features_PD = torch.cat(hidden)
    signal_P = torch.tensor([writer.scale.standard(rows[place][1]) for place in order], dtype=torch.float64)
    mean_D, centre = features_PD.mean(0), signal_P.mean()
    apart_PD = features_PD - mean_D
    gram_DD = apart_PD.T @ apart_PD + RIDGE * torch.eye(len(mean_D), dtype=torch.float64, device=apart_PD.device)
    weight_D = torch.linalg.solve(gram_DD, apart_PD.T @ (signal_P.to(apart_PD.device) - centre))
    writer.model.value_head.weight.copy_(weight_D.unsqueeze(0))
    writer.model.value_head.bias.copy_(centre - mean_D @ weight_D)

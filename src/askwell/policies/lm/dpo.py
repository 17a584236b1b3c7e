"""Preference learning (DPO, through trl): of two prompts for a query, prefer the one that worked.

Not in the paper. Three stages:

1. The best share of the pairs is cloned, so that the model generates prompts at all and DPO has a reference model.
2. trl's DPOTrainer learns from (failing, working) pairs of the same query.
3. The value head is refitted by ridge regression on all outcomes, because stage 2 changed the hidden states it reads.

Conditions are tokens here, because trl builds its batches from text.
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
from askwell.policies.lm.reward_signals import pair_with_signal
from askwell.policies.lm.shared_prefix import ATTENTION
from askwell.policies.lm.tokenization import PolicyTokenizer
from askwell.policies.lm.writer import LanguageModelWriter
from askwell.policies.settings import Signal

RIDGE = 1.0
"""Penalty of the refitted value head, in squared units of a hidden state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceSettings:
    """How preferences are sampled and learnt from."""

    pairs_per_query: int = 8
    """Most (failing, working) pairs per query, drawn by the seed."""
    least_difference: float = 0.5
    """Least difference between the rewards of the two prompts of a pair."""
    beta: float = 0.1
    """DPO's β: a larger one keeps the model closer to the cloned one."""
    learning_rate: float = 5e-5
    epochs: int = 2
    batch_pairs: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """One query with a prompt that worked and one that failed."""

    query: str
    chosen: str
    rejected: str


def sample_preferences(data: Sequence[Experience], settings: PreferenceSettings, *, seed: int) -> list[Preference]:
    """Draw pairs of prompts within each query, uniformly; a query on which all rewards are alike gives none."""
    rng = random.Random(seed)
    groups: dict[str, list[Experience]] = {}
    for experience in data:
        groups.setdefault(experience.query, []).append(experience)
    preferences: list[Preference] = []
    for query, members in groups.items():
        apart = [
            Preference(query=query, chosen=good.prompt, rejected=bad.prompt)
            for good in members
            for bad in members
            if good.reward - bad.reward >= settings.least_difference
        ]
        preferences += rng.sample(apart, min(len(apart), settings.pairs_per_query))
    return preferences


def fit_preferences(
    writer: LanguageModelWriter, data: Sequence[Experience], settings: PreferenceSettings, *, signal: Signal, seed: int
) -> LanguageModelWriter:
    """Tune a cloned writer in place, with its value head, and return it.

    Raises `DataError` if no query has a working and a failing prompt, `ConfigError` if trl is missing.
    """
    pairs = sample_preferences(data, settings, seed=seed)
    if not pairs:
        raise DataError(
            f"no query has two prompts whose rewards are {settings.least_difference} apart: there is nothing to "
            "prefer; train with another objective"
        )
    _run_dpo(writer, pairs, settings, seed=seed)
    _refit_value(writer, data, signal)
    return writer


def _run_dpo(
    writer: LanguageModelWriter, pairs: Sequence[Preference], settings: PreferenceSettings, *, seed: int
) -> None:
    try:
        from datasets import Dataset, disable_progress_bars
        from transformers import PrinterCallback
        from trl import DPOConfig, DPOTrainer
    except ImportError as error:
        raise ConfigError("objective='dpo' needs trl: pip install \"askwell[dpo]\"") from error
    disable_progress_bars()
    # trl changes the models and the tokenizer that it gets, so it gets copies: a model to tune, and a reference.
    tuned, reference = _copy_base(writer.model.base), _copy_base(writer.model.base)
    with tempfile.TemporaryDirectory() as folder:
        trainer = DPOTrainer(
            model=tuned,
            ref_model=reference,
            args=DPOConfig(output_dir=folder, seed=seed, **_options(writer, settings)),
            train_dataset=Dataset.from_list(_rows(writer.tokenizer, pairs)),
            processing_class=copy.deepcopy(writer.tokenizer.base),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    with torch.no_grad():
        for parameter, tuned_parameter in zip(writer.model.base.parameters(), tuned.parameters(), strict=True):
            parameter.copy_(tuned_parameter)
    writer.model.eval()


def _rows(tokenizer: PolicyTokenizer, pairs: Sequence[Preference]) -> list[dict[str, str]]:
    """Return the pairs as trl's columns; queries are truncated as for generation."""
    condition = tokenizer.decode(tokenizer.encode_condition()) + "\n"
    queries = {
        query: tokenizer.decode(tokenizer.encode_query(query)) + "\n" + condition
        for query in {pair.query for pair in pairs}
    }
    return [{"prompt": queries[pair.query], "chosen": pair.chosen, "rejected": pair.rejected} for pair in pairs]


def _options(writer: LanguageModelWriter, settings: PreferenceSettings) -> dict[str, Any]:
    """Return trl's settings: ours, and those that stop it from printing and from writing files."""
    limits = writer.tokenizer.settings
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


def _copy_base(base: Any) -> Any:  # noqa: ANN401 - partly typed library
    """Copy a base with the attention of transformers, since trl does not know ours."""
    base.set_attn_implementation("sdpa")
    copied = copy.deepcopy(base)
    base.set_attn_implementation(ATTENTION)
    return copied


@torch.no_grad()
def _refit_value(writer: LanguageModelWriter, data: Sequence[Experience], signal: Signal) -> None:
    """Fit the value head: ridge regression of the signal on the hidden states at last prompt tokens, in float64."""
    rows = pair_with_signal(data, signal)
    order: list[int] = []
    hidden: list[torch.Tensor] = []
    pairs = [(experience.query, experience.prompt) for experience, _ in rows]
    for indices, hidden_PD in writer.last_hidden(pairs):
        order += indices
        hidden.append(hidden_PD.double())
    features_PD = torch.cat(hidden)
    signal_P = torch.tensor([writer.scale.to_standard(rows[index][1]) for index in order], dtype=torch.float64)
    mean_D, centre = features_PD.mean(0), signal_P.mean()
    centred_PD = features_PD - mean_D
    gram_DD = centred_PD.T @ centred_PD + RIDGE * torch.eye(len(mean_D), dtype=torch.float64, device=centred_PD.device)
    weight_D = torch.linalg.solve(gram_DD, centred_PD.T @ (signal_P.to(centred_PD.device) - centre))
    writer.model.value_head.weight.copy_(weight_D.unsqueeze(0))
    writer.model.value_head.bias.copy_(centre - mean_D @ weight_D)

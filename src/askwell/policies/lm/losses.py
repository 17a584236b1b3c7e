"""The losses of a policy's language model: cross-entropy of prompt and end, plus λ times the value's squared error."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch is typed in part only)
# ruff: noqa: N806 - axes in capitals

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from askwell.policies.lm.batches import TrainingPair, merge_by_query
from askwell.policies.lm.reward_signals import SignalScale
from askwell.policies.lm.shared_prefix import QueryGroup, Suffix
from askwell.policies.lm.tokenization import PolicyTokenizer
from askwell.policies.lm.writer import LanguageModelWriter
from askwell.policies.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Means over a data set in one epoch."""

    wording: float
    """Cross-entropy per token, in nats, of prompts and their ends."""
    value: float
    """Mean squared error of the value, in squared units of the standardised signal."""
    total: float


def sum_losses(
    writer: LanguageModelWriter, chunks: Sequence[Sequence[TrainingPair]], settings: TrainSettings
) -> Tensor:
    """Return four sums: weighted cross-entropy, token weights, squared value errors, and the number of these errors.

    Sums, not means, because the ranks of a fit add theirs before they divide.
    """
    model = writer.model
    if settings.packed:
        chunks = merge_by_query(chunks)
    pairs = [pair for chunk in chunks for pair in chunk]
    if not pairs:
        return torch.zeros(4, device=model.device)
    groups = [_group_chunk(chunk, writer.tokenizer, writer.scale) for chunk in chunks]
    batch = model.collate(groups, packed=settings.packed)
    device = model.device
    weight_P = torch.tensor([pair.weight for pair in pairs], device=device)
    signal_P = torch.tensor([pair.pair.signal for pair in pairs], device=device)
    hides_condition_P = torch.tensor([pair.hides_condition for pair in pairs], device=device)
    use_bf16 = settings.bf16 and device.type == "cuda"
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=use_bf16):
        hidden_MD = model.hidden(batch)
        logits_MV = model.logits(hidden_MD)
    wording_M = cross_entropy(logits_MV.float(), batch.labels_M, reduction="none")
    weight_M = weight_P[batch.suffix_M]
    squares_P = (model.values(hidden_MD[batch.last_P]) - signal_P).square() * hides_condition_P
    return torch.stack([
        (wording_M * weight_M).sum(),
        weight_M.sum(),
        squares_P.sum(),
        hides_condition_P.sum().float(),
    ])  # fmt: skip


def average_losses(sums: Tensor, settings: TrainSettings) -> Losses:
    """Turn the sums of `sum_losses` into means."""
    wording, weight, squares, valued = sums.tolist()
    wording, value = wording / max(weight, 1e-9), squares / max(valued, 1.0)
    return Losses(wording=wording, value=value, total=wording + value_weight(value, settings) * value)


def value_weight(mse: float, settings: TrainSettings) -> float:
    """Return λ: the one of the settings, or the paper's rule."""
    if settings.value_weight is not None:
        return settings.value_weight
    return 0.5 if mse < 10 else 0.1


def _group_chunk(chunk: Sequence[TrainingPair], tokenizer: PolicyTokenizer, scale: SignalScale) -> QueryGroup:
    return QueryGroup(
        query=chunk[0].pair.query,
        suffixes=tuple(
            Suffix(
                condition_tokens=tokenizer.encode_condition(
                    "" if pair.hides_condition else scale.to_word(pair.pair.signal)
                ),
                prompt=pair.pair.prompt,
                condition=None if pair.hides_condition else pair.pair.signal,
            )
            for pair in chunk
        ),
    )

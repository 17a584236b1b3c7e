"""What the size of a base decides: the learning rate, and the memory that a training takes."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch is typed in part only)

from __future__ import annotations

import os

import torch

from askwell.policies.lm.model import PolicyModel
from askwell.policies.settings import TrainSettings

_RATE = 1e-3
"""The paper's learning rate, for GPT-2."""
_RATE_WEIGHTS = 124e6
"""Weights of GPT-2. A larger base takes a rate smaller in proportion: 9e-4 at 135 million, 7e-5 at 1.7 billion, 2e-5 at
7 billion, which is what full fine-tunings of that size commonly use (alignment-handbook: 2e-5 for Zephyr 7B, and with
batches of many more tokens than ours 1e-3 for SmolLM2 135M and 3e-4 for 1.7B)."""
_LATER_SHARE = 0.3
"""Rate of a later loop, which continues from a trained writer, as a share of the first loop's."""

_BYTES = 4
"""Of a number in float32."""
_ACTIVATIONS = 16
"""Numbers kept per token, layer and channel for the backward pass. Korthikanti et al. 2022 (arXiv 2205.05198, equation
1) count 34 bytes: 31 of numbers of two bytes, and 3 of dropout's masks. Their term for the attention is left out, as it
is not kept by fused attention."""
_LOGIT_COPIES = 3
"""Logits, their log-softmax and their gradient."""
_PREDICTED_SHARE = 0.5
"""Share of a pass's tokens that are predicted: prompts, not queries. An assumption."""


def choose_learning_rate(settings: TrainSettings, model: PolicyModel, *, is_later: bool) -> float:
    """Return the rate of the first epoch: as set, or by the number of the base's weights.

    Adapters are new weights, so their rate does not depend on the base.
    """
    weights = sum(parameter.numel() for parameter in model.base.parameters())
    by_size = _RATE if model.settings.lora_rank else _RATE * min(1.0, _RATE_WEIGHTS / weights)
    first = by_size if settings.learning_rate is None else settings.learning_rate
    if not is_later:
        return first
    return _LATER_SHARE * first if settings.later_learning_rate is None else settings.later_learning_rate


def expect_memory(model: PolicyModel, settings: TrainSettings) -> int:
    """Return roughly how many bytes a training takes: weights, gradients, Adam's state, and one pass of tokens."""
    config = model.base.config.get_text_config()
    weights = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    tokens = settings.batch_tokens
    activations = tokens * config.num_hidden_layers * config.hidden_size * _ACTIVATIONS
    logits = tokens * config.vocab_size * _LOGIT_COPIES * _PREDICTED_SHARE
    # Of each trained weight: gradient, Adam's two moments, and the copy of the best epoch.
    return round(_BYTES * (weights + 4 * trained + activations + logits))


def describe_memory(model: PolicyModel, settings: TrainSettings) -> str:
    """Describe the memory that a training takes, and warn if the machine has less."""
    needed, present = expect_memory(model, settings), _memory_of(model.device)
    weights = sum(parameter.numel() for parameter in model.parameters())
    text = f"training {weights / 1e6:,.0f} million weights takes about {needed / 1e9:.1f} GB of memory"
    if present is None or needed <= present:
        return text
    return (
        f"{text}, and this {'GPU' if model.device.type == 'cuda' else 'machine'} has {present / 1e9:.1f} GB: lower "
        "batch_tokens, train adapters (lora_rank), or take a smaller base"
    )


def _memory_of(device: torch.device) -> int | None:
    """Return the bytes of a device's memory; None where they are not known."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return None

"""The language model of a QPO policy: a causal LM of transformers, conditioned on a reward, with a value head.

    query tokens · condition · prompt tokens · end

The condition is one position between query and prompt: a linear layer of the (standardised) reward, or a learnt
"unknown". Three segment embeddings are added (query, condition, prompt). If embeddings can't be injected (a server that
takes tokens only), the condition is a word instead: `conditioning="tokens"`.

The value r(q, p) is read at the last prompt token *with the condition unknown*: a hidden state that has seen the
reward would repeat it and predict nothing (the released code reads the value at the reward's own position).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (torch, transformers and peft are typed in part only)
# ruff: noqa: N803, N806 - axes in capitals

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from askwell.core.errors import ConfigError
from askwell.models.bundled import CHECKPOINT
from askwell.models.local import load_checkpoint
from askwell.policies.settings import ModelSettings

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise ConfigError(
        "a policy that writes prompts needs PyTorch and transformers: pip install 'askwell[local,qpo,select]'"
    ) from error

from askwell.policies.lm.shared_prefix import (
    ATTENTION,
    QueryGroup,
    Suffix,
    TokenBatch,
    collate_packed,
    collate_padded,
    register_attention,
)

_LOG = logging.getLogger(__name__)

WORDS = ("worst", "poor", "middling", "good", "best")
"""Conditions in words, one per fifth of the training signals; `UNKNOWN` is the word for no condition."""
UNKNOWN = "any"


class PolicyModel(nn.Module):
    """A base with condition, segments and value head. `PolicyTokenizer` makes its tokens, `collate` its inputs."""

    def __init__(self, base: Any, settings: ModelSettings, *, end_id: int) -> None:  # noqa: ANN401 - partly typed
        super().__init__()
        self.base = base
        self.settings = settings
        self.end_id = end_id
        table = base.get_input_embeddings().weight
        channels, spread = table.shape[1], float(table.detach().float().std())
        self.injects = settings.conditioning == "embedding"
        self.shares_prefixes = False
        """Whether packed rows equal padded rows on this base; `assemble_model` tests it."""
        if self.injects:
            self.condition = nn.Linear(1, channels)
            self.unknown = nn.Parameter(torch.empty(channels))
            self.segments = nn.Embedding(3, channels)
            for weight in (self.condition.weight, self.unknown):
                nn.init.normal_(weight, std=spread)
            nn.init.zeros_(self.condition.bias)
            nn.init.zeros_(self.segments.weight)
        self.value_head = nn.Linear(base.config.get_text_config().hidden_size, 1)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)

    @property
    def device(self) -> torch.device:
        return self.value_head.weight.device

    def collate(self, groups: Sequence[QueryGroup], *, packed: bool) -> TokenBatch:
        """Make the input for groups, on the model's device; one row per suffix if the base can't share prefixes."""
        return (collate_packed if packed and self.shares_prefixes else collate_padded)(
            groups, end_id=self.end_id, device=self.device
        )

    def embed(self, batch: TokenBatch) -> Tensor:
        """Return token embeddings plus segments, with each suffix's condition at its slot: (B, T, E)."""
        embedded_BTE = self.base.get_input_embeddings()(batch.ids_BT)
        if not self.injects:
            return embedded_BTE
        condition_PE = self.condition_vectors(batch.conditions_P).to(embedded_BTE.dtype)
        shape = embedded_BTE.shape
        embedded_BTE = embedded_BTE.flatten(0, 1).index_copy(0, batch.slots, condition_PE).view(shape)
        return embedded_BTE + self.segments(batch.segments_BT).to(embedded_BTE.dtype)

    def condition_vectors(self, conditions_P: Tensor) -> Tensor:
        """Return the embedding of each standardised reward, or of the unknown one for NaN: (P, E)."""
        values_P1 = conditions_P.unsqueeze(1)
        return torch.where(values_P1.isnan(), self.unknown, self.condition(values_P1.nan_to_num()))

    def hidden(self, batch: TokenBatch) -> Tensor:
        """Return hidden states of the positions that predict, (M, D)."""
        more: dict[str, Any] = {"attention_mask": batch.mask_BT}
        if batch.sharing is not None:
            # transformers passes a mask of four axes on unchanged; our attention ignores it and uses `sharing`.
            more = {"attention_mask": torch.zeros(1, 1, 1, 1, device=self.device), "sharing": batch.sharing}
        out = self.base.base_model(
            inputs_embeds=self.embed(batch), position_ids=batch.positions_BT, use_cache=False, **more
        )
        return out.last_hidden_state.flatten(0, 1)[batch.predicting_M]

    def logits(self, hidden_MD: Tensor) -> Tensor:
        """Return scores of the vocabulary, (M, V)."""
        return self.base.get_output_embeddings()(hidden_MD)

    def values(self, hidden_MD: Tensor) -> Tensor:
        """Return predicted standardised rewards, (M,)."""
        return self.value_head(hidden_MD.float()).squeeze(-1)


def build_policy_model(settings: ModelSettings, *, seed: int, local_only: bool = False) -> tuple[PolicyModel, Any]:
    """Return (model, tokenizer) with the base's weights; new weights are drawn by the seed.

    `local_only` downloads nothing. Raises `ConfigError` for a missing extra or an unsuitable base, `ModelError` for a
    checkpoint that can't be loaded.
    """
    source = str(CHECKPOINT) if settings.base == "pocket" else settings.base
    base, tokenizer = load_checkpoint(
        Path(source) if Path(source).is_dir() else source, settings.device or None, "float32", local_only=local_only
    )
    return assemble_model(base, tokenizer, settings, seed=seed), tokenizer


def assemble_model(base: Any, tokenizer: Any, settings: ModelSettings, *, seed: int) -> PolicyModel:  # noqa: ANN401
    """Add condition, segments and value head to a loaded base."""
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            f"the tokenizer of {settings.base!r} has no end token, so no prompt would end; take another base"
        )
    _check_context(base, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if settings.lora_rank:
            _add_lora(base, settings.lora_rank)
        model = PolicyModel(base, settings, end_id=tokenizer.eos_token_id).to(base.device)
    _check_head(model)
    register_attention()
    base.set_attn_implementation(ATTENTION)
    model.shares_prefixes = _shares_prefixes(model)
    if not model.shares_prefixes:
        _LOG.warning("%r has an attention of its own: its queries are encoded once per prompt", settings.base)
    return model


def _add_lora(base: Any, rank: int) -> None:  # noqa: ANN401
    """Freeze the base and inject adapters, in place."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ConfigError('lora_rank needs peft: pip install "askwell[lora]"') from error
    base.requires_grad_(requires_grad=False)
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"), base)


def _check_context(base: Any, settings: ModelSettings) -> None:  # noqa: ANN401
    context = getattr(base.config.get_text_config(), "max_position_embeddings", None)
    wanted = settings.max_query_tokens + settings.max_prompt_tokens + 16
    if context is not None and context < wanted:
        raise ConfigError(
            f"{settings.base!r} takes {context} tokens; a query of {settings.max_query_tokens}, its condition and a "
            f"prompt of {settings.max_prompt_tokens} need {wanted}: lower max_query_tokens or max_prompt_tokens"
        )


@torch.no_grad()
def _check_head(model: PolicyModel) -> None:
    """Refuse a base that changes its logits after the output layer (soft caps, scales), because `logits` does not."""
    ids = torch.arange(3, device=model.device).unsqueeze(0)
    was_training = model.base.training
    model.base.eval()
    whole = model.base(input_ids=ids).logits
    parts = model.logits(model.base.base_model(input_ids=ids).last_hidden_state)
    model.base.train(was_training)
    if not torch.allclose(whole, parts, atol=1e-3, rtol=1e-3):
        raise ConfigError(f"{model.settings.base!r} changes its logits after the output layer; take another base")


@torch.no_grad()
def _shares_prefixes(model: PolicyModel) -> bool:
    """Compare a packed row with padded ones: some bases don't use transformers' common attention interface."""
    slot = (model.end_id,)
    suffixes = tuple(Suffix(condition_tokens=slot, prompt=prompt, condition=None) for prompt in ((1, 2, 3), (4,)))
    groups = [QueryGroup(query=query, suffixes=suffixes) for query in ((5, 6, 7, 8), (9,))]
    was_training = model.training
    model.eval()
    try:
        padded = model.hidden(collate_padded(groups, end_id=model.end_id, device=model.device))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{model.settings.base!r} can't be a policy's base: {error}") from error
    try:
        packed = model.hidden(collate_packed(groups, end_id=model.end_id, device=model.device))
    except (ConfigError, TypeError, ValueError, RuntimeError):  # such an attention may fail in any of these ways
        return False
    finally:
        model.train(was_training)
    return torch.allclose(packed, padded, atol=1e-3, rtol=1e-3)

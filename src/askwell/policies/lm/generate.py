"""Generate prompts token by token, for a batch of left-padded queries; each row ends at its end token.

Each row samples with its own generator and attends to no padding, so a query's prompts depend neither on the other
queries nor on the batch. Tensor names carry their axes: B rows, T positions, V tokens of the vocabulary, E channels.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch and transformers are typed in part only)
# ruff: noqa: N803, N806 - axes in capitals

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from askwell.models.decode import pad_left
from askwell.policies.lm.model import PolicyModel
from askwell.policies.lm.shared_prefix import CONDITION, PROMPT, QUERY


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSettings:
    """How prompts are sampled; the defaults are the paper's for labelling new pairs."""

    top_k: int = 2
    top_p: float = 0.9
    temperature: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptContext:
    """What precedes a generated prompt: a query's tokens and the condition."""

    query: tuple[int, ...]
    condition_tokens: tuple[int, ...]
    condition: float | None
    sample_seeds: tuple[str, ...] = ()
    """One seed per sample; empty: one greedy prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BannedTokens:
    """Tokens that no prompt may hold, and tokens that no prompt may start with."""

    never: Tensor
    first: Tensor


@torch.inference_mode()
def generate_prompts(
    model: PolicyModel, contexts: Sequence[PromptContext], *, sampling: GenerationSettings, banned: BannedTokens
) -> list[list[list[int]]]:
    """Return each context's prompts as tokens without the end: one greedy prompt, or one per sample seed.

    All contexts of a call have the same number of sample seeds.
    """
    copies = max(1, len(contexts[0].sample_seeds))
    rngs = [random.Random(seed) for context in contexts for seed in context.sample_seeds]
    embedded_BTE, mask_BT = _embed_contexts(model, contexts)
    hidden_BD, cache = _step(model, embedded_BTE, mask_BT, None)
    if copies > 1:
        cache.batch_repeat_interleave(copies)
        hidden_BD, mask_BT = hidden_BD.repeat_interleave(copies, 0), mask_BT.repeat_interleave(copies, 0)
    rows: list[list[int]] = [[] for _ in range(len(hidden_BD))]
    unfinished = list(range(len(rows)))
    for position in range(model.settings.max_prompt_tokens):
        logits_BV = model.logits(hidden_BD).float()
        logits_BV[:, banned.never] = -torch.inf
        if not position:
            logits_BV[:, banned.first] = -torch.inf
        chosen = _choose(logits_BV, [rngs[row] for row in unfinished] if rngs else [], sampling)
        kept = [index for index, token in enumerate(chosen) if token != model.end_id]
        for index in kept:
            rows[unfinished[index]].append(chosen[index])
        if not kept:
            break
        if len(kept) < len(unfinished):
            kept_B = torch.tensor(kept, device=model.device)
            unfinished, mask_BT = [unfinished[index] for index in kept], mask_BT[kept_B]
            cache.batch_select_indices(kept_B)
        mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(mask_BT), 1)], dim=1)
        ids_B1 = torch.tensor([[chosen[index]] for index in kept], device=model.device)
        hidden_BD, cache = _step(model, _embed_tokens(model, ids_B1, PROMPT), mask_BT, cache)
    return [rows[begin : begin + copies] for begin in range(0, len(rows), copies)]


def _embed_contexts(model: PolicyModel, contexts: Sequence[PromptContext]) -> tuple[Tensor, Tensor]:
    """Return embeddings and mask of the contexts; the condition is at the right end of every row."""
    ids_BT, mask_BT = pad_left([context.query + context.condition_tokens for context in contexts], model.device)
    length = len(contexts[0].condition_tokens)
    query_BTE = _embed_tokens(model, ids_BT[:, :-length], QUERY)
    if not model.injects:
        return torch.cat([query_BTE, _embed_tokens(model, ids_BT[:, -length:], CONDITION)], dim=1), mask_BT
    conditions = [math.nan if context.condition is None else context.condition for context in contexts]
    vectors_BE = model.condition_vectors(torch.tensor(conditions, device=model.device))
    condition_BE = vectors_BE + model.segments.weight[CONDITION]
    return torch.cat([query_BTE, condition_BE.unsqueeze(1).to(query_BTE.dtype)], dim=1), mask_BT


def _embed_tokens(model: PolicyModel, ids_BT: Tensor, segment: int) -> Tensor:
    embedded_BTE = model.base.get_input_embeddings()(ids_BT)
    return embedded_BTE + model.segments.weight[segment] if model.injects else embedded_BTE


def _step(model: PolicyModel, embedded_BTE: Tensor, mask_BT: Tensor, cache: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
    """Return the last position's hidden states and the cache."""
    positions_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)[:, -embedded_BTE.shape[1] :]  # padding doesn't count
    out = model.base.base_model(
        inputs_embeds=embedded_BTE,
        attention_mask=mask_BT,
        position_ids=positions_BT,
        past_key_values=cache,
        use_cache=True,
    )
    return out.last_hidden_state[:, -1], out.past_key_values


def _choose(logits_BV: Tensor, rngs: Sequence[random.Random], sampling: GenerationSettings) -> list[int]:
    """Return each row's next token: the most likely one, or one drawn from the `top_k` within `top_p`.

    `torch.multinomial` is not used, because it would draw the whole batch from one generator.
    """
    if not rngs:
        return logits_BV.argmax(dim=-1).tolist()
    best_BK, tokens_BK = (logits_BV.double() / sampling.temperature).topk(
        min(sampling.top_k, logits_BV.shape[1]), dim=-1
    )
    shares_BK = torch.softmax(best_BK, dim=-1)
    before_BK = shares_BK.cumsum(dim=-1) - shares_BK
    shares_BK = torch.where(before_BK < sampling.top_p, shares_BK, 0.0)  # the token that crosses top_p stays
    summed_BK = shares_BK.cumsum(dim=-1)
    points_B1 = torch.tensor([[rng.random()] for rng in rngs], dtype=torch.float64, device=summed_BK.device)
    picked_B1 = torch.searchsorted(summed_BK, points_B1 * summed_BK[:, -1:], right=True).clamp(
        max=summed_BK.shape[1] - 1
    )
    return tokens_BK.gather(1, picked_B1).squeeze(1).tolist()

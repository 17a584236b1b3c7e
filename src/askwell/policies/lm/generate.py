"""Prompts for queries, token by token: left padding that nobody attends to, an end where the end token comes.

Each row draws by its own dice, so what a query gets does not hang on its neighbours or the batch.
Tensor names carry their axes: B rows, T positions, V tokens of the vocabulary, E channels.
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
from askwell.policies.lm.shared_prefix import LEAD, PROMPT, QUERY


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSettings:
    """How prompts are drawn where several are asked for (the paper's collection settings)."""

    top_k: int = 2
    top_p: float = 0.9
    temperature: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A query's tokens and its lead: what a prompt is written after."""

    query: tuple[int, ...]
    lead: tuple[int, ...]
    condition: float | None
    dice: tuple[str, ...] = ()
    """One seed for each sample; empty: a single greedy prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bans:
    """Tokens no prompt may hold, and those none may start with."""

    never: Tensor
    first: Tensor


@torch.inference_mode()
def generate(
    model: PolicyModel, openings: Sequence[Opening], *, sampling: GenerationSettings, bans: Bans
) -> list[list[list[int]]]:
    """Return each opening's prompts as tokens without the end: one greedy, or one for each of its dice.

    All openings of a call have equally many dice.
    """
    copies = max(1, len(openings[0].dice))
    dice = [random.Random(seed) for opening in openings for seed in opening.dice]
    embedded_BTE, mask_BT = _opened(model, openings)
    hidden_BD, cache = _step(model, embedded_BTE, mask_BT, None)
    if copies > 1:
        cache.batch_repeat_interleave(copies)
        hidden_BD, mask_BT = hidden_BD.repeat_interleave(copies, 0), mask_BT.repeat_interleave(copies, 0)
    rows: list[list[int]] = [[] for _ in range(len(hidden_BD))]
    alive = list(range(len(rows)))
    for place in range(model.settings.max_prompt_tokens):
        logits_BV = model.logits(hidden_BD).float()
        logits_BV[:, bans.never] = -torch.inf
        if not place:
            logits_BV[:, bans.first] = -torch.inf
        chosen = _choose(logits_BV, [dice[row] for row in alive] if dice else [], sampling)
        kept = [index for index, token in enumerate(chosen) if token != model.end_id]
        for index in kept:
            rows[alive[index]].append(chosen[index])
        if not kept:
            break
        if len(kept) < len(alive):
            kept_B = torch.tensor(kept, device=model.device)
            alive, mask_BT = [alive[index] for index in kept], mask_BT[kept_B]
            cache.batch_select_indices(kept_B)
        mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(mask_BT), 1)], dim=1)
        ids_B1 = torch.tensor([[chosen[index]] for index in kept], device=model.device)
        hidden_BD, cache = _step(model, _embedded(model, ids_B1, PROMPT), mask_BT, cache)
    return [rows[begin : begin + copies] for begin in range(0, len(rows), copies)]


def _opened(model: PolicyModel, openings: Sequence[Opening]) -> tuple[Tensor, Tensor]:
    """Embeddings and mask of the openings; the lead is at the right end of every row."""
    ids_BT, mask_BT = pad_left([opening.query + opening.lead for opening in openings], model.device)
    length = len(openings[0].lead)
    query_BTE = _embedded(model, ids_BT[:, :-length], QUERY)
    if not model.injects:
        return torch.cat([query_BTE, _embedded(model, ids_BT[:, -length:], LEAD)], dim=1), mask_BT
    conditions = [math.nan if opening.condition is None else opening.condition for opening in openings]
    lead_BE = model.condition_vectors(torch.tensor(conditions, device=model.device)) + model.segments.weight[LEAD]
    return torch.cat([query_BTE, lead_BE.unsqueeze(1).to(query_BTE.dtype)], dim=1), mask_BT


def _embedded(model: PolicyModel, ids_BT: Tensor, segment: int) -> Tensor:
    embedded_BTE = model.base.get_input_embeddings()(ids_BT)
    return embedded_BTE + model.segments.weight[segment] if model.injects else embedded_BTE


def _step(model: PolicyModel, embedded_BTE: Tensor, mask_BT: Tensor, cache: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
    """Return the last position's hidden states and the cache."""
    positions_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)[:, -embedded_BTE.shape[1] :]
    out = model.base.base_model(
        inputs_embeds=embedded_BTE,
        attention_mask=mask_BT,
        position_ids=positions_BT,
        past_key_values=cache,
        use_cache=True,
    )
    return out.last_hidden_state[:, -1], out.past_key_values


def _choose(logits_BV: Tensor, dice: Sequence[random.Random], sampling: GenerationSettings) -> list[int]:
    """Each row's next token: the likeliest, or drawn from the `top_k` likeliest that make up `top_p`."""
    if not dice:
        return logits_BV.argmax(dim=-1).tolist()
    best_BK, tokens_BK = (logits_BV.double() / sampling.temperature).topk(
        min(sampling.top_k, logits_BV.shape[1]), dim=-1
    )
    shares_BK = torch.softmax(best_BK, dim=-1)
    before_BK = shares_BK.cumsum(dim=-1) - shares_BK
    shares_BK = torch.where(before_BK < sampling.top_p, shares_BK, 0.0)  # the one that crosses top_p stays
    summed_BK = shares_BK.cumsum(dim=-1)
    points_B1 = torch.tensor([[one.random()] for one in dice], dtype=torch.float64, device=summed_BK.device)
    picked_B1 = torch.searchsorted(summed_BK, points_B1 * summed_BK[:, -1:], right=True).clamp(
        max=summed_BK.shape[1] - 1
    )
    return tokens_BK.gather(1, picked_B1).squeeze(1).tolist()

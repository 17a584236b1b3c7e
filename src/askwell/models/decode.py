"""Batched decoding of a causal language model, greedy or sampled with one random generator per row.

`transformers`' `generate` samples a whole batch from one generator, so that a reply would depend on the other rows.
Here each row has its own generator, and rows that have ended are removed from the batch.
Tensor names carry their axes: B rows, T positions, V tokens of the vocabulary.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingParameterType=false
# (torch and transformers are typed in part only)
# ruff: noqa: N803, N806 - axes in capitals

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

_COMPACT_BELOW = 0.75  # copying the cache costs about one step: worth it once a quarter of the rows has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRow:
    """One prompt to continue."""

    ids: tuple[int, ...]
    max_tokens: int
    temperature: float
    seed: str
    """The seed of this row's samples; unused at temperature 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """The reply's tokens without the end token; `is_finished`: whether there was one."""

    ids: tuple[int, ...]
    is_finished: bool


@dataclass(slots=True)
class _DecodeState:
    """A row while it is decoded."""

    row: DecodeRow
    rng: random.Random
    ids: list[int]
    is_finished: bool = False

    @property
    def is_done(self) -> bool:
        return self.is_finished or len(self.ids) >= self.row.max_tokens


@torch.inference_mode()
def decode(model: Any, rows: Sequence[DecodeRow], *, end_ids: frozenset[int]) -> list[Continuation]:  # noqa: ANN401
    """Continue every row until an end token or its `max_tokens` (at least 1)."""
    states = [_DecodeState(row, random.Random(row.seed), []) for row in rows]
    current = list(states)
    ids_BT, mask_BT = pad_left([row.ids for row in rows], model.device)
    cache = None
    while current:
        positions_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)[:, -ids_BT.shape[1] :]
        output = model(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            position_ids=positions_BT,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = output.past_key_values
        chosen = _choose_tokens(output.logits[:, -1], current)
        for state, token in zip(current, chosen, strict=True):
            if not state.is_done:
                state.is_finished = token in end_ids
                if not state.is_finished:
                    state.ids.append(token)
        alive = [index for index, state in enumerate(current) if not state.is_done]
        ids_BT = torch.tensor(chosen, device=model.device).unsqueeze(1)
        if len(alive) <= _COMPACT_BELOW * len(current):
            kept_B = torch.tensor(alive, dtype=torch.long, device=model.device)
            current = [current[index] for index in alive]
            ids_BT, mask_BT = ids_BT[kept_B], mask_BT[kept_B]
            if alive:
                cache.batch_select_indices(kept_B)
        mask_BT = torch.cat([mask_BT, mask_BT.new_ones((len(mask_BT), 1))], dim=1)
    return [Continuation(ids=tuple(state.ids), is_finished=state.is_finished) for state in states]


@torch.inference_mode()
def log_likelihoods(model: Any, pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[float]:  # noqa: ANN401
    """Return log p(reply | prompt) in nats, summed over the reply's tokens, for (prompt, reply) token pairs."""
    ids_BT, mask_BT = pad_left([prompt + reply for prompt, reply in pairs], model.device)
    kept = max(len(reply) for _, reply in pairs) + 1
    output = model(
        input_ids=ids_BT,
        attention_mask=mask_BT,
        position_ids=(mask_BT.cumsum(1) - 1).clamp(min=0),
        use_cache=False,
        logits_to_keep=kept,
    )
    # Left padding aligns the replies at the right end; the logits at t predict the token at t + 1.
    logprobs_BTV = torch.log_softmax(output.logits[:, -kept:-1].double(), dim=-1)
    picked_BT = logprobs_BTV.gather(2, ids_BT[:, ids_BT.shape[1] - kept + 1 :].unsqueeze(2)).squeeze(2)
    sums = [picked_BT[row, kept - 1 - len(reply) :].sum() for row, (_, reply) in enumerate(pairs)]
    return [float(value) for value in sums]


def pad_left(rows: Sequence[tuple[int, ...]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad rows on the left with masked tokens 0; return (ids_BT, mask_BT)."""
    width = max(len(row) for row in rows)
    ids_BT = torch.tensor([(0,) * (width - len(row)) + row for row in rows], device=device)
    mask_BT = torch.tensor([(0,) * (width - len(row)) + (1,) * len(row) for row in rows], device=device)
    return ids_BT, mask_BT


def _choose_tokens(logits_BV: torch.Tensor, current: Sequence[_DecodeState]) -> list[int]:
    """Return each row's next token: the most likely, or sampled by inverse transform with the row's own generator."""
    greedy = logits_BV.argmax(dim=-1).tolist()
    sampled = [index for index, state in enumerate(current) if state.row.temperature > 0 and not state.is_done]
    if not sampled:
        return greedy
    temperatures_B = torch.tensor([current[index].row.temperature for index in sampled], dtype=torch.float64)
    logits_BV = logits_BV[sampled].double() / temperatures_B.to(logits_BV.device).unsqueeze(1)
    cumulative_BV = torch.softmax(logits_BV, dim=-1).cumsum(dim=-1)
    points_B = torch.tensor([current[index].rng.random() for index in sampled], dtype=torch.float64)
    points_B = points_B.to(cumulative_BV.device).unsqueeze(1) * cumulative_BV[:, -1:]
    tokens_B = torch.searchsorted(cumulative_BV, points_B, right=True).squeeze(1)
    for index, token in zip(sampled, tokens_B.clamp(max=logits_BV.shape[1] - 1).tolist(), strict=True):
        greedy[index] = token
    return greedy

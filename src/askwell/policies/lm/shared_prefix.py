"""Shared-prefix training: encode a query once for all its logged prompts, with several times fewer tokens.

A *group* is one query with its suffixes; a *suffix* is the reward condition and a prompt. Two layouts of the same
groups, with equal losses and gradients up to rounding:

    padded   one row per suffix:       query condition prompt
    packed   one row for everything:   query condition prompt condition prompt … query condition prompt …

In the packed row, positions restart after the query, and the attention is masked: a suffix sees its query and itself.
The linear layers see no padding. Attention is computed in two dense blocks: queries; suffixes against query and self.

Deviation from the paper: the condition comes *after* the query, in both layouts. In the paper it comes first; then the
query's hidden states would depend on the condition, which differs from prompt to prompt, and could not be shared.

Tensor names carry their axes: B rows, T positions, G groups, P suffixes (pairs), Q and L positions within a query and a
suffix, H heads, C channels, M positions that predict a token.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingParameterType=false
# (torch and transformers are typed in part only)
# ruff: noqa: N803, N806, N815 - axes in capitals

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from askwell.core.errors import ConfigError

ATTENTION = "askwell_shared_prefix"
"""Name of the attention in transformers' registry: masked if a `Sharing` is passed, else `sdpa`."""

QUERY, CONDITION, PROMPT = 0, 1, 2
"""Segments of a row; each has an embedding of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suffix:
    """What follows the query: a condition and a prompt, tokenized."""

    condition_tokens: tuple[int, ...]
    """One slot for an injected condition, or the tokens of a condition in words."""
    prompt: tuple[int, ...]
    """Without the end token."""
    condition: float | None
    """Standardised reward to inject at the slot; None if it is unknown, or given by `condition_tokens`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryGroup:
    """One query with the prompts that were tried on it."""

    query: tuple[int, ...]
    suffixes: tuple[Suffix, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Positions of queries and suffixes in the packed row, for the masked attention."""

    query_GQ: Tensor
    """Indices into the row, right-padded with 0."""
    suffix_PL: Tensor
    """Indices into the row, right-padded with 0."""
    owner_P: Tensor
    """Group of each suffix."""
    mask_PLK: Tensor
    """Which positions of its query (Q) and of itself (L, causal) each position of a suffix sees; K = Q + L."""
    back_T: Tensor
    """Index of each token of the row in the concatenation of the flattened query_GQ and suffix_PL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBatch:
    """Input of the model for some groups, and the positions of its predictions."""

    ids_BT: Tensor
    segments_BT: Tensor
    positions_BT: Tensor
    mask_BT: Tensor | None
    """None in the packed layout, which is masked by `sharing`."""
    sharing: Sharing | None
    conditions_P: Tensor
    """Standardised reward to condition on; NaN if it is unknown."""
    slots: Tensor
    """Flat positions of the condition slots, suffix by suffix; unused if conditions are words."""
    predicting_M: Tensor
    """Flat positions that predict a prompt's tokens and its end, suffix by suffix."""
    labels_M: Tensor
    suffix_M: Tensor
    """Suffix of each prediction."""
    last_P: Tensor
    """Index in M of each suffix's last prompt token: the value head reads the hidden state there."""


def collate_padded(groups: Sequence[QueryGroup], *, end_id: int, device: torch.device | str = "cpu") -> TokenBatch:
    """Make one right-padded row per suffix."""
    suffixes = [(group.query, suffix) for group in groups for suffix in group.suffixes]
    width = max(len(query) + len(suffix.condition_tokens) + len(suffix.prompt) for query, suffix in suffixes)
    row = _TokenRow()
    starts: list[int] = []
    for query, suffix in suffixes:
        begin = len(row.ids)
        row.add(query, QUERY, 0)
        starts.append(row.add_suffix(suffix, len(query)))
        row.add((0,) * (begin + width - len(row.ids)), PROMPT, 0, seen=0)
    shape = (len(suffixes), width)
    return TokenBatch(
        ids_BT=torch.tensor(row.ids, device=device).view(shape),
        segments_BT=torch.tensor(row.segments, device=device).view(shape),
        positions_BT=torch.tensor(row.positions, device=device).view(shape),
        mask_BT=torch.tensor(row.seen, device=device).view(shape),
        sharing=None,
        **_index_predictions([suffix for _, suffix in suffixes], starts, end_id, device),
    )


def collate_packed(groups: Sequence[QueryGroup], *, end_id: int, device: torch.device | str = "cpu") -> TokenBatch:
    """Make one row of all groups, without padding."""
    row = _TokenRow()
    queries: list[tuple[int, int]] = []
    suffixes: list[tuple[int, int]] = []
    owners: list[int] = []
    for number, group in enumerate(groups):
        queries.append((len(row.ids), len(group.query)))
        row.add(group.query, QUERY, 0)
        for suffix in group.suffixes:
            suffixes.append(
                (row.add_suffix(suffix, len(group.query)), len(suffix.condition_tokens) + len(suffix.prompt))
            )
            owners.append(number)
    shape = (1, len(row.ids))
    return TokenBatch(
        ids_BT=torch.tensor(row.ids, device=device).view(shape),
        segments_BT=torch.tensor(row.segments, device=device).view(shape),
        positions_BT=torch.tensor(row.positions, device=device).view(shape),
        mask_BT=None,
        sharing=_index_sharing(queries, suffixes, owners, device),
        **_index_predictions(
            [suffix for group in groups for suffix in group.suffixes], [begin for begin, _ in suffixes], end_id, device
        ),
    )


class _TokenRow:
    """A flat list of tokens that grows, with the segment and position of each."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.segments: list[int] = []
        self.positions: list[int] = []
        self.seen: list[int] = []

    def add(self, ids: tuple[int, ...], segment: int, position: int, *, seen: int = 1) -> None:
        self.ids += ids
        self.segments += [segment] * len(ids)
        self.positions += range(position, position + len(ids)) if seen else ids
        self.seen += [seen] * len(ids)

    def add_suffix(self, suffix: Suffix, position: int) -> int:
        """Add a suffix and return the index of its first token."""
        begin = len(self.ids)
        self.add(suffix.condition_tokens, CONDITION, position)
        self.add(suffix.prompt, PROMPT, position + len(suffix.condition_tokens))
        return begin


def _index_predictions(
    suffixes: Sequence[Suffix], starts: Sequence[int], end_id: int, device: torch.device | str
) -> dict[str, Tensor]:
    """Return positions and labels of the predictions, as fields of `TokenBatch`.

    The condition's last token predicts the prompt's first; the prompt's last predicts the end.
    """
    slots: list[int] = []
    predicting: list[int] = []
    labels: list[int] = []
    owners: list[int] = []
    last: list[int] = []
    for number, (suffix, start) in enumerate(zip(suffixes, starts, strict=True)):
        first = start + len(suffix.condition_tokens) - 1
        slots.append(start)
        predicting += range(first, first + len(suffix.prompt) + 1)
        labels += [*suffix.prompt, end_id]
        owners += [number] * (len(suffix.prompt) + 1)
        last.append(len(predicting) - 1)
    conditions = [math.nan if suffix.condition is None else suffix.condition for suffix in suffixes]
    return {
        "conditions_P": torch.tensor(conditions, device=device),
        "slots": torch.tensor(slots, device=device),
        "predicting_M": torch.tensor(predicting, device=device),
        "labels_M": torch.tensor(labels, device=device),
        "suffix_M": torch.tensor(owners, device=device),
        "last_P": torch.tensor(last, device=device),
    }


def _index_sharing(
    queries: Sequence[tuple[int, int]],
    suffixes: Sequence[tuple[int, int]],
    owners: Sequence[int],
    device: torch.device | str,
) -> Sharing:
    """Index a packed row whose queries and suffixes have the given (start, length) spans."""
    query_GQ, real_GQ = _pad_spans(queries)
    suffix_PL, real_PL = _pad_spans(suffixes)
    owner_P = torch.tensor(owners)
    length = suffix_PL.shape[1]
    causal_LL = torch.ones(length, length, dtype=torch.bool).tril()
    seen_PLQ = real_GQ[owner_P].unsqueeze(1).expand(-1, length, -1)
    mask_PLK = torch.cat([seen_PLQ, causal_LL.expand(len(suffixes), -1, -1)], dim=2)
    # The two blocks' outputs are concatenated, padding included; `back_T` puts them in the row's order without it.
    real = torch.cat([real_GQ.flatten(), real_PL.flatten()])
    row = torch.cat([query_GQ.flatten(), suffix_PL.flatten()])
    back_T = torch.empty(int(real.sum()), dtype=torch.long)
    back_T[row[real]] = real.nonzero().squeeze(1)
    return Sharing(
        query_GQ=query_GQ.to(device),
        suffix_PL=suffix_PL.to(device),
        owner_P=owner_P.to(device),
        mask_PLK=mask_PLK.to(device),
        back_T=back_T.to(device),
    )


def _pad_spans(spans: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Return the indices within (start, length) spans, padded to the longest span, and which of them are real."""
    starts, lengths = torch.tensor(spans).unbind(1)
    steps = torch.arange(int(lengths.max()))
    real = steps < lengths.unsqueeze(1)
    return torch.where(real, starts.unsqueeze(1) + steps, 0), real


def shared_prefix_attention(
    module: Any,  # noqa: ANN401 - transformers' signature
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sharing: Sharing | None = None,
    **others: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    """Compute attention behind transformers' interface, (1, H, T, C) each, masked by `sharing`."""
    if sharing is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
    for name in ("softcap", "s_aux", "position_bias"):
        if others.get(name) is not None:
            raise ConfigError(
                f"this model's attention uses {name!r}, which packed rows don't support; set packed=False"
            )
    repeats = query.shape[1] // key.shape[1]  # grouped-query attention: fewer key heads than query heads
    q_THC, k_THC, v_THC = (part[0].transpose(0, 1) for part in (query, key, value))
    if repeats > 1:
        k_THC, v_THC = k_THC.repeat_interleave(repeats, dim=1), v_THC.repeat_interleave(repeats, dim=1)

    def rows(part_THC: Tensor, indices: Tensor) -> Tensor:
        return part_THC[indices].transpose(1, 2)

    owner_P = sharing.owner_P
    k_GHQC, v_GHQC = rows(k_THC, sharing.query_GQ), rows(v_THC, sharing.query_GQ)
    # Padding at the right of a query needs no mask here: causal attention hides it from all real positions.
    of_queries = scaled_dot_product_attention(
        rows(q_THC, sharing.query_GQ), k_GHQC, v_GHQC, dropout_p=dropout, scale=scaling, is_causal=True
    )
    of_suffixes = scaled_dot_product_attention(
        rows(q_THC, sharing.suffix_PL),
        torch.cat([k_GHQC[owner_P], rows(k_THC, sharing.suffix_PL)], dim=2),
        torch.cat([v_GHQC[owner_P], rows(v_THC, sharing.suffix_PL)], dim=2),
        attn_mask=sharing.mask_PLK.unsqueeze(1),
        dropout_p=dropout,
        scale=scaling,
    )
    flat = [part.transpose(1, 2).flatten(0, 1) for part in (of_queries, of_suffixes)]
    return torch.cat(flat)[sharing.back_T].unsqueeze(0), None


def register_attention() -> None:
    """Register the attention with transformers under the name `ATTENTION`, with the masks of `sdpa`."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(ATTENTION, shared_prefix_attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)

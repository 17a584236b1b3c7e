"""Shared-prefix training: a query is encoded once for all its logged prompts, several times fewer tokens.

A *group* is one query and its tails; a *tail* is a lead (the reward condition) and a prompt. Two layouts of the same
groups, with equal losses and gradients up to rounding:

    plain    one padded row a tail:    query lead prompt
    packed   one row for everything:   query lead prompt lead prompt … query lead prompt …

In the packed row positions restart after the query, and attention is confined: a tail sees its query and itself. The
linear layers meet no padding at all; attention is done in two dense blocks (queries; tails against query and self).

Deviation from the paper: the condition comes *after* the query, in both layouts. Put first, as the paper has it, it
would differ from prompt to prompt, the query's hidden states with it, and nothing could be shared.

Tensor names carry their axes: B rows, T positions, G groups, P tails, Q and L positions within a query and a tail,
H heads, C channels, M positions that predict a token.
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
"""Name of the attention in transformers' registry: confined where a `Sharing` comes along, else its `sdpa`."""

QUERY, LEAD, PROMPT = 0, 1, 2
"""Segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suffix:
    """A condition and a prompt, tokenized: what follows the query."""

    lead: tuple[int, ...]
    prompt: tuple[int, ...]
    """Without the end token."""
    condition: float | None
    """Standardised reward to inject at the lead's place; None where it is unknown, or said by the lead's tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One query and what was tried on it."""

    query: tuple[int, ...]
    tails: tuple[Suffix, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Where queries and tails are in the packed row: all the confined attention needs."""

    query_GQ: Tensor
    """Places in the row, padded with 0 at the right."""
    tail_PL: Tensor
    owner_P: Tensor
    mask_PLK: Tensor
    """What each tail's position sees of its query (Q places) and of the tail (L places)."""
    back_T: Tensor
    """Place of each token of the row among the flattened query_GQ and tail_PL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Groups laid out for a model, and where its predictions are."""

    ids_BT: Tensor
    segments_BT: Tensor
    positions_BT: Tensor
    mask_BT: Tensor | None
    """None in the packed layout, where `sharing` says what is seen."""
    sharing: Sharing | None
    conditions_P: Tensor
    """Standardised reward to aim at, NaN where it is unknown."""
    slots: Tensor
    """Flat places of the leads that carry a condition, tail by tail; unused where leads are tokens."""
    predicting_M: Tensor
    """Flat places that predict a prompt's tokens and its end, tail by tail."""
    labels_M: Tensor
    tail_M: Tensor
    """Which tail each prediction belongs to."""
    last_P: Tensor
    """Place in M of each tail's last prompt token: where the value is read."""


def lay_plain(groups: Sequence[Group], *, end_id: int, device: torch.device | str = "cpu") -> Laid:
    """One row a tail, padded at the right."""
    tails = [(group.query, tail) for group in groups for tail in group.tails]
    width = max(len(query) + len(tail.lead) + len(tail.prompt) for query, tail in tails)
    row = _Row()
    starts: list[int] = []
    for query, tail in tails:
        begin = len(row.ids)
        row.add(query, QUERY, 0)
        starts.append(row.add_tail(tail, len(query)))
        row.add((0,) * (begin + width - len(row.ids)), PROMPT, 0, seen=0)
    shape = (len(tails), width)
    return Laid(
        ids_BT=torch.tensor(row.ids, device=device).view(shape),
        segments_BT=torch.tensor(row.segments, device=device).view(shape),
        positions_BT=torch.tensor(row.positions, device=device).view(shape),
        mask_BT=torch.tensor(row.seen, device=device).view(shape),
        sharing=None,
        **_predictions([tail for _, tail in tails], starts, end_id, device),
    )


def lay_packed(groups: Sequence[Group], *, end_id: int, device: torch.device | str = "cpu") -> Laid:
    """All groups in one row without padding."""
    row = _Row()
    queries: list[tuple[int, int]] = []
    tails: list[tuple[int, int]] = []
    owners: list[int] = []
    for number, group in enumerate(groups):
        queries.append((len(row.ids), len(group.query)))
        row.add(group.query, QUERY, 0)
        for tail in group.tails:
            tails.append((row.add_tail(tail, len(group.query)), len(tail.lead) + len(tail.prompt)))
            owners.append(number)
    shape = (1, len(row.ids))
    return Laid(
        ids_BT=torch.tensor(row.ids, device=device).view(shape),
        segments_BT=torch.tensor(row.segments, device=device).view(shape),
        positions_BT=torch.tensor(row.positions, device=device).view(shape),
        mask_BT=None,
        sharing=_sharing(queries, tails, owners, device),
        **_predictions(
            [tail for group in groups for tail in group.tails], [begin for begin, _ in tails], end_id, device
        ),
    )


class _Row:
    """Tokens being laid one after the other."""

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

    def add_tail(self, tail: Suffix, position: int) -> int:
        """Return the tail's place."""
        begin = len(self.ids)
        self.add(tail.lead, LEAD, position)
        self.add(tail.prompt, PROMPT, position + len(tail.lead))
        return begin


def _predictions(
    tails: Sequence[Suffix], starts: Sequence[int], end_id: int, device: torch.device | str
) -> dict[str, Tensor]:
    """The lead's last token predicts the prompt's first; the prompt's last predicts the end."""
    slots: list[int] = []
    predicting: list[int] = []
    labels: list[int] = []
    owner: list[int] = []
    last: list[int] = []
    for number, (tail, start) in enumerate(zip(tails, starts, strict=True)):
        first = start + len(tail.lead) - 1
        slots.append(start)
        predicting += range(first, first + len(tail.prompt) + 1)
        labels += [*tail.prompt, end_id]
        owner += [number] * (len(tail.prompt) + 1)
        last.append(len(predicting) - 1)
    conditions = [math.nan if tail.condition is None else tail.condition for tail in tails]
    return {
        "conditions_P": torch.tensor(conditions, device=device),
        "slots": torch.tensor(slots, device=device),
        "predicting_M": torch.tensor(predicting, device=device),
        "labels_M": torch.tensor(labels, device=device),
        "tail_M": torch.tensor(owner, device=device),
        "last_P": torch.tensor(last, device=device),
    }


def _sharing(
    queries: Sequence[tuple[int, int]],
    tails: Sequence[tuple[int, int]],
    owners: Sequence[int],
    device: torch.device | str,
) -> Sharing:
    query_GQ, real_GQ = _places(queries)
    tail_PL, real_PL = _places(tails)
    owner_P = torch.tensor(owners)
    length = tail_PL.shape[1]
    causal_LL = torch.ones(length, length, dtype=torch.bool).tril()
    seen_PLQ = real_GQ[owner_P].unsqueeze(1).expand(-1, length, -1)
    mask_PLK = torch.cat([seen_PLQ, causal_LL.expand(len(tails), -1, -1)], dim=2)
    real = torch.cat([real_GQ.flatten(), real_PL.flatten()])
    row = torch.cat([query_GQ.flatten(), tail_PL.flatten()])
    back_T = torch.empty(int(real.sum()), dtype=torch.long)
    back_T[row[real]] = real.nonzero().squeeze(1)
    return Sharing(
        query_GQ=query_GQ.to(device),
        tail_PL=tail_PL.to(device),
        owner_P=owner_P.to(device),
        mask_PLK=mask_PLK.to(device),
        back_T=back_T.to(device),
    )


def _places(spans: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Places of (start, length) spans, padded to the longest, and which of them are real."""
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
    """Attention of transformers' interface, (1, H, T, C) each: confined by `sharing`."""
    if sharing is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
    for name in ("softcap", "s_aux", "position_bias"):
        if others.get(name) is not None:
            raise ConfigError(f"this model's attention uses {name!r}, which packed rows do not")
    repeats = query.shape[1] // key.shape[1]
    q_THC, k_THC, v_THC = (part[0].transpose(0, 1) for part in (query, key, value))
    if repeats > 1:
        k_THC, v_THC = k_THC.repeat_interleave(repeats, dim=1), v_THC.repeat_interleave(repeats, dim=1)

    def rows(part_THC: Tensor, places: Tensor) -> Tensor:
        return part_THC[places].transpose(1, 2)

    own = sharing.owner_P
    k_GHQC, v_GHQC = rows(k_THC, sharing.query_GQ), rows(v_THC, sharing.query_GQ)
    of_queries = scaled_dot_product_attention(
        rows(q_THC, sharing.query_GQ), k_GHQC, v_GHQC, dropout_p=dropout, scale=scaling, is_causal=True
    )
    of_tails = scaled_dot_product_attention(
        rows(q_THC, sharing.tail_PL),
        torch.cat([k_GHQC[own], rows(k_THC, sharing.tail_PL)], dim=2),
        torch.cat([v_GHQC[own], rows(v_THC, sharing.tail_PL)], dim=2),
        attn_mask=sharing.mask_PLK.unsqueeze(1),
        dropout_p=dropout,
        scale=scaling,
    )
    flat = [part.transpose(1, 2).flatten(0, 1) for part in (of_queries, of_tails)]
    return torch.cat(flat)[sharing.back_T].unsqueeze(0), None


def register() -> None:
    """Make the attention known to transformers under `ATTENTION`, with the masks of `sdpa`."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(ATTENTION, shared_prefix_attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)

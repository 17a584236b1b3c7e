"""The partly filled table of block scores that a race decides on, and simple questions about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from askwell.core.errors import ConfigError, DataError

BlockScore = float | Sequence[float]
"""A candidate's mean score on a block, or its per-example scores there, in the same example order for everyone."""

Scores = Mapping[str, Mapping[int, BlockScore]]
"""Candidate -> block -> score; a cell that isn't known yet is absent."""


class BlockCell(NamedTuple):
    """One candidate on one block (the block's number in the layout)."""

    candidate: str
    block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceLayout:
    """Rows and columns of the table: candidates in order of proposal (ties go to the earlier), and block sizes."""

    candidates: tuple[str, ...]
    blocks: tuple[int, ...]
    """Examples in each block, in the order in which the blocks are used; a block's number is its index here."""


def block_sizes(examples: int, size: int) -> tuple[int, ...]:
    """Split a number of examples into blocks of `size`; a rest of less than half a block joins the last block."""
    if examples < 1 or size < 1:
        raise ConfigError(f"{examples} examples in blocks of {size}: expected at least 1 of both")
    count = max(1, examples // size + (examples % size * 2 >= size))
    return (*(size for _ in range(count - 1)), examples - size * (count - 1))


def block_mean(score: BlockScore) -> float:
    """Return the mean score of a block, given either way."""
    return float(score) if isinstance(score, int | float) else math.fsum(score) / len(score)


def check_table(layout: RaceLayout, scores: Scores, survivors: int) -> None:
    """Raise `ConfigError` for an impossible race, `DataError` for scores that aren't finite numbers."""
    if not 1 <= survivors <= len(layout.candidates):
        raise ConfigError(f"survivors={survivors!r}: expected 1 to {len(layout.candidates)}, the number of candidates")
    if not layout.blocks or min(layout.blocks) < 1:
        raise ConfigError(f"blocks={layout.blocks!r}: expected at least one block of at least one example")
    for name, row in scores.items():
        for block, score in row.items():
            values = (score,) if isinstance(score, int | float) else score
            if not values or not all(math.isfinite(value) for value in values):
                raise DataError(f"candidate {name!r}, block {block}: {score!r} is not a score; leave unknown cells out")


def unknown_cells(
    layout: RaceLayout, scores: Scores, candidates: Iterable[int], blocks: Iterable[int]
) -> list[BlockCell]:
    """Return the unknown cells of some candidates, block by block, so that cells to be compared are filled together."""
    names = [layout.candidates[index] for index in candidates]
    return [BlockCell(name, block) for block in blocks for name in names if block not in scores.get(name, {})]


def best_known_block(layout: RaceLayout, scores: Scores) -> int:
    """Return the block on which most candidates are known; the first of equals."""
    counts = [sum(block in scores.get(name, {}) for name in layout.candidates) for block in range(len(layout.blocks))]
    return counts.index(max(counts))


def known_share(layout: RaceLayout, scores: Scores) -> float:
    """Return the share of the table that is known, weighted by block size."""
    known_examples = sum(layout.blocks[block] for name in layout.candidates for block in scores.get(name, {}))
    return known_examples / (len(layout.candidates) * sum(layout.blocks))


def comparison_cells(layout: RaceLayout, scores: Scores, leader: int, challenger: int) -> list[BlockCell]:
    """Return the cells that compare two candidates on one more block; none if they share all blocks.

    A block that the leader has and the challenger lacks comes first: it needs one cell, of the candidate in doubt. Then
    the other way round; only then is the pair run on a block that is new to both.
    """
    ahead, behind = layout.candidates[leader], layout.candidates[challenger]
    blocks = range(len(layout.blocks))
    for name, other in ((behind, ahead), (ahead, behind)):
        for block in blocks:
            if block in scores[other] and block not in scores[name]:
                return [BlockCell(name, block)]
    new_block = next((block for block in blocks if block not in scores[ahead]), None)
    return [] if new_block is None else [BlockCell(ahead, new_block), BlockCell(behind, new_block)]

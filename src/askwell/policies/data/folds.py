"""Folds over queries: who is learnt from and who is asked, drawn by a seed."""

from __future__ import annotations

from collections.abc import Iterator

from askwell.policies.data.arrays import Ints, np


def fold_rows(n: int, *, folds: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield (inside, outside) row numbers, ascending; every row is outside exactly once."""
    order = np.random.default_rng(seed).permutation(n)
    parts = min(folds, n)
    for part in range(parts):
        outside = np.sort(order[part::parts])
        yield np.setdiff1d(order, outside), outside

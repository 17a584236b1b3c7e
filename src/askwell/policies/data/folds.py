"""Split queries into the folds of a cross-validation, at random by a seed."""

from __future__ import annotations

from collections.abc import Iterator

from askwell.policies.data.arrays import Ints, np


def split_folds(n: int, *, folds: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield (training rows, held-out rows) of each fold, ascending; every row is held out exactly once."""
    order = np.random.default_rng(seed).permutation(n)
    parts = min(folds, n)
    for part in range(parts):
        outside = np.sort(order[part::parts])
        yield np.setdiff1d(order, outside), outside

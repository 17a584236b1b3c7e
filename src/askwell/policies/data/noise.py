"""Luck and truth in a cell: the variance of one draw, and the expected rate of a cell given all draws of its query."""

from __future__ import annotations

from askwell.policies.data.arrays import Floats, np
from askwell.policies.data.table import Table


def expected_rates(table: Table) -> Floats:
    """Expected rate of each cell given the query's draws on *all* prompts (the best linear predictor).

    Cells of a query inform each other through the covariance of true rates between prompts, which is that of the
    observed rates less binomial noise on the diagonal.
    """
    tried, mean, noise = table.tried, table.prompt_means(), noise_of_draw(table)
    centred = np.where(tried, np.nan_to_num(table.rates()) - mean, 0.0)
    pairs = tried.T.astype(float) @ tried.astype(float)
    # Only cells that were tried carry luck: its mean over them is what the diagonal holds too much of.
    luck = np.where(tried, noise / np.maximum(table.draws, 1.0), 0.0).sum(axis=0) / np.maximum(np.diagonal(pairs), 1.0)
    signal = positive(centred.T @ centred / np.maximum(pairs - 1, 1.0) - np.diag(luck))
    guess = np.tile(mean, (len(tried), 1))
    for pattern in np.unique(table.draws, axis=0):
        rows, known = np.flatnonzero((table.draws == pattern).all(axis=1)), np.flatnonzero(pattern > 0)
        if known.size:
            spread = signal[np.ix_(known, known)] + np.diag(noise[known] / pattern[known])
            guess[rows] += centred[np.ix_(rows, known)] @ np.linalg.solve(spread, signal[known])
    return guess


def noise_of_draw(table: Table) -> Floats:
    """Variance of one draw around the cell's true rate, for each prompt: unbiased p̂(1-p̂)·n/(n-1) from repeated cells.

    A prompt without repeats gets the average of those that have them; with none at all, m(1-m)/2 of its mean m.
    """
    rates, repeated = np.nan_to_num(table.rates()), table.draws > 1
    unbiased = np.where(repeated, rates * (1 - rates) * table.draws / np.maximum(table.draws - 1, 1), 0.0)
    counts = repeated.sum(axis=0)
    means = table.prompt_means()
    binomial = np.maximum(means * (1 - means), 1e-6)
    ratio = unbiased.sum() / (binomial * counts).sum() if counts.any() else 0.5
    own = unbiased.sum(axis=0) / np.maximum(counts, 1)
    return np.maximum(np.where(counts > 0, own, ratio * binomial), 1e-6)


def positive(matrix: Floats, *, floor: float = 1e-6) -> Floats:
    """Return the nearest covariance whose eigenvalues are all at least `floor`."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, floor)) @ vectors.T

"""Separate sampling noise from true rates: the variance of one sample, and the expected rate of every pair."""

from __future__ import annotations

from askwell.policies.data.arrays import Floats, np
from askwell.policies.data.table import OutcomeTable

FLOOR = 1e-6
"""Least variance, so that a prompt that is always right (or always wrong) gives no singular matrix."""


def predict_rates(table: OutcomeTable) -> Floats:
    """Predict the rate of each pair from the query's samples on *all* prompts (best linear predictor).

    Pairs of one query inform each other through the covariance of true rates between prompts. That is the covariance
    of the observed rates, minus binomial noise on the diagonal.
    """
    tried, means, noise = table.tried, table.prompt_means(), estimate_noise(table)
    centred = np.where(tried, np.nan_to_num(table.rates()) - means, 0.0)
    counts = tried.T.astype(float) @ tried.astype(float)
    # Only tried pairs have sampling noise, so the diagonal is too large by its mean over the tried pairs.
    excess = np.where(tried, noise / np.maximum(table.repeats, 1.0), 0.0).sum(axis=0)
    excess = excess / np.maximum(np.diagonal(counts), 1.0)
    signal = clip_eigenvalues(centred.T @ centred / np.maximum(counts - 1, 1.0) - np.diag(excess))
    predicted = np.tile(means, (len(tried), 1))
    # Queries with the same repeats per prompt share one linear system.
    for pattern in np.unique(table.repeats, axis=0):
        rows, columns = np.flatnonzero((table.repeats == pattern).all(axis=1)), np.flatnonzero(pattern > 0)
        if columns.size:
            observed = signal[np.ix_(columns, columns)] + np.diag(noise[columns] / pattern[columns])
            predicted[rows] += centred[np.ix_(rows, columns)] @ np.linalg.solve(observed, signal[columns])
    return predicted


def estimate_noise(table: OutcomeTable) -> Floats:
    """Estimate for each prompt the variance of one sample around the pair's true rate.

    Unbiased from repeated pairs: p̂(1-p̂)·n/(n-1). A prompt without repeats gets the average ratio to m(1-m), for its
    mean m, of the prompts that have repeats; if no prompt has any, m(1-m)/2.
    """
    rates, repeated = np.nan_to_num(table.rates()), table.repeats > 1
    unbiased = np.where(repeated, rates * (1 - rates) * table.repeats / np.maximum(table.repeats - 1, 1), 0.0)
    counts = repeated.sum(axis=0)
    means = table.prompt_means()
    binomial = np.maximum(means * (1 - means), FLOOR)
    ratio = unbiased.sum() / (binomial * counts).sum() if counts.any() else 0.5
    own = unbiased.sum(axis=0) / np.maximum(counts, 1)
    return np.maximum(np.where(counts > 0, own, ratio * binomial), FLOOR)


def clip_eigenvalues(matrix: Floats, *, floor: float = FLOOR) -> Floats:
    """Return the nearest covariance matrix whose eigenvalues are all at least `floor`."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, floor)) @ vectors.T

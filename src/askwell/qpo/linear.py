"""Plain ridge scorers: linear on TF-IDF, kernel ridge on the default kernel or on sentence embeddings.

Fitted to the per-query centred rates (each prompt against the query's own mean), which takes the query's difficulty
out and leaves what prompts do to it. The static prompt's prediction is subtracted afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from askwell.qpo.arrays import Floats, np
from askwell.qpo.dual import DualScorer, relative
from askwell.qpo.kernel import Term, fit_kernel
from askwell.qpo.multitask import TERMS, filled
from askwell.qpo.table import Table

RIDGES = (3.0, 10.0, 30.0, 100.0)
"""Tried in turn; the one with the least leave-one-out error is kept."""


def fit_kernel_ridge(table: Table, *, static: int, seed: int, terms: Sequence[Term] = TERMS) -> DualScorer:
    """Kernel ridge, one ridge for all prompts. `seed` is not needed."""
    del seed
    targets = centred_by_query(table)
    kernel = fit_kernel(terms, table.queries)
    values, vectors = np.linalg.eigh(kernel.among())
    values, turned = np.maximum(values, 0.0), vectors.T @ targets
    errors = {ridge: _left_out_error(values, vectors, turned, targets, ridge) for ridge in RIDGES}
    best = min(errors, key=lambda ridge: errors[ridge])
    coefficients = vectors @ (turned / (values + best)[:, None])
    return relative(kernel, coefficients, table.prompt_means(), static)


def fit_embedding_ridge(table: Table, *, static: int, seed: int) -> DualScorer:
    """Kernel ridge on sentence embeddings (needs sentence-transformers)."""
    return fit_kernel_ridge(table, static=static, seed=seed, terms=(Term(features="embedding", width=0.5),))


def fit_linear(table: Table, *, static: int, seed: int) -> DualScorer:
    """Linear ridge on TF-IDF of words and characters and on surface facts."""
    terms = (Term(features="word"), Term(features="char"), Term(features="surface"))
    return fit_kernel_ridge(table, static=static, seed=seed, terms=terms)


def centred_by_query(table: Table) -> Floats:
    """Deviation of each rate from its prompt's mean, less the query's mean deviation."""
    deviations = filled(table)
    return deviations - deviations.mean(axis=1, keepdims=True)


def _left_out_error(values: Floats, vectors: Floats, turned: Floats, targets: Floats, ridge: float) -> float:
    """Mean squared leave-one-out error, in closed form: residual / (1 - leverage)."""
    shrink = values / (values + ridge)
    leverage = (vectors**2) @ shrink
    residuals = targets - vectors @ (shrink[:, None] * turned)
    return float(np.mean((residuals / np.maximum(1.0 - leverage, 1e-6)[:, None]) ** 2))

"""The default scorer: kernel ridge over queries for all prompts at once, each direction smoothed by its own noise.

The prompts' rates on a query are correlated, and a query's phrasing predicts only part of them. B is the covariance of
the prompts' rates that phrasing predicts; D is the rest (what phrasing can't predict, and sampling noise):

    rates = mean + f + e,   f ~ GP(0, B ⊗ kernel),   e ~ N(0, D ⊗ I)

This is the intrinsic coregionalisation model (Bonilla, Chai & Williams 2008). B is initialised by moments: the products
of two queries' rates are regressed on their kernel (Haseman & Elston 1972). Sampling noise drops out there, because it
is independent between queries. A few steps of expectation-maximisation refine B and D; stopping early is part of the
smoothing. The generalised eigenvectors of B and D give independent ridge regressions, one per direction, with
ridge = noise / signal. The direction "how hard is this query" is smoothed little. The directions "does this prompt suit
it", which are mostly noise in a few samples, are smoothed a lot.
"""

from __future__ import annotations

from collections.abc import Sequence

from askwell.policies.data.arrays import Floats, np
from askwell.policies.data.folds import split_folds
from askwell.policies.data.noise import clip_eigenvalues
from askwell.policies.data.table import OutcomeTable
from askwell.policies.selection.kernel import KernelTerm, fit_kernel
from askwell.policies.selection.kernel_scorer import DualScorer, build_dual_scorer

TERMS = (
    KernelTerm(features="template", width=0.35, weight=2.0),
    KernelTerm(features="word", width=0.4),
    KernelTerm(features="surface", width=0.25, multiplies=True),
)

EM_STEPS = 10
"""Steps of expectation-maximisation."""

EM_QUERIES = 1_500
"""B and D are refined on at most this many queries: the cost grows with their cube, and B and D have only a few
hundred entries."""

FIRST_SHARE = 0.5
"""B starts at this share of its moment estimate, which is too large because negative eigenvalues are clipped."""

FIRST_FLOOR = 0.005
"""Least variance of the initial B in any direction, as a share of the mean observed one: EM can't leave 0."""

CROSS_FITS = 3
"""Repetitions of the cross-validation that tunes the margin: with one, the margin depends on the random folds."""

MIN_SIGNAL = 1e-3
"""A direction with less signal per unit of noise than this is predicted by its mean alone."""

MIN_NOISE = 0.1
"""Least variance of D in any direction, as a share of the mean observed variance."""


def fit_multitask(table: OutcomeTable, *, baseline: int, seed: int, terms: Sequence[KernelTerm] = TERMS) -> DualScorer:
    """Fit the scorer; pairs never tried are filled in from the query's other prompts. `seed` has no effect.

    Memory and time grow with queries²: 7,500 queries take about 1 GB.
    """
    del seed
    kernel = fit_kernel(terms, table.queries)
    coefficients = _fit_coefficients(kernel.gram_matrix(), table)
    return build_dual_scorer(kernel, coefficients, table.prompt_means(), baseline)


def cross_fit_multitask(
    table: OutcomeTable, *, baseline: int, seed: int, folds: int = 5, rounds: int = CROSS_FITS
) -> list[Floats]:
    """Predict each query's advantages from the other folds' outcomes, for several random partitions into folds.

    As `fallback.predict_out_of_fold`, but one kernel serves all folds: its vocabulary and weights come from the texts
    of all queries, never from their outcomes.
    """
    kernel = fit_kernel(TERMS, table.queries).gram_matrix()
    all_rounds = [np.zeros(table.totals.shape) for _ in range(rounds)]
    for number, advantages in enumerate(all_rounds):
        for inside, outside in split_folds(len(table.queries), folds=folds, seed=seed + number):
            training = table.select_rows(inside)
            coefficients = _fit_coefficients(kernel[np.ix_(inside, inside)], training)
            rates = kernel[np.ix_(outside, inside)] @ coefficients + training.prompt_means()
            advantages[outside] = rates - rates[:, baseline : baseline + 1]
    return all_rounds


def _fit_coefficients(kernel: Floats, table: OutcomeTable) -> Floats:
    """Fit the dual coefficients (queries, prompts) of the predicted rates."""
    centred = fill_missing_rates(table)
    centred -= centred.mean(axis=0)
    signal, noise = estimate_covariances(kernel, centred)
    to_directions, strengths = find_directions(signal, noise)
    targets = centred @ to_directions
    solved = np.zeros_like(targets)
    used = strengths > MIN_SIGNAL
    solved[:, used] = solve_ridges(kernel, targets[:, used], 1.0 / strengths[used])
    return solved @ np.linalg.inv(to_directions)


def estimate_covariances(kernel: Floats, centred: Floats) -> tuple[Floats, Floats]:
    """Estimate B and D (prompts, prompts): the covariance of centred rates that the kernel predicts, and the rest."""
    moment, own = _estimate_moments(kernel, centred)
    observed = centred.T @ centred / max(len(centred) - 1, 1)
    scale = max(float(np.trace(observed)) / len(observed), 1e-6)
    signal = FIRST_SHARE * moment + FIRST_FLOOR * scale * np.eye(len(observed))
    noise = clip_eigenvalues(observed - own * FIRST_SHARE * moment, floor=MIN_NOISE * scale)
    rows = np.random.default_rng(0).permutation(len(centred))[:EM_QUERIES]
    return _refine(kernel[np.ix_(rows, rows)], centred[rows] - centred[rows].mean(axis=0), signal, noise)


def _estimate_moments(kernel: Floats, centred: Floats) -> tuple[Floats, float]:
    """Return B by moments, and the centred kernel's mean diagonal.

    B minimises Σ_{i≠k} ‖y_i y_kᵀ − k_ik B‖², with the kernel centred in both directions; negative eigenvalues are
    clipped.
    """
    middle = kernel.mean(axis=0)
    off_diagonal = kernel - middle - middle[:, None] + middle.mean()
    own = float(np.diagonal(off_diagonal).mean())
    np.fill_diagonal(off_diagonal, 0.0)  # a query's product with itself contains its sampling noise
    squares = max(float(np.einsum("ij,ij->", off_diagonal, off_diagonal)), 1e-12)
    signal = centred.T @ (off_diagonal @ centred) / squares
    return clip_eigenvalues((signal + signal.T) / 2, floor=0.0), own


def _refine(kernel: Floats, centred: Floats, signal: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Take `EM_STEPS` steps of expectation-maximisation in the kernel's eigenbasis, where rows are independent."""
    values, vectors = np.linalg.eigh(kernel)
    values, rows, n = np.maximum(values, 0.0), vectors.T @ centred, len(centred)
    for _ in range(EM_STEPS):
        precisions = np.linalg.inv(values[:, None, None] * signal + noise)
        weighted = np.einsum("ijk,ik->ij", precisions, rows)
        up = (values[:, None] * weighted).T @ weighted - np.einsum("i,ijk->jk", values, precisions)
        down = weighted.T @ weighted - precisions.sum(axis=0)
        signal = signal + signal @ up @ signal / n
        noise = noise + noise @ down @ noise / n
        signal, noise = (signal + signal.T) / 2, (noise + noise.T) / 2
    return signal, noise


def solve_ridges(kernel: Floats, targets: Floats, ridges: Floats, *, tolerance: float = 1e-3) -> Floats:
    """Solve (kernel + ridge_j I) x_j = target_j for all columns at once, by conjugate gradients.

    Stops at a relative residual of `tolerance`, far below the noise of the outcomes. All columns share each product
    with the kernel, so this costs a fraction of one factorisation per ridge.
    """
    solution = np.zeros_like(targets)
    residual = targets.copy()
    search = residual.copy()
    squares = (residual**2).sum(axis=0)
    enough = tolerance**2 * np.maximum(squares, 1e-300)
    for _ in range(len(kernel) + 10):
        if (squares <= enough).all():
            break
        image = kernel @ search + search * ridges
        step = squares / np.maximum((search * image).sum(axis=0), 1e-300)
        solution += step * search
        residual -= step * image
        fresh = (residual**2).sum(axis=0)
        search = residual + search * (fresh / np.maximum(squares, 1e-300))
        squares = fresh
    return solution


def find_directions(signal: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Return W and s with Wᵀ noise W = I and Wᵀ signal W = diag(s): directions, and their signal per unit of noise."""
    values, vectors = np.linalg.eigh(noise)
    whiten = vectors / np.sqrt(values)
    strengths, rotation = np.linalg.eigh(whiten.T @ signal @ whiten)
    return whiten @ rotation, np.maximum(strengths, 0.0)


def fill_missing_rates(table: OutcomeTable) -> Floats:
    """Return rates minus each prompt's mean; predict missing pairs from the query's other prompts (least squares)."""
    tried = table.tried
    centred = np.where(tried, np.nan_to_num(table.rates()) - table.prompt_means(), 0.0)
    if tried.all():
        return centred
    pairs = tried.T.astype(float) @ tried.astype(float)
    covariance = clip_eigenvalues(centred.T @ centred / np.maximum(pairs, 1.0), floor=1e-4)
    for pattern in np.unique(tried, axis=0):
        if pattern.all() or not pattern.any():
            continue
        rows = np.flatnonzero((tried == pattern).all(axis=1))
        observed, missing = np.flatnonzero(pattern), np.flatnonzero(~pattern)
        weights = np.linalg.solve(covariance[np.ix_(observed, observed)], covariance[np.ix_(observed, missing)])
        centred[np.ix_(rows, missing)] = centred[np.ix_(rows, observed)] @ weights
    return centred


def centre_by_query(table: OutcomeTable) -> Floats:
    """Return each rate's deviation from its prompt's mean, minus the query's mean deviation (its difficulty)."""
    deviations = fill_missing_rates(table)
    return deviations - deviations.mean(axis=1, keepdims=True)

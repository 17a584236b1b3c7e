"""The default scorer: kernel ridge over queries for all prompts at once, each direction smoothed by its own noise.

Prompts do well and badly together, and only part of that can be read off a query's phrasing. With B the covariance of
the prompts' rates that phrasing predicts, and D all the rest (what phrasing can't predict, and the luck of the draws):

    rates = mean + f + e,   f ~ GP(0, B ⊗ kernel),   e ~ N(0, D ⊗ I)

(the intrinsic coregionalisation model: Bonilla, Chai & Williams 2008). B's first guess comes without a likelihood: the
products of two queries' rates are regressed on the kernel of the two (Haseman & Elston 1972), where luck has no part,
as every query's draws are its own. A few steps of expectation-maximisation take both towards the likeliest; stopping
early is part of the smoothing. The generalised eigenvectors of B and D turn it into independent ridge regressions, one
a direction, ridge = noise / signal. "How hard is this query" gets little smoothing; "does this prompt suit it", which
is mostly luck in a handful of draws, gets a lot.
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
"""Of expectation-maximisation."""

EM_QUERIES = 1_500
"""B and D are refined on at most so many queries: the cost grows with their cube, and a few hundred numbers need no
more."""

FIRST_SHARE = 0.5
"""The first guess of B is this share of its moment estimate: cutting negative eigenvalues off leaves it too big."""

FIRST_FLOOR = 0.005
"""Least variance of B's first guess in any direction, as a share of the mean observed one: from 0 nothing grows."""

CROSS_FITS = 3
"""Draws of the folds that the margin is tuned on: a single one leaves it to chance."""

MIN_SIGNAL = 1e-3
"""Directions with less signal per unit of noise than this are predicted by their mean alone."""

MIN_NOISE = 0.1
"""Least variance of D in any direction, as a share of the mean observed variance."""


def fit_multitask(table: OutcomeTable, *, baseline: int, seed: int, terms: Sequence[KernelTerm] = TERMS) -> DualScorer:
    """Fit it. Pairs never tried are filled with what the query's other prompts suggest. `seed` is not needed.

    Memory and time grow with queries²: 7,500 queries take about 1 GB.
    """
    del seed
    kernel = fit_kernel(terms, table.queries)
    coefficients = _solve(kernel.gram_matrix(), table)
    return build_dual_scorer(kernel, coefficients, table.prompt_means(), baseline)


def cross_fit_multitask(
    table: OutcomeTable, *, baseline: int, seed: int, folds: int = 5, rounds: int = CROSS_FITS
) -> list[Floats]:
    """Advantages of every query from the other folds' outcomes (as `guard.out_of_fold`), for several draws of folds.

    One kernel serves all: only the vocabulary and its weights have seen a fold's texts; no outcome has.
    """
    among = fit_kernel(TERMS, table.queries).gram_matrix()
    found = [np.zeros(table.totals.shape) for _ in range(rounds)]
    for place, advantages in enumerate(found):
        for inside, out in split_folds(len(table.queries), folds=folds, seed=seed + place):
            part = table.select_rows(inside)
            coefficients = _solve(among[np.ix_(inside, inside)], part)
            rates = among[np.ix_(out, inside)] @ coefficients + part.prompt_means()
            advantages[out] = rates - rates[:, baseline : baseline + 1]
    return found


def _solve(among: Floats, table: OutcomeTable) -> Floats:
    """Dual coefficients (queries, prompts) of the predicted rates."""
    centred = fill_missing_rates(table)
    centred -= centred.mean(axis=0)
    signal, noise = estimate_covariances(among, centred)
    to_directions, strengths = find_directions(signal, noise)
    targets = centred @ to_directions
    solved = np.zeros_like(targets)
    used = strengths > MIN_SIGNAL
    solved[:, used] = solve_ridges(among, targets[:, used], 1.0 / strengths[used])
    return solved @ np.linalg.inv(to_directions)


def estimate_covariances(kernel: Floats, centred: Floats) -> tuple[Floats, Floats]:
    """Return B and D (prompts, prompts): what the kernel predicts of the centred rates, and the rest."""
    moment, own = _moments(kernel, centred)
    observed = centred.T @ centred / max(len(centred) - 1, 1)
    scale = max(float(np.trace(observed)) / len(observed), 1e-6)
    signal = FIRST_SHARE * moment + FIRST_FLOOR * scale * np.eye(len(observed))
    noise = clip_eigenvalues(observed - own * FIRST_SHARE * moment, floor=MIN_NOISE * scale)
    some = np.random.default_rng(0).permutation(len(centred))[:EM_QUERIES]
    return _refined(kernel[np.ix_(some, some)], centred[some] - centred[some].mean(axis=0), signal, noise)


def _moments(kernel: Floats, centred: Floats) -> tuple[Floats, float]:
    """Return B by moments, and the centred kernel's mean diagonal.

    B minimises Σ_{i≠k} ‖y_i y_kᵀ − k_ik B‖² with the kernel centred in both directions, and is made positive.
    """
    middle = kernel.mean(axis=0)
    apart = kernel - middle - middle[:, None] + middle.mean()
    own = float(np.diagonal(apart).mean())
    np.fill_diagonal(apart, 0.0)
    squares = max(float(np.einsum("ij,ij->", apart, apart)), 1e-12)
    signal = centred.T @ (apart @ centred) / squares
    return clip_eigenvalues((signal + signal.T) / 2, floor=0.0), own


def _refined(kernel: Floats, centred: Floats, signal: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Take `EM_STEPS` steps of expectation-maximisation; in the kernel's eigenvectors the rows are independent."""
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

    Stops at a relative residual of `tolerance`: the outcomes are noisier than that by far. One product with the kernel
    serves all columns, so it costs a fraction of a factorisation for each ridge.
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
    """Return W and s with Wᵀ noise W = I and Wᵀ signal W = diag(s): directions and their signal per unit of noise."""
    values, vectors = np.linalg.eigh(noise)
    whiten = vectors / np.sqrt(values)
    strengths, turned = np.linalg.eigh(whiten.T @ signal @ whiten)
    return whiten @ turned, np.maximum(strengths, 0.0)


def fill_missing_rates(table: OutcomeTable) -> Floats:
    """Rates less each prompt's mean; a pair never tried gets what its query's other prompts suggest (least squares)."""
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
        known, unknown = np.flatnonzero(pattern), np.flatnonzero(~pattern)
        weights = np.linalg.solve(covariance[np.ix_(known, known)], covariance[np.ix_(known, unknown)])
        centred[np.ix_(rows, unknown)] = centred[np.ix_(rows, known)] @ weights
    return centred


def centre_by_query(table: OutcomeTable) -> Floats:
    """Deviation of each rate from its prompt's mean, less the query's mean deviation: takes its difficulty out."""
    deviations = fill_missing_rates(table)
    return deviations - deviations.mean(axis=1, keepdims=True)

"""Scorers that only the benches compare with askwell's own: published forms and plainer models.

| name | scorer |
|---|---|
| `kernel-ridge` | kernel ridge on the default scorer's kernel, one ridge for all prompts |
| `linear` | ridge, linear in TF-IDF of words and characters and in surface facts |
| `embedding-ridge` | kernel ridge on sentence embeddings; needs askwell[embed], and downloads the model at first use |
| `cluster` | mean advantage within the query's cluster: between one prompt per task and one per query |
| `reward-model` | Prompt-OIRL's form: best of N by a reward model that reads query and prompt |
| `ensemble` | mean of `multitask` and `trees` |

The ridges are fitted to rates centred by query (each prompt's rate minus the query's mean), which removes the query's
difficulty and leaves the effect of the prompts. The baseline prompt's prediction is subtracted afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer

from askwell.models.embedder import SentenceEmbedder
from askwell.policies.data.table import OutcomeTable
from askwell.policies.selection import multitask, neighbours
from askwell.policies.selection.features import fit_features
from askwell.policies.selection.kernel import KernelTerm, TextKernel, build_kernel, fit_kernel
from askwell.policies.selection.kernel_scorer import DualScorer, build_dual_scorer
from askwell.policies.selection.multitask import centre_by_query
from askwell.policies.selection.registry import FITS
from askwell.policies.selection.surface_features import NUMBER
from askwell.policies.selection.trees import DenseFeatures, Forest, boost, fit_dense_features

RIDGES = (3.0, 10.0, 30.0, 100.0)
"""Ridges tried; the one with the least leave-one-out error is used."""

SENTENCE_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
ENSEMBLE = ("multitask", "trees")
"""The scorers that the ensemble averages: their errors are the least correlated."""
QUERIES_PER_CLUSTER = 60
LEADING = 50
"""Leading directions of the kernel in which k-means clusters."""
REWARD_TREES = 150
REWARD_ROWS = 4_000
"""Most rows on which each tree of the reward model is fitted."""


class Predictor(Protocol):
    """Predict advantages over the baseline prompt, (queries, prompts), as a `Scorer` does; it can't be saved."""

    def advantages(self, queries: Sequence[str]) -> np.ndarray: ...


class Fit(Protocol):
    """Fit a predictor to a table of outcomes; same table and seed, same predictor."""

    def __call__(self, table: OutcomeTable, *, baseline: int, seed: int) -> Predictor: ...


def all_fitters() -> dict[str, Fit]:
    """Return the fit of every scorer that can be compared, by name: askwell's own and those of this module."""
    return {
        **FITS,
        "kernel-ridge": fit_kernel_ridge,
        "linear": fit_linear,
        "cluster": fit_clusters,
        "reward-model": fit_reward_model,
        "ensemble": fit_ensemble,
        "embedding-ridge": fit_embedding_ridge,  # last: if its model is missing, the others are already printed
    }


def fit_kernel_ridge(table: OutcomeTable, *, baseline: int, seed: int) -> DualScorer:
    """Fit kernel ridge on the default scorer's kernel. `seed` has no effect."""
    del seed
    return _fit_ridge(fit_kernel(multitask.TERMS, table.queries), table, baseline)


def fit_linear(table: OutcomeTable, *, baseline: int, seed: int) -> DualScorer:
    """Fit a ridge that is linear in its features. `seed` has no effect."""
    del seed
    features = {
        "word": fit_features("word", table.queries),
        "char": fit_character_features(table.queries),
        "surface": fit_features("surface", table.queries),
    }
    return _fit_ridge(
        build_kernel([KernelTerm(features=name) for name in features], features, table.queries), table, baseline
    )


def fit_embedding_ridge(table: OutcomeTable, *, baseline: int, seed: int) -> DualScorer:
    """Fit kernel ridge on sentence embeddings. `seed` has no effect."""
    del seed
    features = {"embedding": FunctionFeatures(lambda texts: np.array(sentence_embedder().vectors(texts)))}
    kernel = build_kernel([KernelTerm(features="embedding", width=0.5)], features, table.queries)
    return _fit_ridge(kernel, table, baseline)


@cache
def sentence_embedder() -> SentenceEmbedder:
    """Return the process's shared embedder: every fold has the same texts, and each is encoded once."""
    return SentenceEmbedder(SENTENCE_MODEL)


@dataclass(frozen=True, slots=True, eq=False)
class FunctionFeatures:
    """Features from a function. Unlike `selection.features.Features` they have no state: a bench saves no scorer."""

    function: Callable[[Sequence[str]], Any]

    def transform(self, texts: Sequence[str]) -> Any:  # noqa: ANN401 - scipy's sparse matrices have no types
        return self.function(texts)


def fit_character_features(texts: Sequence[str]) -> FunctionFeatures:
    """Fit TF-IDF of 2 to 5 characters; a number becomes `#` and the count of its digits."""
    vectorizer = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2 if len(texts) > 20 else 1, lowercase=False
    )
    vectorizer.fit([_size_numbers(text) for text in texts])
    return FunctionFeatures(lambda unseen: vectorizer.transform([_size_numbers(text) for text in unseen]))


@dataclass(frozen=True, slots=True, eq=False)
class ClusterScorer:
    """Mean advantage within the nearest cluster, shrunken towards the overall mean."""

    kernel: TextKernel
    membership: np.ndarray
    """(training queries, clusters): 1/size where the query belongs."""
    by_cluster: np.ndarray
    """(clusters, prompts)."""

    def advantages(self, queries: Sequence[str]) -> np.ndarray:
        return self.by_cluster[(self.kernel.cross_matrix(queries) @ self.membership).argmax(axis=1)]


def fit_clusters(table: OutcomeTable, *, baseline: int, seed: int) -> ClusterScorer:
    """Cluster the queries by k-means on the kernel's leading directions, then average within clusters."""
    targets, offsets = neighbours.compute_relative_outcomes(table, baseline)
    kernel = fit_kernel(neighbours.TERMS, table.queries)
    values, vectors = np.linalg.eigh(kernel.gram_matrix())
    leading = vectors[:, -LEADING:] * np.sqrt(np.maximum(values[-LEADING:], 0.0))
    clusters = max(1, len(table.queries) // QUERIES_PER_CLUSTER)
    labels = KMeans(n_clusters=clusters, n_init=1, random_state=seed).fit_predict(leading)
    members = (labels[:, None] == np.arange(clusters)).astype(float)
    sizes = np.maximum(members.sum(axis=0), 1.0)
    by_cluster = (members.T @ targets) / (sizes + neighbours.PRIOR_QUERIES)[:, None] + offsets
    return ClusterScorer(kernel, members / sizes, by_cluster)


@dataclass(frozen=True, slots=True, eq=False)
class RewardModel:
    """Boosted trees over (query, prompt) rows: they predict the absolute reward, mostly the query's difficulty."""

    features: DenseFeatures
    forest: Forest
    mean: float
    """Mean of the training rewards; the forest predicts deviations from it."""
    prompts: int
    baseline: int

    def advantages(self, queries: Sequence[str]) -> np.ndarray:
        rows = self.features.transform(queries)
        rewards = [self.forest.predict(_with_prompt(rows, column, self.prompts)) for column in range(self.prompts)]
        rates = np.column_stack(rewards) + self.mean
        return rates - rates[:, self.baseline : self.baseline + 1]


def fit_reward_model(table: OutcomeTable, *, baseline: int, seed: int) -> RewardModel:
    """Boost the absolute reward over (query, prompt) rows."""
    dense = fit_dense_features(table.queries, seed)
    rows, tried, rates = dense.transform(table.queries), table.tried, np.nan_to_num(table.rates())
    columns = range(len(table.prompts))
    stacked = np.vstack([_with_prompt(rows[tried[:, column]], column, len(columns)) for column in columns])
    targets = np.concatenate([rates[tried[:, column], column] for column in columns])
    mean, share = float(targets.mean()), min(1.0, REWARD_ROWS / len(targets))
    forest = boost(stacked, targets - mean, REWARD_TREES, share, seed)
    return RewardModel(dense, forest, mean, len(columns), baseline)


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Mean of several scorers' advantages."""

    members: Sequence[Predictor]

    def advantages(self, queries: Sequence[str]) -> np.ndarray:
        return np.mean([member.advantages(queries) for member in self.members], axis=0)


def fit_ensemble(table: OutcomeTable, *, baseline: int, seed: int) -> Ensemble:
    """Fit the scorers named in `ENSEMBLE`."""
    fits: Mapping[str, Fit] = FITS
    return Ensemble([fits[name](table, baseline=baseline, seed=seed) for name in ENSEMBLE])


def _fit_ridge(kernel: TextKernel, table: OutcomeTable, baseline: int) -> DualScorer:
    """Fit kernel ridge, with the same ridge for all prompts."""
    targets = centre_by_query(table)
    values, vectors = np.linalg.eigh(kernel.gram_matrix())
    values, rotated = np.maximum(values, 0.0), vectors.T @ targets
    best = min(RIDGES, key=lambda ridge: _left_out_error(values, vectors, rotated, targets, ridge))
    coefficients = vectors @ (rotated / (values + best)[:, None])
    return build_dual_scorer(kernel, coefficients, table.prompt_means(), baseline)


def _left_out_error(
    values: np.ndarray, vectors: np.ndarray, rotated: np.ndarray, targets: np.ndarray, ridge: float
) -> float:
    """Return the mean squared leave-one-out error, in closed form: residual / (1 - leverage)."""
    shrink = values / (values + ridge)
    leverage = (vectors**2) @ shrink
    residuals = targets - vectors @ (shrink[:, None] * rotated)
    return float(np.mean((residuals / np.maximum(1.0 - leverage, 1e-6)[:, None]) ** 2))


def _size_numbers(text: str) -> str:
    """Lower the case; replace each number by `#`, its count of whole digits, and `.` if it has a fraction."""
    return NUMBER.sub(_size_number, text.lower())


def _size_number(match: re.Match[str]) -> str:
    whole, _, fraction = match.group().replace(",", "").partition(".")
    return f" #{len(whole)}{'.' if fraction.strip('0') else ''} "


def _with_prompt(rows: np.ndarray, column: int, columns: int) -> np.ndarray:
    """Append the prompt, one-hot, to each query's row."""
    prompt = np.zeros((len(rows), columns))
    prompt[:, column] = 1.0
    return np.hstack([rows, prompt])

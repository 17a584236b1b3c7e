"""Boosted trees on the multitask directions: they predict the advantage, without the query's difficulty.

The trees' input is a dense summary of the query (a truncated SVD of TF-IDF, and surface facts). scikit-learn fits them;
they are stored as plain arrays, so a saved policy needs no pickle.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (scikit-learn has no type stubs)
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from askwell.core.errors import ConfigError
from askwell.policies.data.arrays import Floats, Ints, np
from askwell.policies.data.table import OutcomeTable
from askwell.policies.selection.base import ScorerState
from askwell.policies.selection.features import Features, fit_features, restore_features
from askwell.policies.selection.kernel import fit_kernel
from askwell.policies.selection.multitask import (
    MIN_SIGNAL,
    TERMS,
    estimate_covariances,
    fill_missing_rates,
    find_directions,
)

COMPONENTS = 48
"""Dimensions to which each kind of TF-IDF vector is reduced."""


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Boosted regression trees as arrays of all trees' nodes; `left` < 0 marks a leaf."""

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats
    """Leaf values, the learning rate included."""
    roots: Ints
    """Each tree's first node."""

    def predict(self, rows: Floats) -> Floats:
        """Return the sum of the trees. Rows are rounded to float32, as in scikit-learn, which chose the thresholds."""
        exact = rows.astype(np.float32)
        total = np.zeros(len(rows))
        for root in self.roots.tolist():
            node = np.full(len(rows), root)
            inner = self.left[node] >= 0
            while inner.any():
                at = node[inner]
                goes_left = exact[inner, self.feature[at]] <= self.threshold[at]
                node[inner] = np.where(goes_left, self.left[at], self.right[at])
                inner = self.left[node] >= 0
            total += self.value[node]
        return total


@dataclass(frozen=True, slots=True, eq=False)
class DenseFeatures:
    """Turn query texts into dense rows."""

    parts: Mapping[str, Features]
    axes: Mapping[str, Floats]
    """SVD axes of the sparse features, by name; dense features have none."""

    def transform(self, texts: Sequence[str]) -> Floats:
        columns: list[Floats] = []
        for name, fitted in self.parts.items():
            rows = fitted.transform(texts)
            columns.append(np.asarray(rows @ self.axes[name].T if name in self.axes else rows, dtype=float))
        return np.hstack(columns)


@dataclass(frozen=True, slots=True, eq=False)
class TreeScorer:
    """One forest per direction; the predictions are mapped back to prompts."""

    features: DenseFeatures
    forests: tuple[Forest, ...]
    to_prompts: Floats
    """(directions, prompts)."""
    offsets: Floats
    baseline: int

    def advantages(self, queries: Sequence[str]) -> Floats:
        if not queries:
            return np.zeros((0, len(self.offsets)))
        rows = self.features.transform(queries)
        rates = np.column_stack([forest.predict(rows) for forest in self.forests]) @ self.to_prompts + self.offsets
        return rates - rates[:, self.baseline : self.baseline + 1]

    def state(self) -> ScorerState:
        arrays: dict[str, Floats] = {"to_prompts": self.to_prompts, "offsets": self.offsets}
        arrays |= {f"axes.{name}": axes for name, axes in self.features.axes.items()}
        for index, forest in enumerate(self.forests):
            for name in Forest.__slots__:
                arrays[f"forest{index}.{name}"] = cast("Floats", getattr(forest, name))
        features = {name: fitted.state() for name, fitted in self.features.parts.items()}
        return ScorerState(
            kind="trees",
            values={"features": features, "static": self.baseline, "forests": len(self.forests)},
            arrays=arrays,
        )


def fit_trees(table: OutcomeTable, *, baseline: int, seed: int, trees: int = 60) -> TreeScorer:
    """Fit a forest to each direction that has signal (see `multitask`)."""
    centred = fill_missing_rates(table)
    to_directions, strengths = find_directions(
        *estimate_covariances(fit_kernel(TERMS, table.queries).gram_matrix(), centred)
    )
    used = np.flatnonzero(strengths > MIN_SIGNAL)
    dense = fit_dense_features(table.queries, seed)
    rows, targets = dense.transform(table.queries), centred @ to_directions
    forests = tuple(boost(rows, targets[:, index], trees, 0.5, seed) for index in used.tolist())
    to_prompts: Floats = np.linalg.inv(to_directions)[used].astype(np.float64)
    if not forests:  # no direction has signal: predict each prompt's mean
        to_prompts = np.zeros((1, len(table.prompts)))
        forests = (boost(rows, np.zeros(len(rows)), 1, 1.0, seed),)
    return TreeScorer(dense, forests, to_prompts, table.prompt_means(), baseline)


def restore_trees(state: ScorerState) -> TreeScorer:
    """Build a scorer from its state."""
    values = cast("dict[str, Any]", state.values)
    forests = tuple(
        Forest(**{name: cast("Any", state.arrays[f"forest{index}.{name}"]) for name in Forest.__slots__})
        for index in range(values["forests"])
    )
    for forest in forests:
        _check_forest(forest)
    features = {name: restore_features(spec) for name, spec in values["features"].items()}
    axes = {name.removeprefix("axes."): array for name, array in state.arrays.items() if name.startswith("axes.")}
    return TreeScorer(
        DenseFeatures(features, axes), forests, state.arrays["to_prompts"], state.arrays["offsets"], values["static"]
    )


def _check_forest(forest: Forest) -> None:
    """Raise `ValueError` for nodes that do not form trees: a circle among them would never end."""
    nodes = np.arange(len(forest.left))
    inner = forest.left >= 0
    for children in (forest.left[inner], forest.right[inner]):
        if not ((children > nodes[inner]) & (children < len(nodes))).all():
            raise ValueError("a node of a tree has a child that does not come after it")
    if not ((forest.roots >= 0) & (forest.roots < len(nodes))).all() or (forest.feature < 0).any():
        raise ValueError("a tree has a root or a feature that does not exist")


def fit_dense_features(texts: Sequence[str], seed: int) -> DenseFeatures:
    """Fit the features and their SVD axes on the texts."""
    try:
        from sklearn.decomposition import TruncatedSVD
    except ImportError as error:
        raise ConfigError("selection policies need scikit-learn: pip install 'askwell[select]'") from error
    features = {name: fit_features(name, texts) for name in ("word", "template", "surface")}
    axes: dict[str, Floats] = {}
    for name in ("word", "template"):
        rows = features[name].transform(texts)
        size = min(COMPONENTS, min(rows.shape) - 1)
        if size > 0:
            with np.errstate(invalid="ignore", divide="ignore"):  # equal texts: 0 / 0 in the explained variance
                axes[name] = np.asarray(TruncatedSVD(n_components=size, random_state=seed).fit(rows).components_, float)
        else:
            axes[name] = np.zeros((1, rows.shape[1]))
    return DenseFeatures(features, axes)


def boost(rows: Floats, targets: Floats, trees: int, subsample: float, seed: int) -> Forest:
    """Fit boosted regression trees; `subsample` is the share of the rows on which each tree is fitted."""
    try:
        from sklearn.ensemble import GradientBoostingRegressor
    except ImportError as error:
        raise ConfigError("boosted trees need scikit-learn: pip install 'askwell[select]'") from error
    rate = 0.08
    model = GradientBoostingRegressor(
        n_estimators=trees,
        learning_rate=rate,
        max_depth=3,
        subsample=subsample,
        max_features=0.2,
        min_samples_leaf=max(1, min(20, len(targets) // 20)),
        init="zero",
        random_state=seed,
    )
    model.fit(rows, targets)
    return _build_forest([estimator.tree_ for estimator in model.estimators_[:, 0]], rate)


def _build_forest(fitted: Sequence[Any], rate: float) -> Forest:
    sizes = [int(tree.node_count) for tree in fitted]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

    def join_children(name: str) -> Ints:
        return np.concatenate(
            [np.where(getattr(t, name) >= 0, getattr(t, name) + s, -1) for t, s in zip(fitted, starts, strict=True)]
        ).astype(np.int64)

    # scikit-learn marks a leaf by feature -2 and children -1; here `left` < 0 alone marks it.
    return Forest(
        feature=np.concatenate([np.maximum(tree.feature, 0) for tree in fitted]).astype(np.int64),
        threshold=np.concatenate([tree.threshold for tree in fitted]).astype(float),
        left=join_children("children_left"),
        right=join_children("children_right"),
        value=np.concatenate([tree.value[:, 0, 0] for tree in fitted]).astype(float) * rate,
        roots=starts,
    )

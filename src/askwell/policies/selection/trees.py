"""Boosted trees on the multitask directions: they predict the advantage, with the query's difficulty taken out.

Trees read a dense summary of the query (a truncated SVD of TF-IDF, and surface facts). They are fitted by scikit-learn
and kept as plain arrays, so a saved policy needs no pickle.
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
"""Dimensions kept of the TF-IDF vectors."""


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Boosted regression trees as arrays; node 0 of each tree is its root, `left` < 0 marks a leaf."""

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats
    """Leaf values, the learning rate included."""
    roots: Ints

    def predict(self, rows: Floats) -> Floats:
        """Sum of the trees; rows are rounded to float32, as scikit-learn did when it chose the thresholds."""
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
    """Query texts as dense rows."""

    features: Mapping[str, Features]
    axes: Mapping[str, Floats]
    """SVD axes of the sparse features, by name; dense ones have none."""

    def transform(self, texts: Sequence[str]) -> Floats:
        parts: list[Floats] = []
        for name, fitted in self.features.items():
            found = fitted.transform(texts)
            parts.append(np.asarray(found @ self.axes[name].T if name in self.axes else found, dtype=float))
        return np.hstack(parts)


@dataclass(frozen=True, slots=True, eq=False)
class TreeScorer:
    """One forest per direction, mapped back to prompts."""

    reader: DenseFeatures
    forests: tuple[Forest, ...]
    to_prompts: Floats
    """(directions, prompts)."""
    offsets: Floats
    baseline: int

    def advantages(self, queries: Sequence[str]) -> Floats:
        if not queries:
            return np.zeros((0, len(self.offsets)))
        rows = self.reader.transform(queries)
        rates = np.column_stack([forest.predict(rows) for forest in self.forests]) @ self.to_prompts + self.offsets
        return rates - rates[:, self.baseline : self.baseline + 1]

    def state(self) -> ScorerState:
        arrays: dict[str, Floats] = {"to_prompts": self.to_prompts, "offsets": self.offsets}
        arrays |= {f"axes.{name}": axes for name, axes in self.reader.axes.items()}
        for place, forest in enumerate(self.forests):
            for name in Forest.__slots__:
                arrays[f"forest{place}.{name}"] = cast("Floats", getattr(forest, name))
        features = {name: fitted.state() for name, fitted in self.reader.features.items()}
        return ScorerState(
            kind="trees",
            values={"features": features, "static": self.baseline, "forests": len(self.forests)},
            arrays=arrays,
        )


def fit_trees(table: OutcomeTable, *, baseline: int, seed: int, trees: int = 60) -> TreeScorer:
    """Boost each direction that has signal (see `multitask`): the advantage, difficulty taken out."""
    centred = fill_missing_rates(table)
    to_directions, strengths = find_directions(
        *estimate_covariances(fit_kernel(TERMS, table.queries).gram_matrix(), centred)
    )
    used = np.flatnonzero(strengths > MIN_SIGNAL)
    reader = fit_dense_features(table.queries, seed)
    rows, targets = reader.transform(table.queries), centred @ to_directions
    forests = tuple(boost(rows, targets[:, place], trees, 0.5, seed) for place in used.tolist())
    to_prompts: Floats = np.linalg.inv(to_directions)[used].astype(np.float64)
    if not forests:
        to_prompts = np.zeros((1, len(table.prompts)))
        forests = (boost(rows, np.zeros(len(rows)), 1, 1.0, seed),)
    return TreeScorer(reader, forests, to_prompts, table.prompt_means(), baseline)


def restore_trees(state: ScorerState) -> TreeScorer:
    """Build a scorer from its state."""
    values = cast("dict[str, Any]", state.values)
    forests = tuple(
        Forest(**{name: cast("Any", state.arrays[f"forest{place}.{name}"]) for name in Forest.__slots__})
        for place in range(values["forests"])
    )
    features = {name: restore_features(spec) for name, spec in values["features"].items()}
    axes = {name.removeprefix("axes."): array for name, array in state.arrays.items() if name.startswith("axes.")}
    return TreeScorer(
        DenseFeatures(features, axes), forests, state.arrays["to_prompts"], state.arrays["offsets"], values["static"]
    )


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
            with np.errstate(invalid="ignore", divide="ignore"):  # texts all alike: a share of no variance
                axes[name] = np.asarray(TruncatedSVD(n_components=size, random_state=seed).fit(rows).components_, float)
        else:
            axes[name] = np.zeros((1, rows.shape[1]))
    return DenseFeatures(features, axes)


def boost(rows: Floats, targets: Floats, trees: int, subsample: float, seed: int) -> Forest:
    """Grow boosted regression trees; `subsample` is the share of the rows that each tree is grown on."""
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
    return _forest([estimator.tree_ for estimator in model.estimators_[:, 0]], rate)


def _forest(grown: Sequence[Any], rate: float) -> Forest:
    sizes = [int(tree.node_count) for tree in grown]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

    def joined(name: str) -> Ints:
        return np.concatenate(
            [np.where(getattr(t, name) >= 0, getattr(t, name) + s, -1) for t, s in zip(grown, starts, strict=True)]
        ).astype(np.int64)

    return Forest(
        feature=np.concatenate([np.maximum(tree.feature, 0) for tree in grown]).astype(np.int64),
        threshold=np.concatenate([tree.threshold for tree in grown]).astype(float),
        left=joined("children_left"),
        right=joined("children_right"),
        value=np.concatenate([tree.value[:, 0, 0] for tree in grown]).astype(float) * rate,
        roots=starts,
    )

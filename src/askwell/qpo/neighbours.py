"""Local averages: the k most alike queries, or the cluster of the query, shrunken to what holds for all queries."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (scikit-learn has no type stubs)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from askwell.errors import ConfigError
from askwell.qpo.arrays import Floats, np
from askwell.qpo.kernel import Term, TextKernel, fit_kernel, restore_kernel
from askwell.qpo.linear import centred_by_query
from askwell.qpo.scorer import State
from askwell.qpo.table import Table

TERMS = (Term(features="word"), Term(features="template"))

NEIGHBOURS = 25

PRIOR_QUERIES = 25.0
"""How many queries' weight "as everywhere else" has against the neighbours' own average."""

QUERIES_A_CLUSTER = 60


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourScorer:
    """Similarity-weighted mean advantage of the k nearest training queries, shrunken to the overall one."""

    kernel: TextKernel
    targets: Floats
    offsets: Floats
    k: int

    def advantages(self, queries: Sequence[str]) -> Floats:
        found = np.zeros((len(queries), len(self.offsets)))
        if queries:
            alike = self.kernel.to_fitted(queries)
            k = min(self.k, alike.shape[1])
            nearest = np.argsort(-alike, axis=1, kind="stable")[:, :k]
            weights = np.take_along_axis(alike, nearest, axis=1)
            # Weight 1 is a copy of the query; k strangers should not outvote the prior.
            sums = np.einsum("qk,qkp->qp", weights, self.targets[nearest])
            found = sums / (weights.sum(axis=1, keepdims=True) + PRIOR_QUERIES * float(weights.mean()))
        return found + self.offsets

    def state(self) -> State:
        return State(
            kind="knn",
            values={"kernel": self.kernel.state(), "k": self.k},
            arrays={"targets": self.targets, "offsets": self.offsets},
        )


@dataclass(frozen=True, slots=True, eq=False)
class ClusterScorer:
    """Mean advantage within the nearest cluster: the level between one prompt a task and one a query."""

    kernel: TextKernel
    membership: Floats
    """(training queries, clusters): 1/size where the query belongs."""
    by_cluster: Floats
    """(clusters, prompts)."""

    def advantages(self, queries: Sequence[str]) -> Floats:
        if not queries:
            return np.zeros((0, self.by_cluster.shape[1]))
        return self.by_cluster[(self.kernel.to_fitted(queries) @ self.membership).argmax(axis=1)]

    def state(self) -> State:
        return State(
            kind="cluster",
            values={"kernel": self.kernel.state()},
            arrays={"membership": self.membership, "by_cluster": self.by_cluster},
        )


def fit_neighbours(table: Table, *, static: int, seed: int, k: int = NEIGHBOURS) -> NeighbourScorer:
    """Remember the training queries. `seed` is not needed."""
    del seed
    targets, offsets = _relative(table, static)
    return NeighbourScorer(fit_kernel(TERMS, table.queries), targets, offsets, k)


def fit_clusters(table: Table, *, static: int, seed: int, queries_a_cluster: int = QUERIES_A_CLUSTER) -> ClusterScorer:
    """Cluster the queries by k-means on the kernel's leading directions, then average within clusters."""
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise ConfigError("clusters need scikit-learn: pip install 'askwell[select]'") from error
    targets, offsets = _relative(table, static)
    kernel = fit_kernel(TERMS, table.queries)
    values, vectors = np.linalg.eigh(kernel.among())
    leading = vectors[:, -50:] * np.sqrt(np.maximum(values[-50:], 0.0))
    clusters = max(1, len(table.queries) // queries_a_cluster)
    labels = KMeans(n_clusters=clusters, n_init=cast("Any", 1), random_state=seed).fit_predict(leading)
    members = (labels[:, None] == np.arange(clusters)).astype(float)
    sizes = np.maximum(members.sum(axis=0), 1.0)
    by_cluster = (members.T @ targets) / (sizes + PRIOR_QUERIES)[:, None] + offsets
    return ClusterScorer(kernel, members / sizes, by_cluster)


def restore_neighbours(state: State) -> NeighbourScorer:
    """Build a scorer from its state."""
    values = cast("dict[str, Any]", state.values)
    return NeighbourScorer(
        restore_kernel(values["kernel"]), state.arrays["targets"], state.arrays["offsets"], values["k"]
    )


def restore_clusters(state: State) -> ClusterScorer:
    """Build a scorer from its state."""
    values = cast("dict[str, Any]", state.values)
    return ClusterScorer(restore_kernel(values["kernel"]), state.arrays["membership"], state.arrays["by_cluster"])


def _relative(table: Table, static: int) -> tuple[Floats, Floats]:
    """Per-query deviations of each prompt against the static one, and the mean advantages they deviate from."""
    targets, means = centred_by_query(table), table.prompt_means()
    return targets - targets[:, static : static + 1], means - float(means[static])

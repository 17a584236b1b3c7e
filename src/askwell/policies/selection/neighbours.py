"""Nearest neighbours: the mean outcome of the k most similar queries, shrunken to the mean over all queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from askwell.policies.data.arrays import Floats, np
from askwell.policies.data.table import OutcomeTable
from askwell.policies.selection.base import ScorerState
from askwell.policies.selection.kernel import KernelTerm, TextKernel, fit_kernel, restore_kernel
from askwell.policies.selection.multitask import centre_by_query

TERMS = (KernelTerm(features="word"), KernelTerm(features="template"))

NEIGHBOURS = 25

PRIOR_QUERIES = 25.0
"""How many queries' weight "as everywhere else" has against the neighbours' own average."""


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
            alike = self.kernel.cross_matrix(queries)
            k = min(self.k, alike.shape[1])
            nearest = np.argsort(-alike, axis=1, kind="stable")[:, :k]
            weights = np.take_along_axis(alike, nearest, axis=1)
            # Weight 1 is a copy of the query; k strangers should not outvote the prior.
            sums = np.einsum("qk,qkp->qp", weights, self.targets[nearest])
            found = sums / (weights.sum(axis=1, keepdims=True) + PRIOR_QUERIES * float(weights.mean()))
        return found + self.offsets

    def state(self) -> ScorerState:
        return ScorerState(
            kind="knn",
            values={"kernel": self.kernel.state(), "k": self.k},
            arrays={"targets": self.targets, "offsets": self.offsets},
        )


def fit_neighbours(table: OutcomeTable, *, baseline: int, seed: int, k: int = NEIGHBOURS) -> NeighbourScorer:
    """Remember the training queries. `seed` is not needed."""
    del seed
    targets, offsets = compute_relative_outcomes(table, baseline)
    return NeighbourScorer(fit_kernel(TERMS, table.queries), targets, offsets, k)


def restore_neighbours(state: ScorerState) -> NeighbourScorer:
    """Build a scorer from its state."""
    values = cast("dict[str, Any]", state.values)
    return NeighbourScorer(
        restore_kernel(values["kernel"]), state.arrays["targets"], state.arrays["offsets"], values["k"]
    )


def compute_relative_outcomes(table: OutcomeTable, baseline: int) -> tuple[Floats, Floats]:
    """Per-query deviations of each prompt against the static one, and the mean advantages they deviate from."""
    targets, means = centre_by_query(table), table.prompt_means()
    return targets - targets[:, baseline : baseline + 1], means - float(means[baseline])

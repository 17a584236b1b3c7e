"""Nearest neighbours: the mean outcome of the k most similar queries, shrunken towards the mean over all queries."""

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
"""Weight of the overall mean against the neighbours' mean, in neighbours."""


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourScorer:
    """Similarity-weighted mean advantage of the k nearest training queries, shrunken towards the overall mean."""

    kernel: TextKernel
    targets: Floats
    offsets: Floats
    k: int

    def advantages(self, queries: Sequence[str]) -> Floats:
        deviations = np.zeros((len(queries), len(self.offsets)))
        if queries:
            similarities = self.kernel.cross_matrix(queries)
            k = min(self.k, similarities.shape[1])
            nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
            weights = np.take_along_axis(similarities, nearest, axis=1)
            # The prior's weight is in units of the mean similarity: k dissimilar queries must not outweigh it.
            sums = np.einsum("qk,qkp->qp", weights, self.targets[nearest])
            total = weights.sum(axis=1, keepdims=True) + PRIOR_QUERIES * float(weights.mean())
            deviations = np.divide(sums, total, out=deviations, where=total > 0.0)  # 0: queries unlike all others
        return deviations + self.offsets

    def state(self) -> ScorerState:
        return ScorerState(
            kind="knn",
            values={"kernel": self.kernel.state(), "k": self.k},
            arrays={"targets": self.targets, "offsets": self.offsets},
        )


def fit_neighbours(table: OutcomeTable, *, baseline: int, seed: int, k: int = NEIGHBOURS) -> NeighbourScorer:
    """Store the training queries with their outcomes. `seed` has no effect."""
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
    """Return advantages over the baseline prompt: deviations (queries, prompts) from means, and means (prompts,)."""
    targets, means = centre_by_query(table), table.prompt_means()
    return targets - targets[:, baseline : baseline + 1], means - float(means[baseline])

"""Scorers of the form kernel x coefficients, as kernel ridge gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from askwell.policies.data.arrays import Floats, np
from askwell.policies.selection.base import ScorerState
from askwell.policies.selection.kernel import TextKernel, restore_kernel


@dataclass(frozen=True, slots=True, eq=False)
class DualScorer:
    """Advantage = offset + kernel(query, training queries) @ coefficients."""

    kernel: TextKernel
    coefficients: Floats
    """(training queries, prompts)."""
    offsets: Floats
    """(prompts,): the advantage of each prompt over the static one on an average query; 0 for the static one."""

    def advantages(self, queries: Sequence[str]) -> Floats:
        if not queries:
            return np.zeros((0, len(self.offsets)))
        return self.offsets + self.kernel.cross_matrix(queries) @ self.coefficients

    def state(self) -> ScorerState:
        return ScorerState(
            kind="dual",
            values={"kernel": self.kernel.state()},
            arrays={"coefficients": self.coefficients, "offsets": self.offsets},
        )


def build_dual_scorer(kernel: TextKernel, coefficients: Floats, offsets: Floats, baseline: int) -> DualScorer:
    """Turn predicted rates into advantages over the static column, which is exact: both are linear."""
    return DualScorer(
        kernel, coefficients - coefficients[:, baseline : baseline + 1], offsets - float(offsets[baseline])
    )


def restore_dual(state: ScorerState) -> DualScorer:
    """Build a scorer from its state."""
    spec: object = state.values["kernel"]
    assert isinstance(spec, dict)
    return DualScorer(
        restore_kernel(spec),  # pyright: ignore[reportUnknownArgumentType] - JSON
        state.arrays["coefficients"],
        state.arrays["offsets"],
    )

"""All scorers by name, and by the kind of their saved state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from askwell.core.errors import ConfigError, DataError, nearest
from askwell.policies.selection import kernel_scorer, multitask, neighbours, trees
from askwell.policies.selection.base import FitScorer, Scorer, ScorerState

FITS: Mapping[str, FitScorer] = MappingProxyType(
    {"multitask": multitask.fit_multitask, "trees": trees.fit_trees, "knn": neighbours.fit_neighbours}
)
"""Name -> the function that fits the scorer."""

RESTORES: Mapping[str, Callable[[ScorerState], Scorer]] = MappingProxyType(
    {"dual": kernel_scorer.restore_dual, "trees": trees.restore_trees, "knn": neighbours.restore_neighbours}
)
"""Kind of a saved state -> the function that restores the scorer."""


def get_fit(name: str) -> FitScorer:
    """Return the fit of a scorer. Raises `ConfigError` for an unknown name."""
    if name not in FITS:
        raise ConfigError(f"unknown scorer {name!r}; {nearest(name, FITS)}")
    return FITS[name]


def restore_scorer(state: ScorerState) -> Scorer:
    """Build a fitted scorer from its state. Raises `DataError` for a kind that this version does not know."""
    if state.kind not in RESTORES:
        raise DataError(
            f"a saved scorer of kind {state.kind!r}; expected one of {sorted(RESTORES)}; train the policy again"
        )
    return RESTORES[state.kind](state)

"""Scorers predict how well each prompt would do on a query: the contract, the registry, and saved scorers.

To add a scorer, write a `Fit` and what restores it from its `State`, and give both a line in the tables below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from askwell.errors import ConfigError, DataError, nearest
from askwell.qpo.arrays import Floats
from askwell.qpo.table import Table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """A fitted scorer as plain values: JSON on one side, arrays on the other. No code, no pickle."""

    kind: str
    values: Mapping[str, object]
    arrays: Mapping[str, Floats]


class Scorer(Protocol):
    """A fitted predictor.

    Contract: `advantages` returns (queries, prompts): the expected rate of each prompt minus that of the static prompt
    (whose column is 0). Pure. `state` keeps all of it.
    """

    def advantages(self, queries: Sequence[str]) -> Floats: ...

    def state(self) -> State: ...


class Fit(Protocol):
    """Learn a scorer from a table of outcomes, failures included; same table and seed, same scorer."""

    def __call__(self, table: Table, *, static: int, seed: int) -> Scorer: ...


def fitters() -> dict[str, Fit]:
    """Return every scorer's fit, by name."""
    from askwell.qpo import multitask, neighbours, trees

    return {
        "multitask": multitask.fit_multitask,
        "trees": trees.fit_trees,
        "knn": neighbours.fit_neighbours,
    }


def fitter(name: str) -> Fit:
    """Look a scorer up; raises `ConfigError` for an unknown name."""
    known = fitters()
    if name not in known:
        raise ConfigError(f"unknown scorer {name!r}; {nearest(name, known)}")
    return known[name]


def restore_scorer(state: State) -> Scorer:
    """Build a fitted scorer from its state; raises `DataError` for a kind this version doesn't know."""
    from askwell.qpo import dual, neighbours, trees

    known: dict[str, Callable[[State], Scorer]] = {
        "dual": dual.restore,
        "trees": trees.restore,
        "knn": neighbours.restore,
    }
    if state.kind not in known:
        raise DataError(
            f"a saved scorer of kind {state.kind!r}; expected one of {sorted(known)}; train the policy again"
        )
    return known[state.kind](state)

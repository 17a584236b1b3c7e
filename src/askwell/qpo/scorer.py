"""Scorers: predict how well each prompt would do on a query. The contract, the registry, and how they are kept."""

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
    """Every way to score, by name."""
    from askwell.qpo import linear, multitask, neighbours, trees

    return {
        "multitask": multitask.fit_multitask,
        "kernel-ridge": linear.fit_kernel_ridge,
        "embedding-ridge": linear.fit_embedding_ridge,
        "linear": linear.fit_linear,
        "trees": trees.fit_trees,
        "reward-model": trees.fit_reward_model,
        "knn": neighbours.fit_neighbours,
        "cluster": neighbours.fit_clusters,
        "ensemble": fit_ensemble,
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
        "knn": neighbours.restore_neighbours,
        "cluster": neighbours.restore_clusters,
        "ensemble": _restore_ensemble,
    }
    if state.kind not in known:
        raise DataError(f"a saved scorer of kind {state.kind!r}; this version knows {sorted(known)}")
    return known[state.kind](state)


ENSEMBLE = ("multitask", "trees")
"""What the ensemble averages: the two differ most in what they get wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Mean of several scorers' advantages."""

    members: tuple[Scorer, ...]

    def advantages(self, queries: Sequence[str]) -> Floats:
        total = self.members[0].advantages(queries)
        for member in self.members[1:]:
            total = total + member.advantages(queries)
        return total / len(self.members)

    def state(self) -> State:
        states = [member.state() for member in self.members]
        return State(
            kind="ensemble",
            values={"members": [{"kind": state.kind, "values": state.values} for state in states]},
            arrays={
                f"{place}.{name}": array for place, state in enumerate(states) for name, array in state.arrays.items()
            },
        )


def fit_ensemble(table: Table, *, static: int, seed: int) -> Ensemble:
    """Average the scorers named in `ENSEMBLE`."""
    return Ensemble(tuple(fitter(name)(table, static=static, seed=seed) for name in ENSEMBLE))


def _restore_ensemble(state: State) -> Ensemble:
    spelt: object = state.values["members"]
    assert isinstance(spelt, list)
    members: list[Scorer] = []
    for place, member in enumerate(spelt):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        arrays = {name.split(".", 1)[1]: array for name, array in state.arrays.items() if name.startswith(f"{place}.")}
        members.append(restore_scorer(State(kind=member["kind"], values=member["values"], arrays=arrays)))  # pyright: ignore[reportUnknownArgumentType]
    return Ensemble(tuple(members))

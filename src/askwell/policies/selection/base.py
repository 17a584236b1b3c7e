"""The contract of a scorer, which predicts how well each prompt would do on a query.

To add a scorer, write a `FitScorer` and a function that restores the scorer from its `ScorerState`, and register both
in `registry`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from askwell.policies.data.arrays import Floats
from askwell.policies.data.table import OutcomeTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScorerState:
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

    def state(self) -> ScorerState: ...


class FitScorer(Protocol):
    """Learn a scorer from a table of outcomes, failures included; same table and seed, same scorer."""

    def __call__(self, table: OutcomeTable, *, baseline: int, seed: int) -> Scorer: ...

"""Writers of prompts: what the multi-loop, the policy and the estimates know of a language model that was trained.

`policies.lm.train` has the trainer on a `transformers` model; anything else with these verbs may stand in for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from askwell.core.types import Experience

Pair = tuple[str, str]
"""(query, prompt)."""


class Writer(Protocol):
    """Write prompts for queries, and judge pairs.

    Contract: pure given the seed; a query's prompts depend on that query, `samples` and `seed` alone, not on its
    neighbours. Prompts are never empty. Queries too long for the model are cut, counted and told, never refused.
    """

    def write(self, queries: Sequence[str], *, samples: int = 0, seed: int = 0) -> list[list[str]]:
        """Return each query's prompts, in the order of the queries.

        `samples=0`: one prompt a query, greedy. `samples=N`: exactly N sampled ones in the order of their draws;
        duplicates are kept, so that a prompt's share among them is its probability.
        """
        ...

    def value(self, pairs: Sequence[Pair]) -> list[float]:
        """Predict what each (query, prompt) pair would bring, in their order; higher is better.

        In the unit of the signal the writer was trained on: reward, or advantage over the static prompt.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write all that is needed to write and judge again into a folder: safetensors and JSON, no pickle."""
        ...


class Trainer(Protocol):
    """Learn to write prompts from what was logged."""

    def fit(
        self,
        train: Sequence[Experience],
        dev: Sequence[Experience],
        *,
        start: Writer | None = None,
        seed: int = 0,
    ) -> Writer:
        """Return a writer trained on `train`, failures included.

        `dev` serves early stopping only and must share no query with `train`; empty, the last epoch is taken.
        `start` goes on from an earlier loop's writer of the same trainer. Same arguments, same writer. Raises
        `DataError` for empty `train` or shared queries, `ConfigError` for a `start` that is another trainer's.
        """
        ...

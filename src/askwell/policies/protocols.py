"""Prompt generators and their trainers: the two protocols that loops, policies and estimates use.

`policies.lm.train` implements both on a `transformers` model; another implementation may take its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from askwell.core.types import Experience

Pair = tuple[str, str]
"""(query, prompt)."""


class PromptWriter(Protocol):
    """Generate prompts for queries, and value (query, prompt) pairs.

    Contract: pure given the seed; a query's prompts depend on that query, `samples` and `seed` alone, not on the other
    queries. Prompts are never empty. A query too long for the model is truncated with a warning, never refused.
    """

    def write(self, queries: Sequence[str], *, samples: int = 0, seed: int = 0) -> list[list[str]]:
        """Return each query's prompts, in the order of the queries.

        `samples=0`: one greedy prompt per query. `samples=N`: exactly N sampled prompts, in the order of sampling;
        duplicates are kept, so that a prompt's share among them estimates its probability.
        """
        ...

    def value(self, pairs: Sequence[Pair]) -> list[float]:
        """Predict the signal of each (query, prompt) pair, in their order; higher is better.

        The unit is that of the signal the writer was trained on: reward, or advantage over the baseline prompt.
        """
        ...

    def save(self, folder: Path) -> None:
        """Save everything that loading needs into a folder: safetensors and JSON, no pickle."""
        ...


class Trainer(Protocol):
    """Learn to generate prompts from logged outcomes."""

    def fit(
        self,
        train: Sequence[Experience],
        dev: Sequence[Experience],
        *,
        start: PromptWriter | None = None,
        seed: int = 0,
    ) -> PromptWriter:
        """Return a writer trained on `train`, failures included.

        `dev` is for early stopping only and must share no query with `train`; if it is empty, the last epoch is kept.
        `start` is an earlier loop's writer of the same trainer, to continue from. Same arguments, same writer.
        Raises `DataError` for empty `train` or shared queries, `ConfigError` for a `start` of another trainer.
        """
        ...

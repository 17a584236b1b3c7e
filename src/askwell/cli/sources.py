"""Logged outcomes as the source of a command: the flags that choose them, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from askwell.cli.flags import FOLDER_FLAG
from askwell.core.errors import ConfigError
from askwell.policies.data.offline import read_offline, refuse_overlap
from askwell.policies.data.outcomes import PairOutcomes

SOURCE_FLAGS = [
    click.option("--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Column map, e.g. query=question."),
    click.option("--target-model", metavar="NAME", help="Use this target model's outcomes, if there are several."),
    FOLDER_FLAG,
]
HELD_OUT_FLAG = click.option(
    "--held-out", multiple=True, metavar="SOURCE", help="Queries that must not be in the data: overlap is refused."
)
SEED_FLAG = click.option("--seed", type=int, default=0, help="Random seed (default 0).")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSources:
    """Runs and files with logged outcomes, and how to read them."""

    sources: tuple[str, ...]
    columns: dict[str, str]
    target: str | None
    folder: Path
    held_out: tuple[str, ...]
    seed: int

    def read(self) -> PairOutcomes:
        """Read and merge the sources. Raises `DataError` where a held-out query is among them."""
        outcomes = self._read(self.sources)
        if self.held_out:
            refuse_overlap(outcomes, self._read(self.held_out))
        return outcomes

    def _read(self, sources: Sequence[str]) -> PairOutcomes:
        return read_offline(sources, folder=self.folder, columns=self.columns, target=self.target)


def outcome_sources(
    sources: tuple[str, ...],
    *,
    folder: Path,
    columns: tuple[str, ...] = (),
    target_model: str | None = None,
    held_out: tuple[str, ...] = (),
    seed: int = 0,
) -> OutcomeSources:
    """Collect the source flags. Raises `ConfigError` for a bad --column."""
    column_of: dict[str, str] = {}
    for pair in columns:
        name, equals, column = pair.partition("=")
        if not (equals and name and column):
            raise ConfigError(f"--column {pair!r} is not NAME=COLUMN; give for example --column query=question")
        column_of[name] = column
    return OutcomeSources(
        sources=sources, columns=column_of, target=target_model, folder=folder, held_out=held_out, seed=seed
    )

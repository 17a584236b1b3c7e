"""A tiny world for policies that write: two kinds of queries, each with its own good prompt, learnt in a second."""

from __future__ import annotations

from pathlib import Path

from askwell.policies.settings import ModelSettings, TrainSettings
from askwell.testing.prompt_writer import BAD, GOOD, queries
from askwell.testing.prompt_writer import experiences as world
from askwell.testing.prompt_writer import query_of as query
from tests.support.checkpoints import make_checkpoint

__all__ = ["BAD", "GOOD", "QUICK", "queries", "query", "tiny", "world"]


def tiny(folder: Path, **more: object) -> ModelSettings:
    """Settings on a checkpoint of 20,000 random weights that reads bytes."""
    if not (folder / "config.json").exists():
        make_checkpoint(folder, spread=0.05)
    return ModelSettings(base=str(folder), max_query_tokens=32, max_prompt_tokens=12, **more)  # pyright: ignore[reportArgumentType] - any of its fields


QUICK = TrainSettings(epochs=18, learning_rate=1e-2, batch_pairs=24, patience=0)

"""A small real prompt generator: a table of outcomes, and the most similar queries for unseen ones."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from askwell.core.errors import DataError
from askwell.core.types import Experience
from askwell.policies.protocols import Pair, PromptWriter

NEIGHBOURS = 12


@cache
def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W\d_]+|\d", text.lower()))


@dataclass(frozen=True, slots=True)
class TableWriter:
    """Takes prompts that did well on the most similar queries; a pair's value is the mean reward there."""

    seen: tuple[tuple[str, str, float], ...]

    def write(self, queries: Sequence[str], *, samples: int = 0, seed: int = 0) -> list[list[str]]:
        prompts: list[list[str]] = []
        for query in queries:
            ranked = self._ranked(query)
            rng = random.Random(f"{seed}/{query}")
            prompts.append(rng.choices(ranked[:4], k=samples) if samples else ranked[:1])
        return prompts

    def value(self, pairs: Sequence[Pair]) -> list[float]:
        return [self._value(query, prompt) for query, prompt in pairs]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.json").write_text(json.dumps(self.seen), encoding="utf-8")

    def _ranked(self, query: str) -> list[str]:
        prompts = dict.fromkeys(prompt for _, prompt, _ in self.seen)
        return sorted(prompts, key=lambda prompt: -self._value(query, prompt))

    def _value(self, query: str, prompt: str) -> float:
        tokens = words(query)
        rows = [(len(tokens & words(other)) / len(tokens | words(other)), reward)
                for other, tried, reward in self.seen if tried == prompt]  # fmt: skip
        near = sorted(rows, reverse=True)[:NEIGHBOURS]
        return (sum(reward for _, reward in near) + 0.5) / (len(near) + 1)


class TableTrainer:
    """Stores all outcomes; `fits` counts the calls of `fit`."""

    def __init__(self) -> None:
        self.fits = 0

    def fit(
        self,
        train: Sequence[Experience],
        dev: Sequence[Experience],
        *,
        start: PromptWriter | None = None,
        seed: int = 0,
    ) -> TableWriter:
        del start, seed
        if not train:
            raise DataError("nothing to learn from")
        if shared := {row.query for row in train} & {row.query for row in dev}:
            raise DataError(f"queries in both train and dev: {sorted(shared)}")
        self.fits += 1
        return TableWriter(tuple((row.query, row.prompt, row.reward) for row in train))


def read_table(folder: Path) -> TableWriter:
    rows = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    return TableWriter(tuple((query, prompt, reward) for query, prompt, reward in rows))

"""Policies without learning: the same prompt for every query, as an optimizer's winner is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from askwell.core.types import Example, Prompt
from askwell.tasks.demos import Demos


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPolicy:
    """The same prompt for every query."""

    prompt: Prompt

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]:
        return [self.prompt] * len(queries)


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestDemos:
    """The same instruction for every query, with the training examples nearest to the query as demonstrations."""

    prompt: Prompt
    train: tuple[Example, ...]
    demos: Demos

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]:
        return [replace(self.prompt, demos=self.demos.nearest(query, self.train)) for query in queries]

"""What a task is: examples in three disjoint splits, where the prompt goes, and how an answer is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from askwell.core.protocols import Metric, Render
from askwell.core.types import Example, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A job for a target model. Optimizers see `train` and scores on `dev`; `test` is touched once, at the end."""

    name: str
    splits: Mapping[Split, tuple[Example, ...]]
    render: Render
    metric: Metric

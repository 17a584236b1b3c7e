"""A task: examples in three disjoint splits, how they are rendered, and how replies are scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from askwell.core.protocols import Metric, Render
from askwell.core.types import Example, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task for a target model. Optimizers see `train` and the scores on `dev`; `test` is scored once, at the end."""

    name: str
    splits: Mapping[Split, tuple[Example, ...]]
    render: Render
    metric: Metric

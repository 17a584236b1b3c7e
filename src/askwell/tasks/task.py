"""A task: examples in three disjoint splits, how they are rendered, and how replies are scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from askwell.core.protocols import Metric, Render
from askwell.core.types import Example, Split
from askwell.tasks.questions import RowCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task for a target model. Optimizers see `train` and the scores on `dev`; `test` is scored once, at the end."""

    name: str
    splits: Mapping[Split, tuple[Example, ...]]
    render: Render
    metric: Metric
    rows: RowCounts | None = None
    """The rows of the data before copies were dropped; None for a bundled task, which is drawn without copies."""
    warnings: tuple[str, ...] = ()
    """What a user should know about the data before a run is paid for."""

"""What a task is: examples in three disjoint splits, where the prompt goes, and how an answer is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from askwell.types import Example, Message, Prompt, Score, Split


class Render(Protocol):
    """Place a prompt's instruction and demonstrations around one example's question.

    Contract: pure; the example's target is never looked at (demonstrations show their own targets).
    """

    def __call__(self, prompt: Prompt, example: Example) -> tuple[Message, ...]: ...


class Metric(Protocol):
    """Judge one reply. `value` in 0..1, higher is better; raises `DataError` only for a broken target or callable."""

    def __call__(self, reply: str, example: Example) -> Score: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A job for a target model. Optimizers see `train` and scores on `dev`; `test` is touched once, at the end."""

    name: str
    splits: Mapping[Split, tuple[Example, ...]]
    render: Render
    metric: Metric

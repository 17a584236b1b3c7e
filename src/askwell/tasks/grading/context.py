"""What a grader may know beside the reply and the target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingContext:
    """The question that a reply answers, and the labels of its task."""

    question: str = ""
    """As the model saw it: its options and brackets help to read the reply. Empty if it is not known."""
    labels: tuple[str, ...] = ()
    """All answers that the task allows, for the answer type "label". Empty if they are not known."""


NO_CONTEXT = GradingContext()

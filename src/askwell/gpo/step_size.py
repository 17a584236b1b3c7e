"""Whether a proposal keeps to the word budget: asked for only (the paper), or measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from askwell.edits import edit_distance

Accept = Callable[[str, str, int | None], bool]
"""(current, proposed, budget_words) -> may it become a candidate? A budget of None is no budget."""


def ask(_current: str, _proposed: str, _budget_words: int | None) -> bool:
    """Accept everything: the budget stands in the meta-prompt and nowhere else."""
    return True


def enforce(current: str, proposed: str, budget_words: int | None) -> bool:
    """Accept what changes at most `budget_words` words of the current prompt (`edit_distance`)."""
    return budget_words is None or edit_distance(current, proposed) <= budget_words


BUDGET_MODES: Mapping[str, Accept] = MappingProxyType({"ask": ask, "enforce": enforce})
"""Add a mode here."""

"""Count how the calls behind a score ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from askwell.core.types import Example, Outcome, Rollout
from askwell.engine.replies.grading import Grading


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCounts:
    """How many calls ended in which way; see `core.types.Outcome`."""

    ok: int = 0
    truncated: int = 0
    refused: int = 0
    unparsed: int = 0
    """Complete replies in which the metric found no answer."""
    failed: int = 0
    """Calls that were never answered: no score includes them."""

    @property
    def total(self) -> int:
        return self.ok + self.truncated + self.refused + self.unparsed + self.failed


def count_outcomes(rollouts: Iterable[Rollout], examples: Mapping[str, Example], grading: Grading) -> OutcomeCounts:
    """Count the outcomes of rollouts; `examples` holds their examples by id."""
    counts = Counter(_outcome(rollout, examples[rollout.example_id], grading) for rollout in rollouts)
    return OutcomeCounts(**counts)


def format_outcomes(counts: OutcomeCounts) -> str:
    """Format counts for people: `20 ok, 3 truncated, 1 failed`."""
    shown = [f"{count:,} {name}" for name, count in asdict(counts).items() if count]
    return ", ".join(shown) or "none"


def _outcome(rollout: Rollout, example: Example, grading: Grading) -> Outcome:
    outcome = rollout.completion.outcome
    return "unparsed" if outcome == "ok" and grading.has_no_answer(rollout, example) else outcome

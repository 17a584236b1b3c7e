"""How many words a step may change: by a schedule (the paper), or by a trust region that the run's own steps move.

To add a rule, write a function and give it a line in `STRIDES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from askwell.core.errors import ConfigError
from askwell.core.text import words
from askwell.core.trajectory import Trajectory, penalized_score
from askwell.core.types import Candidate
from askwell.optimizers.gpo.schedule import SCHEDULES, budget_words, warmup_steps

RESTART = "restart"
"""Origin of proposals that left the current prompts behind; the trust region begins anew after them."""
BUDGET_MODES = ("ask", "enforce")
"""A budget stands in the meta-prompt and nowhere else (the paper), or is measured too: see `constraints.budget`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRegion:
    """Part of a prompt's words that a step may change: wider after a step that found a better prompt, else narrower."""

    first: float = 2.0
    """At the start; from 1 on, a whole new text fits."""
    least: float = 0.5
    most: float = 4.0
    widen: float = 1.5
    """Factor after a step with a new best prompt."""
    shrink: float = 0.7
    """Factor after a step without one."""
    basis_words: int = 20
    """Shorter prompts count as this long: no part of three words is a step."""

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.first <= self.most or not self.shrink <= 1 <= self.widen or self.shrink <= 0:
            raise ConfigError(
                "a trust region needs 0 < least <= first <= most and 0 < shrink <= 1 <= widen; "
                f"got {self.least=}, {self.first=}, {self.most=}, {self.shrink=}, {self.widen=}"
            )
        if self.basis_words < 1:
            raise ConfigError(f"basis_words is {self.basis_words!r}; expected at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSchedule:
    """The numbers behind a step's size."""

    total_steps: int
    first_words: int
    final_words: int
    warmup_share: float
    trust: TrustRegion


Stride = Callable[[Trajectory, Candidate, BudgetSchedule], int | None]
"""(trajectory, parent, pace) -> words of the parent that the next step may change; None is no bound. Pure."""


def radius(trajectory: Trajectory, trust: TrustRegion) -> float:
    """Fold the steps made so far to the part of a prompt that the next one may change, `least` to `most`."""
    found, best = trust.first, math.inf
    for number, step in enumerate(trajectory.steps):
        # who lost a race early found nothing better; its mean is over a part of dev and does not compare
        top = max((penalized_score(candidate) for candidate in step if not candidate.partial), default=-math.inf)
        if number == 0:
            best = top
        elif top > best:
            found, best = min(trust.most, found * trust.widen), top
        elif any(candidate.origin == RESTART for candidate in step):
            found = trust.first
        else:
            found = max(trust.least, found * trust.shrink)
    return found


def _unbounded(_trajectory: Trajectory, _parent: Candidate, _pace: BudgetSchedule) -> None:
    return None


def _trusted(trajectory: Trajectory, parent: Candidate, pace: BudgetSchedule) -> int:
    length = max(pace.trust.basis_words, len(words(parent.prompt.instruction)))
    return max(1, round(radius(trajectory, pace.trust) * length))


def _scheduled(kind: str) -> Stride:
    def stride(trajectory: Trajectory, _parent: Candidate, pace: BudgetSchedule) -> int:
        step = trajectory.next_step - 1  # 0-based: step 0 of the trajectory holds the initial prompt
        warmup = warmup_steps(pace.warmup_share, pace.total_steps)
        return budget_words(kind, step, pace.total_steps, pace.first_words, pace.final_words, warmup)

    return stride


STRIDES: Mapping[str, Stride] = MappingProxyType(
    {"none": _unbounded, "trust": _trusted} | {kind: _scheduled(kind) for kind in SCHEDULES}
)

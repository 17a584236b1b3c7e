"""The word budget of a step: by a schedule (the paper), or by a trust region that adapts to the steps made so far.

To add a rule, write a function and add it to `BUDGET_RULES`.
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
from askwell.optimizers.gpo.schedule import SCHEDULES, compute_budget, count_warmup_steps

RESTART = "restart"
"""Origin of proposals that do not start from the current prompts; the trust region is reset after them."""
BUDGET_MODES = ("ask", "enforce")
"""State the budget in the meta-prompt only (the paper), or also measure it: see `constraints.check_budget`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRegion:
    """Share of a prompt's words that a step may change: wider after a step with a better prompt, else narrower."""

    first: float = 2.0
    """Radius at the start; from 1 on, a whole new text fits."""
    least: float = 0.5
    """Smallest radius."""
    most: float = 4.0
    """Largest radius."""
    widen: float = 1.5
    """Factor after a step with a new best prompt."""
    shrink: float = 0.7
    """Factor after a step without one."""
    basis_words: int = 20
    """Shorter prompts count as this long: a share of three words would leave no step to make."""

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
    """The settings that determine the word budget of a step."""

    total_steps: int
    first_words: int
    final_words: int
    warmup_share: float
    trust: TrustRegion


BudgetRule = Callable[[Trajectory, Candidate, BudgetSchedule], int | None]
"""(trajectory, parent, schedule) -> words of the parent that the next step may change; None for no bound. Pure."""


def compute_radius(trajectory: Trajectory, trust: TrustRegion) -> float:
    """Fold the steps made so far into the radius of the next one, `least` to `most`."""
    radius, best = trust.first, math.inf
    for number, step in enumerate(trajectory.steps):
        # A candidate that lost a race early is no improvement; its mean over a part of dev can't be compared.
        top = max((penalized_score(candidate) for candidate in step if not candidate.partial), default=-math.inf)
        if number == 0:
            best = top
        elif top > best:
            radius, best = min(trust.most, radius * trust.widen), top
        elif any(candidate.origin == RESTART for candidate in step):
            radius = trust.first
        else:
            radius = max(trust.least, radius * trust.shrink)
    return radius


def _no_budget(_trajectory: Trajectory, _parent: Candidate, _pace: BudgetSchedule) -> None:
    return None


def _trust_budget(trajectory: Trajectory, parent: Candidate, schedule: BudgetSchedule) -> int:
    length = max(schedule.trust.basis_words, len(words(parent.prompt.instruction)))
    return max(1, round(compute_radius(trajectory, schedule.trust) * length))


def _schedule_budget(kind: str) -> BudgetRule:
    def compute(trajectory: Trajectory, _parent: Candidate, schedule: BudgetSchedule) -> int:
        step = trajectory.next_step - 1  # 0-based: step 0 of the trajectory is the initial prompt
        warmup = count_warmup_steps(schedule.warmup_share, schedule.total_steps)
        return compute_budget(kind, step, schedule.total_steps, schedule.first_words, schedule.final_words, warmup)

    return compute


BUDGET_RULES: Mapping[str, BudgetRule] = MappingProxyType(
    {"none": _no_budget, "trust": _trust_budget} | {kind: _schedule_budget(kind) for kind in SCHEDULES}
)

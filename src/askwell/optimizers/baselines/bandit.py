"""Choosing the best few of many prompts with few target calls: the selection rules of ProTeGi (section 3.3).

Arms are prompts, a pull tries one on further training examples. All arms walk the same shuffled examples, so that
their means compare like with like, and an arm that has seen them all is known and needs no more pulls. The paper draws
examples anew for each pull; with a train split of some dozens that would mostly repeat answers it has.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

Pull = Callable[[Sequence[tuple[int, range]]], Awaitable[Sequence[Sequence[float]]]]
"""Try arms, each on a range of places in the order of examples; scores 0..1, those of failed calls left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BanditPlan:
    """What a selection may spend, and how it spends it."""

    arms: int
    keep: int
    """How many of the best to return."""
    calls: int
    """Target calls in all, at the most."""
    examples: int
    """Length of the order: no arm can be tried on more."""
    per_pull: int = 4
    """Examples a pull."""
    exploration: float = 1.0
    """c of the upper confidence bound."""


@dataclass(slots=True)
class _Arms:
    """What is known of each arm while a selection runs."""

    pull: Pull
    plan: BanditPlan
    spent: int = 0
    seen: list[int] = field(init=False)
    scores: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = [0] * self.plan.arms
        self.scores = [[] for _ in range(self.plan.arms)]

    async def extend(self, wanted: Sequence[tuple[int, int]]) -> None:
        """Show each (arm, number of) further examples, as far as calls and examples go."""
        trials: list[tuple[int, range]] = []
        for arm, more in wanted:
            count = min(more, self.plan.examples - self.seen[arm], self.plan.calls - self.spent)
            if count > 0:
                trials.append((arm, range(self.seen[arm], self.seen[arm] + count)))
                self.seen[arm] += count
                self.spent += count
        if trials:
            for (arm, _), found in zip(trials, await self.pull(trials), strict=True):
                self.scores[arm] += found

    def mean(self, arm: int) -> float:
        """Return the mean score; below every real one for an arm that was never answered."""
        return sum(self.scores[arm]) / len(self.scores[arm]) if self.scores[arm] else -1.0

    def best(self, count: int) -> list[int]:
        return sorted(range(self.plan.arms), key=lambda arm: (-self.mean(arm), -len(self.scores[arm]), arm))[:count]


async def uniform(pull: Pull, plan: BanditPlan) -> list[int]:
    """Spread the calls evenly: what the others have to beat."""
    arms = _Arms(pull, plan)
    each, extra = divmod(plan.calls, plan.arms)
    await arms.extend([(arm, each + (arm < extra)) for arm in range(plan.arms)])
    return arms.best(plan.keep)


async def ucb(pull: Pull, plan: BanditPlan) -> list[int]:
    """Upper confidence bounds (algorithm 3): pull where mean + c·√(ln t / n) is highest, `keep` arms a round."""
    arms = _Arms(pull, plan)

    def bound(arm: int, turn: int) -> float:
        seen = arms.seen[arm]
        return math.inf if seen == 0 else arms.mean(arm) + plan.exploration * math.sqrt(math.log(turn) / seen)

    turn = 1
    while arms.spent < plan.calls:
        open_arms = [arm for arm in range(plan.arms) if arms.seen[arm] < plan.examples]
        if not open_arms:
            break
        chosen = sorted(open_arms, key=lambda arm: -bound(arm, turn))[: plan.keep]
        await arms.extend([(arm, plan.per_pull) for arm in chosen])
        turn += 1
    return arms.best(plan.keep)


async def successive_rejects(pull: Pull, plan: BanditPlan) -> list[int]:
    """Successive rejects (algorithm 4): in each phase all arms left are tried evenly and the worst goes, until `keep`.

    After phase k an arm left has been tried n_k = ⌈(B − n) / (L·(n + 1 − k))⌉ times, L = ½ + Σ_{i=2..n} 1/i.
    """
    arms = _Arms(pull, plan)
    left = list(range(plan.arms))
    log_bar = 0.5 + sum(1 / i for i in range(2, plan.arms + 1))
    for phase in range(1, plan.arms - plan.keep + 1):
        tries = math.ceil(max(0, plan.calls - plan.arms) / (log_bar * (plan.arms + 1 - phase)))
        await arms.extend([(arm, max(1, tries) - arms.seen[arm]) for arm in left])
        left.remove(min(left, key=lambda arm: (arms.mean(arm), -arm)))
    return sorted(left, key=lambda arm: -arms.mean(arm))


SELECTORS: Mapping[str, Callable[[Pull, BanditPlan], Awaitable[list[int]]]] = MappingProxyType(
    {"ucb": ucb, "successive-rejects": successive_rejects, "uniform": uniform}
)
"""Add a rule here: (pull, plan) -> at most `keep` arms, best first, for at most `calls` calls."""

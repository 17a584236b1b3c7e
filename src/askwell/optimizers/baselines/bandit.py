"""Select the best few of many prompts with few target calls: the bandits of ProTeGi (section 3.3).

Arms are prompts; a pull runs one on further training examples. All arms see the same shuffled examples in the same
order, so that their means are comparable, and an arm that has seen them all is known exactly and needs no more pulls.
The paper draws new examples for each pull; with some dozens of training examples that would mostly repeat known calls.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

Pull = Callable[[Sequence[tuple[int, range]]], Awaitable[Sequence[Sequence[float]]]]
"""Run arms, each on a range of indices in the order of examples; return scores 0..1, without failed calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BanditPlan:
    """The budget of a selection, and its parameters."""

    arms: int
    keep: int
    """How many of the best to return."""
    calls: int
    """Most target calls in total."""
    examples: int
    """Number of examples: no arm can be run on more."""
    per_pull: int = 4
    """Examples per pull."""
    exploration: float = 1.0
    """c of the upper confidence bound."""


@dataclass(slots=True)
class _Arms:
    """The examples used and the scores of each arm during a selection."""

    pull: Pull
    plan: BanditPlan
    spent: int = 0
    seen: list[int] = field(init=False)
    scores: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = [0] * self.plan.arms
        self.scores = [[] for _ in range(self.plan.arms)]

    async def extend(self, wanted: Sequence[tuple[int, int]]) -> None:
        """Run each arm on the wanted number of further examples, as far as calls and examples allow."""
        trials: list[tuple[int, range]] = []
        for arm, more in wanted:
            count = min(more, self.plan.examples - self.seen[arm], self.plan.calls - self.spent)
            if count > 0:
                trials.append((arm, range(self.seen[arm], self.seen[arm] + count)))
                self.seen[arm] += count
                self.spent += count
        if trials:
            for (arm, _), scores in zip(trials, await self.pull(trials), strict=True):
                self.scores[arm] += scores

    def mean(self, arm: int) -> float:
        """Return the mean score; -1, below every real one, for an arm without an answered call."""
        return sum(self.scores[arm]) / len(self.scores[arm]) if self.scores[arm] else -1.0

    def best(self, count: int) -> list[int]:
        return sorted(range(self.plan.arms), key=lambda arm: (-self.mean(arm), -len(self.scores[arm]), arm))[:count]


async def select_uniformly(pull: Pull, plan: BanditPlan) -> list[int]:
    """Spread the calls evenly: the reference for the other rules."""
    arms = _Arms(pull, plan)
    each, extra = divmod(plan.calls, plan.arms)
    await arms.extend([(arm, each + (arm < extra)) for arm in range(plan.arms)])
    return arms.best(plan.keep)


async def select_by_ucb(pull: Pull, plan: BanditPlan) -> list[int]:
    """Pull the `keep` arms with the highest upper confidence bound mean + c·√(ln t / n) per round (algorithm 3)."""
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


async def select_by_successive_rejects(pull: Pull, plan: BanditPlan) -> list[int]:
    """Reject the worst arm after each phase of equal pulls, until `keep` are left (successive rejects, algorithm 4).

    After phase k a remaining arm has been run on n_k = ⌈(B − n) / (L·(n + 1 − k))⌉ times, L = ½ + Σ_{i=2..n} 1/i.
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
    {"ucb": select_by_ucb, "successive-rejects": select_by_successive_rejects, "uniform": select_uniformly}
)
"""Selection rules by name: (pull, plan) -> at most `keep` arms, best first, with at most `calls` calls."""

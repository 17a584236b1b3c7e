"""Racing: which candidates to stop scoring, which cells to score next, and on which evidence.

Everything here is a pure decision over a partly filled table of candidates × blocks of dev examples. The engine fills
cells in any order, several at once, and asks again whenever one is known; cells known from before (a cache, an earlier
step) cost nothing and count as evidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from askwell.engine.racing.posterior import Belief, BlockScore, Field, Scores, believe, block_mean, interaction_variance
from askwell.errors import ConfigError, DataError
from askwell.quantiles import student_quantile

Cell = tuple[str, int]
"""(candidate, number of the block)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is known to be worth doing now."""

    ranking: tuple[str, ...]
    """All candidates, best first, as far as the evidence goes; stopped ones after those still in the race."""
    stopped: frozenset[str]
    """Candidates not worth another cell on this evidence."""
    wanted: tuple[Cell, ...]
    """Cells to score next, the most informative first: take as many as there are free slots. Empty when all is said."""

    @property
    def chosen(self) -> str:
        """The winner, or the best so far."""
        return self.ranking[0]


class Racing(Protocol):
    """Decide on the evidence so far.

    Contract: pure, and blind to the order in which scores arrived (so a run that asks again at the same evidence does
    the same); `wanted` never names a known cell; filling `wanted` again and again ends with it empty; higher scores are
    better. Nothing but `scores` is looked at. For a run that is to be repeatable to the cell while several are in
    flight, hand over results in the order in which they were asked for, not in the order of arrival.
    """

    def decide(self, field: Field, scores: Scores) -> Decision: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedGain:
    """askwell's racing: go on as long as a challenger's expected gain is worth the price of another look.

    Everybody gets one shared block. Then the weakest of the `survivors` best is set against the challenger with the
    largest expected gain over it, on blocks both have; a candidate is stopped when its expected gain is below `price` ×
    (share of the table known): the more has been spent, the more a further look has to promise. Stopped is not lost: a
    candidate comes back when the leader falls. Cells are asked for in pairs on one block, because a candidate alone on
    a block tells nothing about the others.
    """

    survivors: int = 1
    """How many candidates are wanted in the end."""
    price: float = 0.005
    """Score (0..1) that one full evaluation of everybody has to be worth; half a point. Lower looks longer."""
    family_error: float = 0.1
    """Bound on the probability that any stopped candidate is better than the survivor by more than `indifference`
    (posterior of the paired difference, Bonferroni over the challengers); 1 leaves it to the price."""
    indifference: float = 0.03
    complete: bool = False
    """Give the survivors the full dev split once nobody challenges them (who then may be challenged again)."""

    def decide(self, field: Field, scores: Scores) -> Decision:
        _check(field, scores, self.survivors)
        unseen = [name for name in field.candidates if not scores.get(name)]
        belief = believe(field, scores)
        order = _order(range(len(field.candidates)), lambda index: belief.means[index])
        seen = [index for index in order if field.candidates[index] not in unseen]
        opening = _opening_block(field, scores)
        wanted = [(name, opening) for name in unseen]
        if len(seen) <= self.survivors:
            return self._completed(field, scores, order, [], wanted)
        leader, rest = seen[self.survivors - 1], seen[self.survivors :]
        challengers = len(field.candidates) - self.survivors
        rest = _order(sorted(rest), lambda index: belief.expected_gain(index, leader))
        live = [index for index in rest if self._challenges(belief, index, leader, challengers, field, scores)]
        wanted += [cell for index in live for cell in _duel(field, scores, leader, index)]
        stopped = [index for index in seen[self.survivors :] if index not in live]
        return self._completed(field, scores, order, stopped, wanted)

    def _completed(
        self, field: Field, scores: Scores, order: Sequence[int], stopped: Sequence[int], wanted: Sequence[Cell]
    ) -> Decision:
        if not wanted and self.complete:
            names = [field.candidates[index] for index in order[: self.survivors]]
            wanted = [cell for name in names for cell in _missing(field, scores, name)]
        return _decision(field, order, stopped, wanted)

    def _challenges(
        self, belief: Belief, index: int, leader: int, challengers: int, field: Field, scores: Scores
    ) -> bool:
        if not _duel(field, scores, leader, index):
            return False
        if belief.expected_gain(index, leader) >= self.price * _share_known(field, scores):
            return True
        return belief.probability_better(index, leader, by=self.indifference) > self.family_error / challengers


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessiveHalving:
    """Sequential halving with a fixed budget (Karnin, Koren and Somekh 2013): equal spending in every round.

    Each round scores the remaining candidates on as many further blocks as its part of the budget pays for (at least
    one), then the better half goes on.
    """

    survivors: int = 1
    share: float = 0.3
    """Part of the full table to spend."""

    def decide(self, field: Field, scores: Scores) -> Decision:
        _check(field, scores, self.survivors)
        count, blocks = len(field.candidates), len(field.blocks)
        rounds = max(1, math.ceil(math.log2(count / self.survivors)))
        alive, depth = list(range(count)), 0
        for _ in range(rounds):
            if len(alive) <= self.survivors:
                break
            depth = min(blocks, depth + max(1, int(self.share * count * blocks / rounds / len(alive) + 1e-9)))
            order = _by_mean(field, scores, alive, range(depth))
            wanted = _lacking(field, scores, alive, range(depth))
            if wanted:
                return _decision(field, order, _others(count, alive), wanted)
            alive = sorted(order[: max(self.survivors, len(alive) // 2)])
        return _decision(field, _by_mean(field, scores, alive, range(depth)), _others(count, alive), [])


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedT:
    """CAPO's racing (arXiv 2504.16005): block by block, drop who is significantly worse than `survivors` others.

    A one-sided paired t-test at level `alpha` over the examples seen so far, without correction for many looks or many
    pairs; at the end the best means survive. Where only block means are known, the variance of a pair's difference
    is twice the pooled interaction variance.
    """

    survivors: int = 1
    alpha: float = 0.2

    def decide(self, field: Field, scores: Scores) -> Decision:
        _check(field, scores, self.survivors)
        count = len(field.candidates)
        alive, order = list(range(count)), list(range(count))
        for seen in range(1, len(field.blocks) + 1):
            if len(alive) <= self.survivors:
                break
            order = _by_mean(field, scores, alive, range(seen))
            wanted = _lacking(field, scores, alive, range(seen))
            if wanted:
                return _decision(field, order, _others(count, alive), wanted)
            alive = self._remaining(field, scores, alive, seen)
        return _decision(field, [index for index in order if index in alive], _others(count, alive), [])

    def _remaining(self, field: Field, scores: Scores, alive: Sequence[int], seen: int) -> list[int]:
        names = {index: field.candidates[index] for index in alive}
        prefix = {name: {block: scores[name][block] for block in range(seen)} for name in names.values()}
        variance = interaction_variance(field, prefix)
        sizes = field.blocks[:seen]
        return [
            index
            for index in alive
            if sum(
                _better(prefix[names[other]], prefix[names[index]], sizes, variance, self.alpha)
                for other in alive
                if other != index
            )
            < self.survivors
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FullEvaluation:
    """Every candidate on every block: what racing is measured against."""

    survivors: int = 1

    def decide(self, field: Field, scores: Scores) -> Decision:
        _check(field, scores, self.survivors)
        everybody = list(range(len(field.candidates)))
        wanted = _lacking(field, scores, everybody, range(len(field.blocks)))
        return _decision(field, _by_mean(field, scores, everybody, range(len(field.blocks))), [], wanted)


RACINGS: Mapping[str, Callable[[], Racing]] = {
    "askwell": ExpectedGain,
    "successive-halving": SuccessiveHalving,
    "capo-paired-t": PairedT,
    "full": FullEvaluation,
}


def blocks_of(examples: int, size: int) -> tuple[int, ...]:
    """Cut a dev split into blocks of `size` examples; less than half a block at the end joins the one before."""
    if examples < 1 or size < 1:
        raise ConfigError(f"{examples} examples in blocks of {size}: both have to be at least 1")
    count = max(1, examples // size + (examples % size * 2 >= size))
    return (*(size for _ in range(count - 1)), examples - size * (count - 1))


def _check(field: Field, scores: Scores, survivors: int) -> None:
    if not 1 <= survivors <= len(field.candidates):
        raise ConfigError(f"survivors={survivors!r}: expected 1 to {len(field.candidates)}, the number of candidates")
    if not field.blocks or min(field.blocks) < 1:
        raise ConfigError(f"blocks={field.blocks!r}: expected at least one block of at least one example")
    for name, row in scores.items():
        for block, score in row.items():
            values = (score,) if isinstance(score, int | float) else score
            if not values or not all(math.isfinite(value) for value in values):
                raise DataError(f"candidate {name!r}, block {block}: {score!r} is not a score; leave unknown cells out")


def _decision(field: Field, order: Sequence[int], stopped: Sequence[int], wanted: Sequence[Cell]) -> Decision:
    gone = frozenset(field.candidates[index] for index in stopped)
    names = [field.candidates[index] for index in (*order, *(i for i in stopped if i not in order))]
    ranking = (*(name for name in names if name not in gone), *(name for name in names if name in gone))
    return Decision(ranking=ranking, stopped=gone, wanted=tuple(dict.fromkeys(wanted)))


def _order(indices: Sequence[int], key: Callable[[int], float]) -> list[int]:
    """Best first; equal to the last few bits counts as equal, and then the order given decides."""
    return sorted(indices, key=lambda index: -round(key(index), 12))


def _by_mean(field: Field, scores: Scores, alive: Sequence[int], blocks: Sequence[int]) -> list[int]:
    def mean(index: int) -> float:
        row = scores.get(field.candidates[index], {})
        known = [block for block in blocks if block in row]
        examples = sum(field.blocks[block] for block in known)
        return sum(field.blocks[block] * block_mean(row[block]) for block in known) / max(examples, 1)

    return _order(alive, mean)


def _others(count: int, alive: Sequence[int]) -> list[int]:
    return [index for index in range(count) if index not in alive]


def _lacking(field: Field, scores: Scores, alive: Sequence[int], blocks: Sequence[int]) -> list[Cell]:
    """Unknown cells block by block, so that what is compared is filled first."""
    names = [field.candidates[index] for index in alive]
    return [(name, block) for block in blocks for name in names if block not in scores.get(name, {})]


def _missing(field: Field, scores: Scores, name: str) -> list[Cell]:
    return [(name, block) for block in range(len(field.blocks)) if block not in scores.get(name, {})]


def _opening_block(field: Field, scores: Scores) -> int:
    """The block most candidates are known on, the first of equals: newcomers meet the others there."""
    known = [sum(block in scores.get(name, {}) for name in field.candidates) for block in range(len(field.blocks))]
    return known.index(max(known))


def _share_known(field: Field, scores: Scores) -> float:
    known = sum(field.blocks[block] for name in field.candidates for block in scores.get(name, {}))
    return known / (len(field.candidates) * sum(field.blocks))


def _duel(field: Field, scores: Scores, leader: int, challenger: int) -> list[Cell]:
    """The cells that compare two candidates on one more block: one where either is known already, else a pair."""
    ahead, behind = field.candidates[leader], field.candidates[challenger]
    blocks = range(len(field.blocks))
    for name, other in ((behind, ahead), (ahead, behind)):
        for block in blocks:
            if block in scores[other] and block not in scores[name]:
                return [(name, block)]
    fresh = next((block for block in blocks if block not in scores[ahead]), None)
    return [] if fresh is None else [(ahead, fresh), (behind, fresh)]


def _better(
    one: Mapping[int, BlockScore], other: Mapping[int, BlockScore], sizes: Sequence[int], variance: float, alpha: float
) -> bool:
    """Whether a one-sided paired t-test over the blocks given finds `one` better than `other` at level `alpha`."""
    differences: list[float] = []
    for block in range(len(sizes)):
        left, right = one[block], other[block]
        if isinstance(left, int | float) or isinstance(right, int | float) or len(left) != len(right):
            n = sum(sizes)
            mean = sum(size * (block_mean(one[b]) - block_mean(other[b])) for b, size in enumerate(sizes)) / n
            return _significant(mean, 2 * variance, n, alpha)
        differences.extend(a - b for a, b in zip(left, right, strict=True))
    n, mean = len(differences), math.fsum(differences) / len(differences)
    return _significant(mean, math.fsum((d - mean) ** 2 for d in differences) / max(n - 1, 1), n, alpha)


def _significant(mean: float, variance: float, n: int, alpha: float) -> bool:
    if n < 2 or variance <= 0.0:
        return n > 1 and mean > 0.0
    return mean / math.sqrt(variance / n) > student_quantile(1 - alpha, n - 1)

"""The racing methods: which candidates to stop scoring, and which cells to score next.

Every rule is a pure decision over a partly filled table of candidates × blocks of dev examples. Cells that are already
known (from the log or an earlier step) cost nothing and count as evidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from askwell.core.quantiles import student_quantile
from askwell.engine.racing.posterior import Posterior, fit_posterior, interaction_variance
from askwell.engine.racing.table import (
    BlockCell,
    BlockScore,
    RaceLayout,
    Scores,
    best_known_block,
    block_mean,
    check_table,
    comparison_cells,
    known_share,
    unknown_cells,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision of a rule on the evidence so far."""

    ranking: tuple[str, ...]
    """All candidates, best first by the evidence; stopped ones after those still in the race."""
    stopped: frozenset[str]
    """Candidates not worth another cell on this evidence."""
    wanted: tuple[BlockCell, ...]
    """Cells to score next, the most informative first: take as many as there are free workers. Empty at the end."""

    @property
    def chosen(self) -> str:
        """The winner, or the best so far."""
        return self.ranking[0]


class RacingRule(Protocol):
    """Decide on the evidence so far.

    Contract: pure, and independent of the order in which scores arrived (so the same evidence gives the same decision);
    `wanted` never contains a known cell; filling `wanted` again and again ends with it empty; higher scores are better.
    Nothing but `scores` is looked at. For a run that can be repeated to the cell while several cells are in flight,
    record results in the order in which they were requested, as `RaceScheduler` does, not in the order of arrival.
    """

    def decide(self, layout: RaceLayout, scores: Scores) -> Decision: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedGain:
    """askwell's racing: continue as long as a challenger's expected gain is worth the price of another block.

    All candidates get one shared block. Then the weakest of the `survivors` best is compared with the challenger that
    has the largest expected gain over it, on blocks that both have. A candidate is stopped when its expected gain is
    below `price` × (share of the table known): the more has been spent, the more another block has to promise. A
    stopped candidate comes back if the leader falls. Cells are requested in pairs on one block, because one candidate
    alone on a block says nothing about the others.
    """

    survivors: int = 1
    """How many candidates are wanted in the end."""
    price: float = 0.005
    """Score (0..1) that one full evaluation of all candidates has to be worth: half a point. Lower races longer."""
    family_error: float = 0.1
    """Bound on the probability that any stopped candidate is better than the survivor by more than `indifference`
    (posterior of the paired difference, Bonferroni over the challengers); 1 leaves the decision to the price."""
    indifference: float = 0.03
    """Difference in score (0..1) that doesn't matter."""
    complete: bool = False
    """Score the survivors on the full dev split once no challenger is left (new evidence may bring one back)."""

    def decide(self, layout: RaceLayout, scores: Scores) -> Decision:
        check_table(layout, scores, self.survivors)
        unseen = [name for name in layout.candidates if not scores.get(name)]
        posterior = fit_posterior(layout, scores)
        order = _rank(range(len(layout.candidates)), lambda index: posterior.means[index])
        seen = [index for index in order if layout.candidates[index] not in unseen]
        # New candidates start on the block where most others can be compared with them.
        opening_block = best_known_block(layout, scores)
        wanted = [BlockCell(name, opening_block) for name in unseen]
        if len(seen) <= self.survivors:
            return self._complete_survivors(layout, scores, order, [], wanted)
        leader, rest = seen[self.survivors - 1], seen[self.survivors :]
        challengers = len(layout.candidates) - self.survivors
        # Sorted first, so that ties in expected gain go to the earlier proposal and not to the higher mean.
        rest = _rank(sorted(rest), lambda index: posterior.expected_gain(index, leader))
        live = [index for index in rest if self._is_live(posterior, index, leader, challengers, layout, scores)]
        wanted += [cell for index in live for cell in comparison_cells(layout, scores, leader, index)]
        stopped = [index for index in seen[self.survivors :] if index not in live]
        return self._complete_survivors(layout, scores, order, stopped, wanted)

    def _complete_survivors(
        self,
        layout: RaceLayout,
        scores: Scores,
        order: Sequence[int],
        stopped: Sequence[int],
        wanted: Sequence[BlockCell],
    ) -> Decision:
        if not wanted and self.complete:
            # Survivor by survivor, not block by block: the best one's full score is the first to be useful.
            every_block = range(len(layout.blocks))
            wanted = [
                cell
                for index in order[: self.survivors]
                for cell in unknown_cells(layout, scores, [index], every_block)
            ]
        return _decision(layout, order, stopped, wanted)

    def _is_live(
        self, posterior: Posterior, index: int, leader: int, challengers: int, layout: RaceLayout, scores: Scores
    ) -> bool:
        """Return whether a challenger is worth another block."""
        if not comparison_cells(layout, scores, leader, index):
            return False
        if posterior.expected_gain(index, leader) >= self.price * known_share(layout, scores):
            return True
        return posterior.probability_better(index, leader, by=self.indifference) > self.family_error / challengers


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessiveHalving:
    """Sequential halving with a fixed budget (Karnin, Koren and Somekh 2013): equal spending in every round.

    Each round scores the remaining candidates on as many further blocks as its part of the budget pays for (at least
    one), then the better half stays.
    """

    survivors: int = 1
    share: float = 0.3
    """Share of the full table to score."""

    def decide(self, layout: RaceLayout, scores: Scores) -> Decision:
        check_table(layout, scores, self.survivors)
        count, blocks = len(layout.candidates), len(layout.blocks)
        rounds = max(1, math.ceil(math.log2(count / self.survivors)))
        alive, depth = list(range(count)), 0
        # The rule has no state: all earlier rounds are replayed from the table.
        for _ in range(rounds):
            if len(alive) <= self.survivors:
                break
            # 1e-9: a quotient that is a whole number must not be rounded down by floating point.
            depth = min(blocks, depth + max(1, int(self.share * count * blocks / rounds / len(alive) + 1e-9)))
            order = _rank_by_mean(layout, scores, alive, range(depth))
            wanted = unknown_cells(layout, scores, alive, range(depth))
            if wanted:
                return _decision(layout, order, _others(count, alive), wanted)
            alive = sorted(order[: max(self.survivors, len(alive) // 2)])
        order = _rank_by_mean(layout, scores, alive, range(depth))
        return _decision(layout, order, _others(count, alive), [])


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedT:
    """CAPO's racing (arXiv 2504.16005): block by block, drop candidates significantly worse than `survivors` others.

    A one-sided paired t-test at level `alpha` over the examples seen so far, without correction for repeated testing or
    for the number of pairs; at the end the best means survive. If only block means are known, the variance of a pair's
    difference is twice the pooled interaction variance.
    """

    survivors: int = 1
    alpha: float = 0.2

    def decide(self, layout: RaceLayout, scores: Scores) -> Decision:
        check_table(layout, scores, self.survivors)
        count = len(layout.candidates)
        alive, order = list(range(count)), list(range(count))
        # The rule has no state: the tests after all earlier blocks are replayed from the table.
        for seen in range(1, len(layout.blocks) + 1):
            if len(alive) <= self.survivors:
                break
            order = _rank_by_mean(layout, scores, alive, range(seen))
            wanted = unknown_cells(layout, scores, alive, range(seen))
            if wanted:
                return _decision(layout, order, _others(count, alive), wanted)
            alive = self._remaining(layout, scores, alive, seen)
        return _decision(layout, [index for index in order if index in alive], _others(count, alive), [])

    def _remaining(self, layout: RaceLayout, scores: Scores, alive: Sequence[int], seen: int) -> list[int]:
        names = {index: layout.candidates[index] for index in alive}
        prefix = {name: {block: scores[name][block] for block in range(seen)} for name in names.values()}
        variance = interaction_variance(layout, prefix)
        sizes = layout.blocks[:seen]

        def times_beaten(index: int) -> int:
            rivals = (other for other in alive if other != index)
            row = prefix[names[index]]
            return sum(_is_better(prefix[names[other]], row, sizes, variance, self.alpha) for other in rivals)

        return [index for index in alive if times_beaten(index) < self.survivors]


@dataclass(frozen=True, slots=True, kw_only=True)
class FullEvaluation:
    """Every candidate on every block: the reference that racing is measured against."""

    survivors: int = 1

    def decide(self, layout: RaceLayout, scores: Scores) -> Decision:
        check_table(layout, scores, self.survivors)
        candidates, blocks = range(len(layout.candidates)), range(len(layout.blocks))
        wanted = unknown_cells(layout, scores, candidates, blocks)
        return _decision(layout, _rank_by_mean(layout, scores, candidates, blocks), [], wanted)


RACING_RULES: Mapping[str, Callable[[], RacingRule]] = {
    "askwell": ExpectedGain,
    "successive-halving": SuccessiveHalving,
    "capo-paired-t": PairedT,
    "full": FullEvaluation,
}


def _decision(
    layout: RaceLayout, order: Sequence[int], stopped: Sequence[int], wanted: Sequence[BlockCell]
) -> Decision:
    stopped_names = frozenset(layout.candidates[index] for index in stopped)
    names = [layout.candidates[index] for index in (*order, *(i for i in stopped if i not in order))]
    in_race = [name for name in names if name not in stopped_names]
    ranking = (*in_race, *(name for name in names if name in stopped_names))
    return Decision(ranking=ranking, stopped=stopped_names, wanted=tuple(dict.fromkeys(wanted)))


def _rank(indices: Sequence[int], key: Callable[[int], float]) -> list[int]:
    """Return indices by descending key; ties keep the order given.

    Keys are rounded to 12 decimals: scores that are equal but for the last bits must not decide by rounding error.
    """
    return sorted(indices, key=lambda index: -round(key(index), 12))


def _rank_by_mean(layout: RaceLayout, scores: Scores, candidates: Sequence[int], blocks: Sequence[int]) -> list[int]:
    def mean(index: int) -> float:
        row = scores.get(layout.candidates[index], {})
        scored = [block for block in blocks if block in row]
        examples = sum(layout.blocks[block] for block in scored)
        return sum(layout.blocks[block] * block_mean(row[block]) for block in scored) / max(examples, 1)

    return _rank(candidates, mean)


def _others(count: int, alive: Sequence[int]) -> list[int]:
    return [index for index in range(count) if index not in alive]


def _is_better(
    row: Mapping[int, BlockScore], rival: Mapping[int, BlockScore], sizes: Sequence[int], variance: float, alpha: float
) -> bool:
    """Return whether a one-sided paired t-test over the blocks finds `row` better than `rival` at level `alpha`."""
    differences: list[float] = []
    for block in range(len(sizes)):
        left, right = row[block], rival[block]
        if isinstance(left, int | float) or isinstance(right, int | float) or len(left) != len(right):
            # No pairs of examples on this block: use the means of all blocks and the pooled variance instead.
            n = sum(sizes)
            mean = sum(size * (block_mean(row[b]) - block_mean(rival[b])) for b, size in enumerate(sizes)) / n
            return _is_significant(mean, 2 * variance, n, alpha)
        differences.extend(a - b for a, b in zip(left, right, strict=True))
    n, mean = len(differences), math.fsum(differences) / len(differences)
    return _is_significant(mean, math.fsum((d - mean) ** 2 for d in differences) / max(n - 1, 1), n, alpha)


def _is_significant(mean: float, variance: float, n: int, alpha: float) -> bool:
    if n < 2 or variance <= 0.0:
        return n > 1 and mean > 0.0  # without variance the t statistic is infinite: any difference counts
    return mean / math.sqrt(variance / n) > student_quantile(1 - alpha, n - 1)

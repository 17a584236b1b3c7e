"""The contract of `RacingRule`."""

from __future__ import annotations

import random
from collections.abc import Sequence

from askwell.engine.racing.rules import Decision, RacingRule
from askwell.engine.racing.table import RaceLayout, Scores

Table = Sequence[Sequence[float]]
"""True block scores: one row per candidate, one column per block."""
SEEDS = range(10)


class RacingRuleContract:
    """Inherit this class and give it a fixture `rule`."""

    def test_a_race_ends_without_a_cell_scored_twice(self, rule: RacingRule) -> None:
        for seed in SEEDS:
            table = random_table(seed)
            for workers in (1, 4):
                decision = finish_race(rule, table, workers=workers)
                assert sorted(decision.ranking) == sorted(layout_of(table).candidates)

    def test_the_chosen_candidate_is_not_stopped_and_stopped_ones_rank_last(self, rule: RacingRule) -> None:
        for seed in SEEDS:
            decision = rule.decide(layout_of(random_table(seed)), random_scores(seed))
            assert decision.chosen not in decision.stopped
            ranks = [name in decision.stopped for name in decision.ranking]
            assert ranks == sorted(ranks)

    def test_the_order_of_arrival_changes_nothing(self, rule: RacingRule) -> None:
        for seed in SEEDS:
            layout, scores = layout_of(random_table(seed)), random_scores(seed)
            backwards = {name: dict(reversed(row.items())) for name, row in reversed(scores.items())}
            assert rule.decide(layout, scores) == rule.decide(layout, scores) == rule.decide(layout, backwards)

    def test_a_complete_table_needs_no_cell_and_its_best_candidate_wins(self, rule: RacingRule) -> None:
        for seed in SEEDS:
            table = random_table(seed)
            decision = rule.decide(layout_of(table), scores_of(table))
            assert decision.wanted == ()
            assert decision.chosen == best_candidate(table)

    def test_a_candidate_far_ahead_wins(self, rule: RacingRule) -> None:
        for seed in SEEDS:
            table = [*random_table(seed), [1.0] * 6]
            assert finish_race(rule, table).chosen == best_candidate(table)


def random_table(seed: int) -> list[list[float]]:
    """Make up four candidates of different quality on six blocks of different difficulty."""
    rng = random.Random(seed)
    levels = [rng.uniform(0.3, 0.5) for _ in range(6)]
    qualities = rng.sample([0.0, 0.05, 0.1, 0.2], 4)
    return [[level + quality + rng.gauss(0, 0.02) for level in levels] for quality in qualities]


def layout_of(table: Table) -> RaceLayout:
    """Return the layout of a table, with 30 examples per block."""
    return RaceLayout(candidates=tuple(f"c{index}" for index in range(len(table))), blocks=(30,) * len(table[0]))


def scores_of(table: Table) -> dict[str, dict[int, float]]:
    """Return all scores of a table by candidate and block."""
    return {f"c{index}": dict(enumerate(row)) for index, row in enumerate(table)}


def random_scores(seed: int) -> dict[str, dict[int, float]]:
    """Return a part of the scores of `random_table`."""
    rng = random.Random(seed)
    rows = scores_of(random_table(seed))
    return {name: {block: score for block, score in row.items() if rng.random() < 0.6} for name, row in rows.items()}


def best_candidate(table: Table) -> str:
    """Return the candidate with the highest mean; the first of equals."""
    return f"c{max(range(len(table)), key=lambda index: sum(table[index]))}"


def finish_race(rule: RacingRule, table: Table, *, workers: int = 1) -> Decision:
    """Score the wanted cells, `workers` at a time, until the rule wants no more."""
    layout, truth = layout_of(table), scores_of(table)
    scores: dict[str, dict[int, float]] = {name: {} for name in layout.candidates}
    # Each round scores at least one cell, so a rule that goes on for longer never ends.
    for _ in range(len(table) * len(table[0]) + 1):
        decision = rule.decide(layout, _copied(scores))
        if not decision.wanted:
            return decision
        for name, block in decision.wanted[:workers]:
            assert block not in scores[name], f"{name} on block {block} is wanted and already scored"
            scores[name][block] = truth[name][block]
    raise AssertionError("the race does not end")


def _copied(scores: dict[str, dict[int, float]]) -> Scores:
    return {name: dict(row) for name, row in scores.items()}

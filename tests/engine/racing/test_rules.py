import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.core.errors import ConfigError, DataError
from askwell.engine.racing import (
    RACING_RULES,
    Decision,
    ExpectedGain,
    PairedT,
    RaceLayout,
    RacingRule,
    Scores,
    SuccessiveHalving,
    block_sizes,
    fit_posterior,
)
from askwell.engine.racing.posterior import interaction_variance

Table = list[list[float]]


def layout_of(table: Table, size: int = 30) -> RaceLayout:
    return RaceLayout(candidates=tuple(f"c{i}" for i in range(len(table))), blocks=(size,) * len(table[0]))


def play(
    rule: RacingRule, table: Table, *, slots: int = 1, known: dict[str, dict[int, float]] | None = None
) -> tuple[Decision, int]:
    """Fill what is wanted until the race is over; return the last decision and the cells paid for."""
    layout = layout_of(table)
    scores: dict[str, dict[int, float]] = {name: dict((known or {}).get(name, {})) for name in layout.candidates}
    paid = 0
    while (decision := rule.decide(layout, scores)).wanted:
        for name, block in decision.wanted[:slots]:
            assert block not in scores[name]
            scores[name][block] = table[layout.candidates.index(name)][block]
            paid += 1
    return decision, paid


def made_up(seed: int, *, effects: list[float], blocks: int = 10, noise: float = 0.03) -> Table:
    rng = random.Random(seed)
    levels = [0.6 + rng.uniform(-0.1, 0.1) for _ in range(blocks)]
    return [[min(1.0, max(0.0, level + effect + rng.gauss(0, noise))) for level in levels] for effect in effects]


def best_of(table: Table) -> str:
    return f"c{max(range(len(table)), key=lambda i: sum(table[i]))}"


TABLES = st.integers(1, 6).flatmap(
    lambda blocks: st.lists(
        st.lists(st.sampled_from([i / 10 for i in range(11)]), min_size=blocks, max_size=blocks), min_size=1, max_size=7
    )
)


@pytest.mark.parametrize("name", sorted(RACING_RULES))
@given(table=TABLES, slots=st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_every_race_ends_within_the_table(name: str, table: Table, slots: int) -> None:
    decision, paid = play(RACING_RULES[name](), table, slots=slots)
    assert paid <= len(table) * len(table[0])
    assert sorted(decision.ranking) == sorted(layout_of(table).candidates)
    assert decision.chosen not in decision.stopped


@given(table=TABLES, seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_order_of_arrival_changes_nothing(table: Table, seed: int) -> None:
    layout, rng = layout_of(table), random.Random(seed)
    cells = [(n, b) for n in layout.candidates for b in range(len(layout.blocks)) if rng.random() < 0.6]

    def arrived(order: list[tuple[str, int]]) -> Scores:
        scores: dict[str, dict[int, float]] = {}
        for name, block in order:
            scores.setdefault(name, {})[block] = table[layout.candidates.index(name)][block]
        return scores

    for make in RACING_RULES.values():
        assert make().decide(layout, arrived(cells)) == make().decide(layout, arrived(rng.sample(cells, len(cells))))


def test_a_clear_winner_is_found_for_a_fraction_of_the_cost() -> None:
    effects = [0.0, 0.02, 0.25, -0.1, 0.03, -0.05, 0.01, 0.0]
    for seed in range(5):
        table = made_up(seed, effects=effects)
        decision, paid = play(ExpectedGain(), table)
        assert decision.chosen == "c2"
        assert paid <= 16
        assert decision.stopped == frozenset(f"c{i}" for i in range(8) if i != 2)


def test_known_cells_are_evidence_and_cost_nothing() -> None:
    table = made_up(3, effects=[0.0, 0.01, 0.3, 0.02])
    known = {f"c{i}": dict(enumerate(row)) for i, row in enumerate(table)}
    for make in RACING_RULES.values():
        decision, paid = play(make(), table, known=known)
        assert paid == 0
        assert decision.chosen == best_of(table)


def test_newcomers_meet_the_incumbent_on_a_block_it_is_known_on() -> None:
    layout = RaceLayout(candidates=("incumbent", "new"), blocks=(30, 30, 30))
    assert ExpectedGain().decide(layout, {"incumbent": {1: 0.5}}).wanted == (("new", 1),)


def test_blocks_that_are_not_shared_say_nothing() -> None:
    layout = RaceLayout(candidates=("a", "b"), blocks=(30, 30))
    belief = fit_posterior(layout, {"a": {0: 0.9}, "b": {1: 0.2}})
    assert belief.difference(0, 1)[0] == pytest.approx(0.0, abs=1e-9)


def test_a_complete_table_leaves_no_doubt() -> None:
    table = made_up(1, effects=[0.0, 0.05, 0.1])
    layout = layout_of(table)
    belief = fit_posterior(layout, {f"c{i}": dict(enumerate(row)) for i, row in enumerate(table)})
    lead, deviation = belief.difference(2, 0)
    assert lead == pytest.approx((sum(table[2]) - sum(table[0])) / 10)
    assert deviation == pytest.approx(0.0, abs=1e-9)


def test_block_difficulty_cancels() -> None:
    table = made_up(2, effects=[0.0, 0.05, 0.1])
    shifted = [[score + (0.3 if block == 1 else -0.1) for block, score in enumerate(row)] for row in table]
    layout = layout_of(table)

    def seen(rows: Table) -> Scores:
        return {f"c{i}": {block: row[block] for block in range(2 + i)} for i, row in enumerate(rows)}

    one, other = fit_posterior(layout, seen(table)), fit_posterior(layout, seen(shifted))
    assert one.difference(2, 0)[0] == pytest.approx(other.difference(2, 0)[0], abs=1e-6)


def test_example_scores_tell_the_noise_from_the_first_block_on() -> None:
    layout = RaceLayout(candidates=("a", "b"), blocks=(60, 60))
    rng = random.Random(0)
    base = [float(rng.random() < 0.5) for _ in range(60)]
    alike = {"a": {0: base}, "b": {0: [*base[:-1], 1 - base[-1]]}}
    unlike = {"a": {0: base}, "b": {0: [float(rng.random() < 0.5) for _ in base]}}
    assert interaction_variance(layout, alike) < 0.25 * interaction_variance(layout, unlike)


def test_a_lower_price_looks_longer() -> None:
    table = made_up(5, effects=[0.0, 0.01, 0.02, 0.0, 0.015, 0.005], noise=0.04)
    costs = [play(ExpectedGain(price=price), table)[1] for price in (0.05, 0.005, 0.0005, 0.0)]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]
    assert play(ExpectedGain(price=0.0), table)[0].chosen == best_of(table)


def test_the_family_error_bound_keeps_doubtful_candidates_in() -> None:
    layout = RaceLayout(candidates=("a", "b", "c"), blocks=(30,) * 10)
    scores = {"a": {0: 0.60}, "b": {0: 0.56}, "c": {0: 0.2}}
    assert "b" in ExpectedGain(price=1.0, family_error=1.0).decide(layout, scores).stopped
    guarded = ExpectedGain(price=1.0, family_error=0.05, indifference=0.01).decide(layout, scores)
    assert "b" not in guarded.stopped
    assert "c" in guarded.stopped


def test_survivors_get_the_full_split_when_asked() -> None:
    table = made_up(7, effects=[0.0, 0.3, 0.28, -0.1, 0.02])
    decision, paid = play(ExpectedGain(survivors=2, complete=True), table, slots=3)
    assert set(decision.ranking[:2]) == {"c1", "c2"}
    assert 20 <= paid < 50


def test_successive_halving_spends_what_it_is_given() -> None:
    table = made_up(1, effects=[0.01 * i for i in range(8)])
    decision, paid = play(SuccessiveHalving(share=0.3), table, slots=5)
    assert paid == 24
    assert len(decision.stopped) == 7


def test_paired_t_uses_examples_and_stops_at_the_survivors() -> None:
    layout = RaceLayout(candidates=("a", "b", "c"), blocks=(10, 10))
    first = {"a": {0: [1.0] * 9 + [0.0]}, "b": {0: [1.0] * 8 + [0.0] * 2}, "c": {0: [0.0] * 10}}
    # b trails a on one example of ten: t = 1.0, p = 0.17: dropped at 0.2 and kept at 0.1.
    assert PairedT(alpha=0.2).decide(layout, first).stopped == {"b", "c"}
    kept = PairedT(alpha=0.1).decide(layout, first)
    assert kept.stopped == {"c"}
    assert kept.wanted == (("a", 1), ("b", 1))
    assert PairedT(survivors=2).decide(layout, first).wanted == ()


@pytest.mark.parametrize(
    ("examples", "size", "expected"), [(48, 10, (10, 10, 10, 10, 8)), (32, 10, (10, 10, 12)), (3, 10, (3,))]
)
def test_blocks_cover_the_split(examples: int, size: int, expected: tuple[int, ...]) -> None:
    assert block_sizes(examples, size) == expected


def test_what_cannot_be_raced_is_refused() -> None:
    layout = RaceLayout(candidates=("a", "b"), blocks=(5, 5))
    with pytest.raises(DataError, match="not a score"):
        ExpectedGain().decide(layout, {"a": {0: float("nan")}})
    with pytest.raises(DataError, match="not a score"):
        PairedT().decide(layout, {"a": {0: []}})
    with pytest.raises(ConfigError, match="survivors"):
        SuccessiveHalving(survivors=3).decide(layout, {})
    with pytest.raises(ConfigError, match="blocks"):
        ExpectedGain().decide(RaceLayout(candidates=("a",), blocks=()), {})

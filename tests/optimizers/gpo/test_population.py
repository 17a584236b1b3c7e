"""The rules that choose parents, plateaus and restarts."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from askwell.core.trajectory import Trajectory, penalized_score
from askwell.core.types import Candidate, Prompt
from askwell.optimizers.gpo.population import (
    PARENTS,
    choose_elite,
    choose_pareto,
    distinct_complete,
    find_pareto_front,
    is_at_plateau,
)
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_steps import gpo, history, numbered, sent

rows = st.lists(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([0.0, 0.5, 1.0]), min_size=1), min_size=1, max_size=7
)


def population(tables: list[dict[str, float]]) -> Trajectory:
    return Trajectory(
        candidates=tuple(
            Candidate(
                step=step,
                prompt=Prompt(instruction=f"Prompt {step}."),
                score=sum(table.values()) / len(table),
                n=len(table),
                example_scores=table,
            )
            for step, table in enumerate(tables)
        )
    )


def names(candidates: list[Candidate]) -> list[int]:
    return [candidate.step for candidate in candidates]


@given(rows)
def test_no_prompt_on_the_front_is_covered_and_a_sole_leader_is_on_it(tables: list[dict[str, float]]):
    past = population(tables)
    front = find_pareto_front(past.candidates)
    for one in past.candidates:
        sole = [
            name for name, score in one.example_scores.items()
            if all(other is one or other.example_scores.get(name, -1.0) < score for other in past.candidates)
            and any(name in other.example_scores for other in past.candidates if other is not one)
        ]  # fmt: skip
        if sole:
            assert front[one] >= len(sole)
    assert all(count > 0 for count in front.values())
    # whoever is not on it has, wherever it leads, somebody on it who leads too
    for name in "abcdef":
        known = [one for one in past.candidates if name in one.example_scores]
        top = max((one.example_scores[name] for one in known), default=0.0)
        if any(one.example_scores[name] < top for one in known):
            assert any(one in front and one.example_scores[name] == top for one in known)


@given(rows, st.integers(1, 9), st.integers(1, 4), st.integers(0, 3))
def test_every_rule_returns_one_parent_per_slot_from_few_prompts(
    tables: list[dict[str, float]], count: int, size: int, seed: int
):
    past = population(tables)
    for choose in PARENTS.values():
        found = choose(past, count, size, random.Random(seed))
        assert len(found) == count
        assert found == choose(past, count, size, random.Random(seed))
        assert set(found) <= set(past.candidates)
    for choose in (choose_elite, choose_pareto):
        found = choose(past, count, size, random.Random(seed))
        assert penalized_score(found[0]) == max(map(penalized_score, past.candidates))
        assert len(set(found)) <= size + 1  # the best one is a parent even where it leads nowhere alone


def test_the_front_keeps_a_specialist_that_the_mean_would_drop():
    past = population([
        {"a": 1, "b": 1, "c": 1, "d": 0},
        {"a": 1, "b": 1, "c": 0, "d": 0},
        {"a": 0, "b": 0, "c": 0, "d": 1},
    ])  # fmt: skip
    assert {one.step: count for one, count in find_pareto_front(past.candidates).items()} == {0: 3, 2: 1}
    drawn = [names(choose_pareto(past, 8, 4, random.Random(seed))) for seed in range(40)]
    share = sum(found[1:].count(2) for found in drawn) / (7 * 40)
    assert 0.15 < share < 0.35  # leads on one of four
    assert all(found[0] == 0 for found in drawn)


def test_elite_alternates_best_first_and_counts_penalties():
    past = history(("A", 0.5), ("B", 0.7), ("C", 0.6), ("D", 0.1))
    assert names(choose_elite(past, 5, 3, random.Random(0))) == [1, 2, 0, 1, 2]
    dear = Candidate(step=4, prompt=Prompt(instruction="E"), score=0.9, n=48, penalty=0.5)
    assert names(choose_elite(past.extended([dear]), 2, 2, random.Random(0))) == [1, 2]


def test_a_prompt_scored_twice_counts_once():
    past = history(("A", 0.5), ("B", 0.7), ("A", 0.5))
    assert names(distinct_complete(past)) == [0, 1]


def test_a_candidate_that_lost_a_race_early_is_no_parent():
    lucky = Candidate(step=1, prompt=Prompt(instruction="L."), score=1.0, n=2, example_scores={"a": 1}, partial=True)
    past = population([{"a": 0, "b": 1}]).extended([lucky])
    for choose in PARENTS.values():
        assert set(names(choose(past, 4, 4, random.Random(0)))) == {0}


def test_a_plateau_is_a_multiple_of_steps_without_a_better_prompt():
    scores = [0.5, 0.6, 0.6, 0.4, 0.6, 0.5, 0.6, 0.5]
    seen = [is_at_plateau(history(*[(f"P{n}", s) for n, s in enumerate(scores[:end])]), 3) for end in range(1, 9)]
    assert seen == [False, False, False, False, True, False, False, True]
    assert not is_at_plateau(history(("A", 0.5), ("B", 0.1)), 0)


async def test_each_parent_has_its_own_meta_prompt():
    model = ScriptedModel(numbered)
    found = await gpo(model, parent="elite", population=2, candidates=4).propose(
        history(("A.", 0.5), ("B.", 0.7)), seed=1
    )
    assert [p.parent.instruction for p in found if p.parent] == ["B.", "A.", "B.", "A."]
    for place, name in enumerate(["B.", "A.", "B.", "A."]):
        assert f"<current>\n<prompt>{name}</prompt>" in sent(model, place)


async def test_at_a_plateau_half_of_the_candidates_start_from_scratch_or_from_the_initial_prompt():
    past = history(("First.", 0.5), ("Best.", 0.7), ("A.", 0.6), ("B.", 0.6))
    model = ScriptedModel(numbered)
    found = await gpo(model, restart="scratch", plateau=2, candidates=4).propose(past, seed=1)
    assert [p.origin for p in found] == ["generation", "generation", "restart", "restart"]
    assert "<current>" in sent(model, 0)
    assert "<prompt>" not in sent(model, 3)
    assert "from the examples alone" in sent(model, 3)
    assert "<question>" in sent(model, 3)
    await gpo(model, restart="initial", plateau=2, candidates=4).propose(past, seed=1)
    assert "<current>\n<prompt>First.</prompt>\n<score>50</score>" in sent(model)
    assert "<entry>" not in sent(model)
    found = await gpo(model, restart="initial", plateau=3, candidates=4).propose(past, seed=1)
    assert {p.origin for p in found} == {"generation"}

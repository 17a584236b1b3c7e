"""EvoPrompt's parts: roulette, populations, and requests."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Prompt, Request
from askwell.optimizers.baselines.evoprompt import (
    EvoPrompt,
    EvoPromptSettings,
    replay_de_population,
    select_ga_population,
)
from askwell.optimizers.baselines.population import draw_by_roulette
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_simulation import NUMBERS, q_end


def member(text: str, score: float, *, step: int = 0, parent: str | None = None, origin: str = "") -> Candidate:
    of = None if parent is None else Prompt(instruction=parent)
    return Candidate(step=step, prompt=Prompt(instruction=text), score=score, n=9, parent=of, origin=origin)


def texts(candidates: list[Candidate]) -> list[str]:
    return [one.prompt.instruction for one in candidates]


POPULATION = [member("A.", 0.1), member("B.", 0.2, step=1), member("C.", 0.3, step=1), member("D.", 0.4, step=1)]


def test_roulette_draws_in_proportion_to_the_scores_and_no_prompt_twice() -> None:
    dice = random.Random(0)
    pairs = [draw_by_roulette(POPULATION, 2, dice) for _ in range(8_000)]
    assert all(one.prompt != other.prompt for one, other in pairs)
    first = Counter(one.prompt.instruction for one, _ in pairs)
    for one in POPULATION:
        assert first[one.prompt.instruction] / 8_000 == pytest.approx(one.score, abs=0.02)


def test_roulette_is_uniform_if_all_score_0_and_stops_when_all_are_drawn() -> None:
    dice = random.Random(0)
    losers = [member("A.", 0.0), member("B.", 0.0)]
    first = Counter(draw_by_roulette(losers, 1, dice)[0].prompt.instruction for _ in range(2_000))
    assert first["A."] == pytest.approx(1_000, abs=100)
    assert sorted(texts(draw_by_roulette(losers, 5, dice))) == ["A.", "B."]


def test_ga_keeps_the_best_of_all_candidates() -> None:
    found = select_ga_population(Trajectory(candidates=(*POPULATION, member("E.", 0.25, step=2), POPULATION[0])), 3)
    assert texts(found) == ["D.", "C.", "E."]


def test_de_replaces_a_member_only_by_its_own_better_child() -> None:
    later = (
        member("better B", 0.9, step=2, parent="B.", origin="evolution"),
        member("worse C", 0.2, step=2, parent="C.", origin="evolution"),
        member("as good as D", 0.4, step=2, parent="D.", origin="evolution"),
        member("of a stranger", 1.0, step=2, parent="Z.", origin="evolution"),
        member("still better B", 1.0, step=3, parent="better B", origin="evolution"),
        member("late child of the dead", 1.0, step=3, parent="B.", origin="evolution"),
    )
    assert texts(replay_de_population(Trajectory(candidates=(*POPULATION, *later)), 4)) == [
        "A.",
        "still better B",
        "C.",
        "D.",
    ]


def children(request: Request) -> str:
    return f"<START>Child {request.sample_index}.<END>"


async def proposed(evolution: str, model: ScriptedModel, **settings: int) -> list[tuple[str, str]]:
    optimizer = EvoPrompt(
        model=model, train=NUMBERS, render=q_end, settings=EvoPromptSettings(evolution=evolution, **settings)
    )
    found = await optimizer.propose(Trajectory(candidates=tuple(POPULATION)), seed=3)
    return [(one.prompt.instruction, one.parent.instruction if one.parent else "") for one in found]


async def test_ga_requests_children_of_two_parents_each() -> None:
    model = ScriptedModel(children)
    found = await proposed("ga", model, candidates=6)
    assert [text for text, _ in found] == [f"Child {i}." for i in range(6)]
    for request, (_, parent) in zip(model.requests, found, strict=True):
        shown = [one.prompt.instruction for one in POPULATION if f"<prompt>{one.prompt.instruction}</prompt>" in
                 request.messages[0].content]  # fmt: skip
        assert len(shown) == 2
        assert parent == shown[-1], "the better of the two: the population is in ascending order"


async def test_de_shows_the_member_the_best_and_two_other_donors() -> None:
    model = ScriptedModel(children)
    found = await proposed("de", model, candidates=4)
    assert [parent for _, parent in found] == ["A.", "B.", "C.", "D."]
    for request, (_, parent) in zip(model.requests, found, strict=True):
        text = request.messages[0].content
        donors, _, rest = text.partition("The best prompt up to now:")
        best, _, basic = rest.partition("The current prompt:")
        assert donors.count("<parent>") == 2
        assert f"<prompt>{parent}</prompt>" not in donors
        assert "<prompt>D.</prompt>" in best
        assert f"<prompt>{parent}</prompt>" in basic


async def test_a_child_that_is_already_in_the_population_is_dropped() -> None:
    found = await proposed(
        "ga", ScriptedModel(lambda r: "<START>D.<END>" if r.sample_index % 2 else children(r)), candidates=4
    )
    assert [text for text, _ in found] == ["Child 0.", "Child 2."]


async def test_the_first_step_fills_the_population_with_wordings_of_the_initial_prompt() -> None:
    model = ScriptedModel(children)
    optimizer = EvoPrompt(model=model, train=NUMBERS, render=q_end)
    found = await optimizer.propose(Trajectory(candidates=(POPULATION[0],)), seed=3)
    assert len(found) == 7
    assert all("<current>\n<prompt>A.</prompt>" in request.messages[0].content for request in model.requests)

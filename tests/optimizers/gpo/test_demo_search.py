"""The joint search of demonstrations, and the length penalty."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from askwell.core.types import Prompt
from askwell.optimizers.gpo.demo_search import vary_demos
from askwell.optimizers.gpo.prompt_length import compute_length_penalty, count_prompt_words
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_simulation import NUMBERS
from tests.support.gpo_steps import gpo, history, numbered


@given(st.lists(st.sampled_from(NUMBERS), unique_by=lambda one: one.id, max_size=4), st.integers(1, 4), st.integers())
def test_a_variation_is_one_move_away_without_repeats_and_within_its_number(shown: list[object], most: int, seed: int):
    demos = tuple(shown[:most])
    found = vary_demos(demos, NUMBERS, most, random.Random(seed))  # type: ignore[arg-type]
    assert found != demos
    assert len(found) <= most
    assert len(set(found)) == len(found)
    assert set(found) <= set(NUMBERS)
    assert len(set(found) ^ set(demos)) <= 2


def test_without_a_possible_move_nothing_changes():
    assert vary_demos((), (), 3, random.Random(0)) == ()


def test_an_answer_that_is_not_shown_yet_is_preferred():
    train = (*(one for one in NUMBERS[:4]), NUMBERS[4])
    same = [type(one)(id=one.id, input=one.input, target="yes") for one in train[:4]]
    other = NUMBERS[4]
    added = [vary_demos(same[:1], [*same, other], 2, random.Random(seed)) for seed in range(30)]
    assert all(other in found for found in added if len(found) == 2)


async def test_every_fourth_candidate_varies_the_demonstrations_without_a_request():
    model = ScriptedModel(numbered)
    found = await gpo(model, joint_demos=2).propose(history(("Count.", 0.5)), seed=1)
    assert [p.origin for p in found] == ["generation"] * 3 + ["demos"] + ["generation"] * 3 + ["demos"]
    assert [len(p.prompt.demos) for p in found] == [0, 0, 0, 1, 0, 0, 0, 1]
    assert {p.prompt.instruction for p in found if p.origin == "demos"} == {"Count."}
    assert len(model.requests) == 6


async def test_a_new_instruction_keeps_its_parents_demonstrations():
    past = history(("Count.", 0.5))
    best = Prompt(instruction="Sort.", demos=NUMBERS[:2])
    past = past.extended([type(past.candidates[0])(step=1, prompt=best, score=0.9, n=48)])
    found = await gpo(ScriptedModel(numbered)).propose(past, seed=1)
    assert {p.prompt.demos for p in found} == {NUMBERS[:2]}


def test_growth_is_penalized_and_shortening_gains_nothing():
    first = Prompt(instruction="word " * 10)
    assert compute_length_penalty(Prompt(instruction="word " * 60), first, 0.02) == 0.01
    assert compute_length_penalty(Prompt(instruction="word"), first, 0.02) == 0.0
    with_demo = Prompt(instruction="word " * 10, demos=NUMBERS[:1])
    assert count_prompt_words(with_demo) == 10 + 6 + 1


async def test_the_penalty_is_separate_from_the_score():
    model = ScriptedModel(lambda r: f"<START>{'word ' * 100}{r.sample_index}<END>")
    found = await gpo(model, length_penalty=0.1, candidates=1).propose(history(("Count.", 0.5)), seed=1)
    assert found[0].penalty == 0.1

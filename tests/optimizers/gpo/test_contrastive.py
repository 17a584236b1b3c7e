"""Contrastive reflection: deltas, gains, lessons, rivals, and the requests of a step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Completion, Example, Prompt, Request, Rollout, Score
from askwell.optimizers.gpo.contrastive import count_delta, find_rival, measure_gain, select_verified_lessons
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_simulation import NUMBERS
from tests.support.gpo_steps import gpo, numbered, sent

tables = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([0.0, 0.5, 1.0]))


def scored(text: str, table: dict[str, float], *, step: int = 1, **more: object) -> Candidate:
    mean = sum(table.values()) / len(table) if table else 0.0
    return Candidate(step=step, prompt=Prompt(instruction=text), score=mean, n=len(table), example_scores=table, **more)  # type: ignore[arg-type]


@given(tables, tables)
def test_deltas_count_shared_examples_and_mirror(one: dict[str, float], other: dict[str, float]):
    there, back = count_delta(scored("A", one), scored("B", other)), count_delta(scored("B", other), scored("A", one))
    assert (there.fixes, there.breaks) == (back.breaks, back.fixes)
    assert there.fixes + there.breaks <= len(one.keys() & other.keys())


@given(tables, tables)
def test_a_gain_is_paired(one: dict[str, float], other: dict[str, float]):
    shared = one.keys() & other.keys()
    if shared:
        expected = sum(one[name] - other[name] for name in sorted(shared)) / len(shared)
        assert measure_gain(scored("A", one), scored("B", other)) == expected


def lesson_history(child: dict[str, float], penalty: float = 0.0) -> Trajectory:
    parent = scored("Parent.", {"a": 1, "b": 0, "c": 0}, step=0)
    made = scored("Child.", child, parent=parent.prompt, lesson="Count.", penalty=penalty)
    return Trajectory(candidates=(parent, made))


def test_a_lesson_is_kept_only_if_a_prompt_made_from_it_beat_its_parent():
    assert select_verified_lessons(lesson_history({"a": 1, "b": 1, "c": 0}), 3) == ("Count.",)
    assert select_verified_lessons(lesson_history({"a": 1, "b": 0, "c": 0}), 3) == ()
    assert select_verified_lessons(lesson_history({"a": 0, "b": 0, "c": 0}), 3) == ()
    assert select_verified_lessons(lesson_history({"a": 1, "b": 1, "c": 0}, penalty=0.5), 3) == ()
    assert select_verified_lessons(lesson_history({"a": 1}), 3) == ()  # stopped early, and no better on what both have
    assert select_verified_lessons(lesson_history({"a": 1, "b": 1, "c": 0}), 0) == ()


def test_the_largest_gain_is_the_first_lesson():
    parent = scored("P.", {"a": 0, "b": 0, "c": 0}, step=0)
    made = [
        scored(f"C{n}.", {"a": 1, "b": n > 1, "c": n > 0}, parent=parent.prompt, lesson=f"Lesson {n}.")
        for n in range(3)
    ]
    assert select_verified_lessons(Trajectory(candidates=(parent, *made)), 2) == ("Lesson 2.", "Lesson 1.")


def test_the_rival_fixes_the_most_of_what_the_parent_gets_wrong():
    parent = scored("P.", {"a": 1, "b": 1, "c": 0, "d": 0})
    weak = scored("Specialist.", {"a": 0, "b": 0, "c": 1, "d": 1})
    strong = scored("Alike.", {"a": 1, "b": 1, "c": 1, "d": 0})
    assert find_rival(parent, Trajectory(candidates=(parent, weak, strong))) == weak
    assert find_rival(parent, Trajectory(candidates=(parent, strong))) == strong
    assert find_rival(parent, Trajectory(candidates=(parent,))) is None


class TwoSided:
    """A target on which two prompts are right on different training examples."""

    def __init__(self, right: dict[str, list[str]]) -> None:
        self.right = right
        self.tried: list[str] = []

    async def __call__(self, prompt: Prompt, examples: list[Example], *, step: int, **_: object) -> list[Rollout]:
        self.tried.append(prompt.instruction)
        return [
            Rollout(
                step=step, split="train", prompt=prompt, example_id=example.id, query=example.input,
                completion=Completion(text=f"{prompt.instruction} on {example.id}"),
                score=Score(value=float(example.id in self.right[prompt.instruction])),
            )
            for example in examples
        ]  # fmt: skip


def reply(request: Request) -> str:
    return "Take the counting over." if request.temperature == 0 else numbered(request)


def two() -> Trajectory:
    return Trajectory(candidates=(scored("Old.", {"a": 1, "b": 0}, step=0), scored("New.", {"a": 1, "b": 1})))


async def test_a_contrast_shows_the_examples_that_only_one_prompt_gets_right():
    ids = [example.id for example in NUMBERS]
    judge = TwoSided({"New.": ids[:6], "Old.": ids[3:9]})
    model = ScriptedModel(reply)
    found = await gpo(model, direction="P+M+C", run_prompt=judge, batch=12, reflected=3, lessons=2).propose(
        two(), seed=1
    )
    asked = sent(model, 0)
    assert judge.tried == ["New.", "Old."]
    assert "<current>\n<prompt>New.</prompt>\n</current>" in asked
    assert "<other>\n<prompt>Old.</prompt>\n</other>" in asked
    gained, lost = asked.split("<gained>")[1].split("<lost>")
    assert gained.count("<reply>\nNew. on ") == 3
    assert lost.count("<reply>\nNew. on ") == 3
    assert "<reflection>\nTake the counting over.\n</reflection>" in sent(model)
    assert {p.lesson for p in found} == {"Take the counting over."}


async def test_if_two_prompts_agree_the_errors_are_shown_instead():
    ids = [example.id for example in NUMBERS]
    model = ScriptedModel(reply)
    judge = TwoSided({"New.": ids[:6], "Old.": ids[:6]})
    await gpo(model, direction="P+M+C", run_prompt=judge, batch=12).propose(two(), seed=1)
    assert "<other>" not in sent(model, 0)
    assert "were judged wrong" in sent(model, 0)


async def test_verified_lessons_are_shown_and_deltas_count_against_the_current_prompt():
    parent = scored("Parent.", {"a": 1, "b": 0, "c": 0}, step=0)
    made = scored("Child.", {"a": 0, "b": 1, "c": 1}, parent=parent.prompt, lesson="Count twice.")
    past = Trajectory(candidates=(parent, made))
    model = ScriptedModel(numbered)
    await gpo(model, lessons=2, deltas=True, momentum="diverse", pool="all").propose(past, seed=1)
    assert "<lessons>\n<lesson>Count twice.</lesson>\n</lessons>" in sent(model)
    assert "<delta>fixes 1, breaks 2</delta>\n</entry>" in sent(model)
    await gpo(model).propose(past, seed=1)
    assert "<lesson" not in sent(model)
    assert "<delta>" not in sent(model)


@pytest.mark.parametrize(("scores", "reflects"), [((0.2, 0.8), False), ((0.8, 0.2), True)])
async def test_a_reflection_may_wait_for_a_step_without_a_better_prompt(scores: tuple[float, float], reflects: bool):
    first = scored("Old.", {"a": scores[0]}, step=0)
    second = scored("New.", {"a": scores[1]}, step=1)
    judge = TwoSided({"New.": [], "Old.": [example.id for example in NUMBERS]})
    model = ScriptedModel(reply)
    past = Trajectory(candidates=(first, second))
    await gpo(model, direction="P+M+C", run_prompt=judge, batch=12, reflect_after=1).propose(past, seed=1)
    assert bool(judge.tried) == reflects

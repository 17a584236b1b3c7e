"""The constraints on proposals, alone and in a step of GPO."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import ConfigError
from askwell.core.text import edit_distance, words
from askwell.core.types import Example, Prompt
from askwell.optimizers.gpo.constraints import CONSTRAINTS, Attempt, Limits, check_budget, check_copying, find_violation
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_steps import JudgeByTable, gpo, history, numbered, sent

TRAIN = (
    Example(id="1", input="We tried the soup. It was superb, and the staff were kind to us.", target="positive"),
    Example(id="2", input="7, 12, 3, 18", target="4"),
    Example(id="3", input="short one", target="a long reference answer of more than eight words in all"),
)
text = st.lists(st.sampled_from(["count", "the", "soup", "was", "superb", "{input}", "JSON", "7", "12", "3", "18"]))


def attempt(said: str, *, initial: str = "Answer {input}.", **more: Any) -> Attempt:
    limits = more.pop("limits", Limits())
    return Attempt(
        prompt=Prompt(instruction=said),
        parent=Prompt(instruction=initial),
        trajectory=history((initial, 0.5)),
        train=TRAIN,
        limits=limits,
        **more,
    )


def reason(name: str, said: str, **more: Any) -> str:
    return CONSTRAINTS[name](attempt(said, **more))


def test_placeholders_of_the_initial_prompt_are_kept():
    assert reason("placeholders", "Read {input} and answer.") == ""
    assert reason("placeholders", "Read it and answer.") == "loses {input}"
    assert reason("placeholders", "Use {a}.", initial="Use {a} and {b_2} and {1}.") == "loses {b_2}"


def test_frozen_parts_are_kept_word_for_word():
    limits = Limits(frozen=("Reply in JSON.",))
    assert reason("frozen", "Be kind. Reply in JSON.", limits=limits) == ""
    assert reason("frozen", "Be kind. reply in json.", limits=limits) == "loses the frozen part 'Reply in JSON.'"


def test_a_prompt_is_no_longer_than_the_cap_unless_the_initial_one_was():
    limits = Limits(max_words=5)
    assert reason("length", "one two three four five", limits=limits) == ""
    assert reason("length", "one two three four five six", limits=limits) == "has 6 words of at most 5"
    assert reason("length", "1 2 3 4 5 6", initial="a b c d e f", limits=limits) == ""


@pytest.mark.parametrize(
    ("said", "copied"),
    [
        ("Say positive for: It was superb, and the staff were kind.", True),
        ("say positive for IT WAS SUPERB AND THE STAFF WERE KIND", True),
        ("Say whether the staff were kind to us.", False),
        ("For 7, 12, 3, 18 the answer is 4.", True),
        ("For 7, 12, 3 the answer is 3.", False),
        ("It is a long reference answer of more than eight words.", True),
        ("This is a short one.", False),
    ],
)
def test_training_text_is_not_copied(said: str, copied: bool):
    assert bool(reason("copying", said)) == copied


def test_text_of_the_initial_prompt_is_no_copy():
    said = "For example 7, 12, 3, 18. Count."
    assert reason("copying", said, initial="For example 7, 12, 3, 18.") == ""


def test_a_prompt_that_was_scored_is_not_scored_again():
    assert reason("unseen", "Answer {input}.") == "was scored before"
    assert reason("unseen", "Answer.") == ""


@given(text, text, st.none() | st.integers(0, 6))
def test_the_budget_is_the_measured_distance(before: list[str], after: list[str], most: int | None):
    found = check_budget(attempt(" ".join(after), initial=" ".join(before), budget_words=most))
    assert bool(found) == (most is not None and edit_distance(" ".join(before), " ".join(after)) > most)


@given(text)
def test_every_copied_run_of_training_words_is_rejected(said: list[str]):
    joined = " ".join(said)
    has_list = re.search(r"\b7 12 3 18\b", " ".join(words(joined)))
    assert bool(check_copying(attempt(joined))) == bool(has_list)


@given(text)
def test_the_first_reason_is_returned_and_an_acceptable_prompt_has_none(said: list[str]):
    one = attempt(" ".join(said))
    each = [check(one) for check in CONSTRAINTS.values()]
    assert find_violation(one, CONSTRAINTS.values()) == next((found for found in each if found), "")


@pytest.mark.parametrize("change", [{"max_words": 0}, {"copied_words": 3}])
def test_invalid_limits_are_refused(change: dict[str, Any]):
    with pytest.raises(ConfigError, match=next(iter(change))):
        Limits(**change)


async def test_rejected_prompts_are_returned_with_their_reason_and_requested_again():
    model = ScriptedModel(lambda r: "<START>7, 12, 3, 18 is 4.<END>" if r.sample_index < 3 else numbered(r))
    optimizer = gpo(model, candidates=4, constraints=("copying",), limits=Limits(copied_words=4))
    found = await type(optimizer)(
        model=model, train=TRAIN, render=optimizer.render, settings=optimizer.settings
    ).propose(history(("Go.", 0.5)), seed=1)
    assert [p.prompt.instruction for p in found if not p.rejected] == [f"Prompt number {n}." for n in (3, 4, 5, 6)]
    assert [p.rejected for p in found if p.rejected] == ["copies '7 12 3 18' from a training example"]


async def test_the_meta_prompt_lists_the_texts_to_keep():
    model = ScriptedModel(numbered)
    limits = Limits(frozen=("Reply in JSON.",), max_words=30)
    names = ("placeholders", "frozen", "length")
    await gpo(model, constraints=names, limits=limits).propose(history(("See {input}. Reply in JSON.", 0.5)), seed=1)
    assert "<keep>{input}</keep>\n<keep>Reply in JSON.</keep>" in sent(model)
    assert "at most 30 words long" in sent(model)
    await gpo(model).propose(history(("See it. Put it in \\boxed{answer}.", 0.5)), seed=1)
    assert "<keep>" not in sent(model)


@pytest.mark.parametrize("name", ["gpo", "askwell"])
async def test_an_echo_or_a_changed_placeholder_is_rejected_by_every_preset(name: str):
    said = (
        "<example>\n<question>\n1, 2\n</question>",
        "Scores are integers from 0 to 100; higher is better. Count.",
        "Count: [insert question here]",
        "Count {{numbers}}.",
    )
    model = ScriptedModel(
        lambda r: f"<START>{said[r.sample_index]}<END>" if r.sample_index < len(said) else numbered(r)
    )
    judge = JudgeByTable(())
    found = await gpo(model, name=name, run_prompt=judge, candidates=5, joint_demos=0).propose(
        history(("Go.", 0.5)), seed=1
    )
    assert [p.rejected for p in found if p.rejected] == [
        "holds the tag <example> of the request",
        "repeats the request: 'scores are integers from 0 to 100 higher'",
        "invents [insert question here], which nothing fills",
        "invents {{numbers}}, which nothing fills",
    ]
    assert any(not p.rejected for p in found)


async def test_a_prompt_with_latex_is_improved():
    initial = "Use \\boxed{answer} and \\frac{1}{2}."
    found = await gpo(ScriptedModel(numbered), name="askwell", run_prompt=JudgeByTable(()), joint_demos=0).propose(
        history((initial, 0.5)), seed=1
    )
    assert found
    assert not [p.rejected for p in found if p.rejected]


@pytest.mark.parametrize("form", ["<START>{}</END>", "<START>{}<END>", "<NEW_PROMPT>{}</NEW_PROMPT>"])
async def test_a_prompt_that_speaks_of_the_tags_is_improved(form: str):
    better = "Wrap the answer in <START> and <END>."
    model = ScriptedModel(lambda r: form.format(better if r.sample_index else "Begin with <START>."))
    found = await gpo(model, candidates=2).propose(history(("Wrap it in <START> and <END>.", 0.5)), seed=1)
    assert sent(model).endswith("wrapped in tags: <NEW_PROMPT> the prompt </NEW_PROMPT>")
    assert [p.prompt.instruction for p in found if not p.rejected][-1] == better


async def test_a_frozen_part_that_the_initial_prompt_lacks_is_refused():
    with pytest.raises(ConfigError, match="not in the initial prompt"):
        await gpo(ScriptedModel(numbered), limits=Limits(frozen=("JSON",))).propose(history(("Go.", 0.5)), seed=1)

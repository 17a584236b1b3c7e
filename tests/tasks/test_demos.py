from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import ConfigError
from askwell.core.types import Example, Prompt
from askwell.tasks.demos import CHOICES, ORDERS, Demos, nearest_demos
from askwell.tasks.render import ChatRender, render_text

REVIEWS = tuple(
    Example(id=str(number), input=text, target=target)
    for number, (text, target) in enumerate(
        [
            ("The soup was superb.", "positive"),
            ("The staff were rude to us.", "negative"),
            ("The soup was cold and the staff were slow.", "negative"),
            ("7, 12, 3, 18", "40"),
            ("9, 4, 11", "24"),
            ("A lovely evening, we will be back.", "positive"),
            ("The bill was wrong.", "negative"),
        ]
    )
)
examples = st.lists(st.sampled_from(REVIEWS), unique_by=lambda one: one.id, min_size=1, max_size=7)


@given(
    st.sampled_from(sorted(CHOICES)), st.sampled_from(sorted(ORDERS)), examples, st.integers(1, 9), st.integers(0, 5)
)
def test_demonstrations_are_different_training_examples_and_the_seed_decides(
    choice: str, order: str, train: list[Example], count: int, seed: int
):
    demos = Demos(choice=choice, count=count, order=order, seed=seed)
    found = demos.initial_prompt("Go.", train).demos
    assert len(found) == min(count, len(train))
    assert len(set(found)) == len(found)
    assert set(found) <= set(train)
    assert found == demos.initial_prompt("Go.", train).demos


@given(examples, st.integers(1, 7), st.integers(0, 9))
def test_per_class_shows_every_answer_if_the_count_allows(train: list[Example], count: int, seed: int):
    found = Demos(choice="per-class", count=count, seed=seed).initial_prompt("Go.", train).demos
    answers = {example.target for example in train}
    assert len({demo.target for demo in found}) == min(count, len(answers))


@given(st.sampled_from(sorted(ORDERS)), examples, st.integers(0, 3))
def test_an_order_only_permutes_the_examples(order: str, train: list[Example], seed: int):
    drawn = Demos(choice="random", count=4, seed=seed).initial_prompt("Go.", train).demos
    found = Demos(choice="random", count=4, order=order, seed=seed).initial_prompt("Go.", train).demos
    assert set(found) == set(drawn)
    lengths = [len(demo.input) for demo in found]
    if order == "shortest-first":
        assert lengths == sorted(lengths)
    if order == "longest-first":
        assert lengths == sorted(lengths, reverse=True)
    if order == "reversed":
        assert found == drawn[::-1]


def test_the_most_similar_examples_are_chosen_the_most_similar_last():
    found = nearest_demos("The soup was good and the staff were slow.", REVIEWS, 2)
    assert [demo.id for demo in found] == ["0", "2"]
    assert {demo.id for demo in nearest_demos("8, 2, 5", REVIEWS, 2)} == {"3", "4"}


@given(st.sampled_from(REVIEWS), st.integers(1, 9))
def test_a_question_is_never_its_own_demonstration(example: Example, count: int):
    found = nearest_demos(example.input.upper() + "!", REVIEWS, count)
    assert example not in found
    assert len(found) == min(count, len(REVIEWS) - 1)


def test_nearest_demonstrations_depend_on_the_question_and_are_rendered_as_any_others():
    render = Demos(choice="nearest", count=1).wrap(ChatRender(), REVIEWS)
    prompt = Prompt(instruction="Sum or sentiment?")
    asked = Example(id="x", input="The soup was awful.", target="")
    shown = render(prompt, asked)
    assert [message.content for message in shown] == [
        "The soup was superb.\nSum or sentiment?", "positive", "The soup was awful.\nSum or sentiment?",
    ]  # fmt: skip
    assert "9, 4, 11" in render_text(render, prompt, Example(id="y", input="1, 4, 6", target=""))
    own = Prompt(instruction="Go.", demos=REVIEWS[3:4])
    assert render(own, asked) == ChatRender()(own, asked)


def test_demonstrations_chosen_once_are_part_of_the_prompt():
    demos = Demos(choice="random", count=2)
    assert len(demos.initial_prompt("Go.", REVIEWS).demos) == 2
    placed = ChatRender()
    assert demos.wrap(placed, REVIEWS) is placed


@pytest.mark.parametrize("choice", ["", "none"])
def test_without_a_choice_there_are_none(choice: str):
    assert Demos(choice=choice).initial_prompt("Go.", REVIEWS) == Prompt(instruction="Go.")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"choice": "neerest"}, "did you mean 'nearest'"),
        ({"order": "shortest"}, "did you mean 'shortest-first'"),
        ({"count": 0}, "count = 0"),
    ],
)
def test_invalid_settings_are_refused(change: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        Demos(**change)


def test_demonstrations_need_a_train_split():
    with pytest.raises(ConfigError, match="needs a train split"):
        Demos(choice="nearest").initial_prompt("Go.", ())

"""The bundled tasks are complete, reproducible, and split without overlap."""

from __future__ import annotations

from random import Random

import pytest
from training.pocket.decode import is_right, read_answer

from askwell.core.errors import ConfigError
from askwell.tasks import bundled
from askwell.tasks.bundled import booleans
from askwell.tasks.bundled.catalog import FAMILIES, assign_split, find_task


def test_there_are_enough_tasks_and_families() -> None:
    assert len(bundled.task_names()) >= 16
    assert len(set(bundled.task_names())) == len(bundled.task_names())
    assert len(FAMILIES) >= 5


@pytest.mark.parametrize("task", bundled.task_names())
def test_splits_never_share_an_input(task: str) -> None:
    splits = {split: bundled.examples(task, split, 300, seed=1) for split in ("train", "dev", "test")}
    texts = {split: {one.input for one in examples} for split, examples in splits.items()}
    assert all(len(found) == 300 for found in texts.values())
    assert not texts["train"] & texts["dev"]
    assert not texts["train"] & texts["test"]
    assert not texts["dev"] & texts["test"]


@pytest.mark.parametrize("task", bundled.task_names())
def test_equal_arguments_give_equal_examples(task: str) -> None:
    assert bundled.examples(task, "dev", 20, seed=3) == bundled.examples(task, "dev", 20, seed=3)
    assert bundled.examples(task, "dev", 20, seed=3) != bundled.examples(task, "dev", 20, seed=4)


def test_tasks_of_a_family_share_their_input_format() -> None:
    for family in FAMILIES:
        ids = {skill.name: bundled.examples(skill.name, "test", 1)[0].meta["family"] for skill in family.skills}
        assert set(ids.values()) == {family.name}
        assert len(family.skills) >= 4


def test_the_message_about_an_unknown_task_lists_the_valid_names() -> None:
    with pytest.raises(ConfigError, match="numbers_sum"):
        bundled.examples("numbers_product", "test", 1)


@pytest.mark.parametrize("task", bundled.task_names())
def test_every_task_has_its_prompts(task: str) -> None:
    assert len(bundled.held_out_prompts(task)) >= 8
    assert bundled.best_known_prompt(task)
    assert bundled.initial_prompt(task) in bundled.vague_prompts()
    direct, steps = bundled.style_prompts(task)
    assert direct != steps


def test_boolean_values_are_pythons() -> None:
    rng = Random(0)
    for _ in range(500):
        tokens = booleans.FAMILY.draw(rng)
        assert booleans.evaluate_expression(tokens) == eval(booleans.FAMILY.to_text(tokens))


@pytest.mark.parametrize(
    ("task", "text", "target"),
    [
        ("numbers_sum", (3, 5, 8), "16"),
        ("numbers_even", (3, 4, 8), "2"),
        ("numbers_large", (10, 11), "1"),
        ("numbers_sort", (8, 3), "3, 8"),
        ("words_animals", ("cat", "lamp", "dog"), "2"),
        ("words_longest", ("cat", "giraffe"), "giraffe"),
        ("words_reverse", ("cat", "lamp"), "lamp, cat"),
        ("walk_direction", ("Turn left.", "Turn around."), "east"),
        ("walk_returns", ("Take 2 steps.", "Turn around.", "Take 2 steps."), "Yes"),
        ("walk_steps", ("Take 2 steps.", "Turn left.", "Take 1 step."), "3"),
    ],
)
def test_answers(task: str, text: object, target: str) -> None:
    _, skill = find_task(task)
    assert skill.answer(text) == target


def test_a_split_does_not_depend_on_case_or_spaces() -> None:
    assert assign_split("3,  4 ") == assign_split("3, 4")
    assert assign_split("Take 1 STEP.") == assign_split("take 1 step.")


def test_answers_are_read_from_the_last_sentence() -> None:
    assert read_answer("3 odd 0, 4 even 1. The answer is 1.") == "1"
    assert is_right("True.", "True")
    assert not is_right("The answer is 12.", "2")

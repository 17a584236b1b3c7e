"""Bundles of bundled tasks: mixed queries, disjoint splits, each query graded as its own task."""

from __future__ import annotations

from collections import Counter

import pytest

from askwell.api.build_task import build_task
from askwell.api.config_file import parse_config
from askwell.core.errors import ConfigError
from askwell.tasks import bundled
from askwell.tasks.questions import normalize_question

BUNDLE = "numbers_max+words_first+review_sentiment"


def test_a_bundle_takes_its_tasks_in_turn_and_keeps_their_splits() -> None:
    splits = {name: bundled.examples(BUNDLE, name, 90, seed=2) for name in ("train", "dev", "test")}
    for found in splits.values():
        assert Counter(example.meta["task"] for example in found) == dict.fromkeys(BUNDLE.split("+"), 30)
        assert len({normalize_question(example.input) for example in found}) == 90
    texts = {name: {normalize_question(example.input) for example in found} for name, found in splits.items()}
    assert len(texts["train"] | texts["dev"] | texts["test"]) == 270
    assert bundled.examples(BUNDLE, "dev", 7) == bundled.examples(BUNDLE, "dev", 90)[:7]


def test_one_task_is_a_bundle_of_one() -> None:
    assert bundled.member_tasks("walk_turns") == ("walk_turns",)


def test_a_bundle_is_a_task_and_each_query_is_graded_as_its_own_task_is() -> None:
    task = build_task(parse_config({"task": {"data": f"pocket:{BUNDLE}"}, "split": {"train": 1}}))
    assert task.name == BUNDLE
    by_task = {example.meta["task"]: example for example in task.splits["dev"]}
    number, word, mood = (by_task[name] for name in BUNDLE.split("+"))
    assert task.metric(f"The answer is {number.target}.", number).value == 1.0
    assert task.metric(f"The answer is {word.target}.", word).value == 1.0
    assert task.metric(f"The answer is {mood.target}.", mood).value == 1.0
    assert task.metric(str(number.target) + "1", number).value == 0.0
    assert task.metric("xyz", word).value == 0.0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("numbers_max+numbers_min", "the same inputs"),
        ("numbers_max+words_frist", "unknown pocket task"),
        ("numbers_max+", "unknown pocket task"),
    ],
)
def test_invalid_bundles_are_refused(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        bundled.examples(name, "dev", 3)


def test_an_optimization_of_a_bundle_starts_from_the_vague_prompt() -> None:
    assert bundled.initial_prompt(BUNDLE) == bundled.vague_prompts()[0]

"""Replies of many languages, formats and styles get the score that a careful reader would give."""

from __future__ import annotations

import pytest

from askwell.tasks.metrics import grade
from tests.tasks.grading.reply_cases import BY_TYPE, LABELS, OPTIONS


@pytest.mark.parametrize(
    ("answer_type", "reply", "target", "score"), [(name, *row) for name, rows in BY_TYPE.items() for row in rows]
)
def test_a_reply_gets_its_score(answer_type: str, reply: str, target: str, score: float) -> None:
    assert grade(answer_type, reply, target) == score


@pytest.mark.parametrize(("question", "reply", "target", "score"), OPTIONS)
def test_a_choice_among_the_options_of_a_question_is_read(question: str, reply: str, target: str, score: float) -> None:
    assert grade("choice", reply, target, question=question) == score


@pytest.mark.parametrize(("reply", "target", "score", "labels"), LABELS)
def test_a_label_of_the_task_is_read(reply: str, target: str, score: float, labels: tuple[str, ...]) -> None:
    assert grade("label", reply, target, labels=labels) == score

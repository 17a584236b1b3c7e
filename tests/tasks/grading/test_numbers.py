"""Numbers in replies of many languages and styles, and the targets that are refused."""

from __future__ import annotations

import unicodedata

import pytest

from askwell.core.errors import DataError
from askwell.tasks.metrics import grade
from tests.tasks.grading.number_cases import CASES, ONE_NUMBER, TWO_NUMBERS


@pytest.mark.parametrize(("reply", "target", "score"), CASES)
def test_the_number_of_a_reply_is_read(reply: str, target: str, score: float) -> None:
    assert grade("number", reply, target) == score


@pytest.mark.parametrize(("reply", "target", "score"), CASES)
def test_a_decomposed_reply_is_the_same_reply(reply: str, target: str, score: float) -> None:
    assert grade("number", unicodedata.normalize("NFD", reply), target) == score


@pytest.mark.parametrize("target", TWO_NUMBERS)
def test_a_target_with_two_numbers_is_refused(target: str) -> None:
    with pytest.raises(DataError, match="one number"):
        grade("number", "5", target)


@pytest.mark.parametrize(("target", "reply"), ONE_NUMBER)
def test_a_target_with_one_number_may_have_words(target: str, reply: str) -> None:
    assert grade("number", reply, target) == 1.0

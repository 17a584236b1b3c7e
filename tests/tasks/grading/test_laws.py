"""Laws of the shared reading: thinking, an end token, a JSON answer field and the normal form never change a grade."""

from __future__ import annotations

import json
import math
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.tasks.metrics import grade
from tests.tasks.grading.number_cases import CASES as NUMBERS
from tests.tasks.grading.test_reading import ENDS, THINKING
from tests.tasks.grading_cases import CASES, Case

ALL: list[Case] = [*CASES, *(("number", *row) for row in NUMBERS)]
PLAIN = [case for case in ALL if "think" not in case[1] and "<|" not in case[1] and "</" not in case[1]]
READ = ("number", "choice", "boolean", "yesno", "exact")
LAW = settings(max_examples=400, deadline=None)


@LAW
@given(case=st.sampled_from(PLAIN), form=st.sampled_from(THINKING))
def test_thinking_never_changes_a_grade(case: Case, form: str) -> None:
    answer_type, reply, target, _ = case
    thought = form.replace("{}", "Is it 9, (C), true, no or Rome? The answer is 9.")
    assert grade(answer_type, thought + reply, target) == grade(answer_type, reply, target)


@LAW
@given(case=st.sampled_from(PLAIN), end=st.sampled_from(ENDS))
def test_an_end_token_never_changes_a_grade(case: Case, end: str) -> None:
    answer_type, reply, target, _ = case
    if reply.strip():
        assert grade(answer_type, reply + end, target) == grade(answer_type, reply, target)


@LAW
@given(case=st.sampled_from([case for case in PLAIN if case[0] in READ]), beside=st.booleans(), fence=st.booleans())
def test_an_answer_field_never_changes_a_grade(case: Case, beside: bool, fence: bool) -> None:
    answer_type, reply, target, _ = case
    if "{" in reply:
        return
    fields = {"reasoning": "The answer is 9, (C), true, no or Rome.", "confidence": 0.95} if beside else {}
    text = json.dumps({**fields, "final_answer": reply}, ensure_ascii=beside)
    text = f"```json\n{text}\n```" if fence else text
    assert grade(answer_type, text, target) == grade(answer_type, reply, target)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@LAW
@given(case=st.sampled_from(ALL))
def test_the_normal_form_never_changes_a_grade(form: str, case: Case) -> None:
    answer_type, reply, target, mark = case
    reply = unicodedata.normalize(form, reply)  # pyright: ignore[reportArgumentType] - one of the four forms
    targets = tuple(unicodedata.normalize(form, each) for each in ([target] if isinstance(target, str) else target))  # pyright: ignore[reportArgumentType]
    assert math.isclose(grade(answer_type, reply, targets), mark)

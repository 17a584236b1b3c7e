"""Laws of every answer type: total, bounded, independent of outer whitespace, right on its own targets, fast."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.tasks.grading.context import GradingContext
from askwell.tasks.metrics import ANSWER_TYPES, extract, grade
from tests.tasks.grading_cases import CASES

BBH = Path(__file__).parents[3] / "shared" / "data" / "benchmarks" / "bbh"
TARGETS = {
    "exact": "Paris", "choice": "(B)", "number": "18", "boolean": "True", "yesno": "no", "words": "apple banana cherry",
    "brackets": "] ) >", "contains": "a b", "regex": "b$", "f1": "a b c", "rouge-l": "a b c",
    "label": "apple",
}  # fmt: skip
LABELS = ("apple", "the answer", "Sci/Tech")
BBH_TYPES = {
    "boolean_expressions": "boolean", "causal_judgement": "yesno", "dyck_languages": "brackets",
    "formal_fallacies": "boolean", "multistep_arithmetic_two": "number", "navigate": "yesno",
    "object_counting": "number", "sports_understanding": "yesno", "web_of_lies": "yesno", "word_sorting": "words",
}  # fmt: skip

LAW = settings(max_examples=150, deadline=None)  # time has its own test below

PIECES = [*sorted({piece for _, reply, *_ in CASES if len(reply) < 200 for piece in reply.split()}), "\n", "\n\n", " "]
REPLIES = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join),
    st.text(alphabet="()[]{}<>\\$*_#`.,:;=-+/^% \n0123456789aAIbB", max_size=120),
)


@pytest.mark.parametrize("answer_type", ANSWER_TYPES)
@LAW
@given(reply=REPLIES)
def test_any_reply_is_graded_in_0_to_1_whatever_its_outer_whitespace(answer_type: str, reply: str) -> None:
    target = TARGETS[answer_type]
    score = grade(answer_type, reply, target, labels=LABELS)
    assert 0.0 <= score <= 1.0
    assert grade(answer_type, reply, target, labels=LABELS) == score
    assert grade(answer_type, f"\n {reply} \n\n", target, labels=LABELS) == score
    extract(answer_type, reply, target, GradingContext(labels=LABELS))


@LAW
@given(value=st.decimals(min_value=-(10**9), max_value=10**9, places=2, allow_nan=False))
def test_a_number_is_itself_and_no_other(value: object) -> None:
    assert grade("number", f"The answer is {value}.", str(value)) == 1.0
    assert grade("number", str(value), f"{value}1") == 0.0


@LAW
@given(value=st.integers(min_value=-(10**12), max_value=10**12))
def test_grouping_digits_changes_nothing(value: int) -> None:
    assert grade("number", f"{value:,}", str(value)) == 1.0
    assert grade("number", f"So she has ${value:,} in the end." if value >= 0 else f"x = {value:,}", str(value)) == 1.0
    assert grade("number", str(value), str(-value)) == float(value == 0)


@LAW
@given(words=st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=2, max_size=8, unique=True))
def test_word_lists_may_be_laid_out_in_any_way_but_order(words: list[str]) -> None:
    target = " ".join(words)
    for layout in (", ".join(words), "\n".join(words), "\n".join(f"{i}. {word}" for i, word in enumerate(words, 1))):
        assert grade("words", layout, target) == 1.0
        assert grade("words", f"Sorted:\n{layout}", target) == 1.0
    assert grade("words", " ".join(reversed(words)), target) == 0.0


@LAW
@given(letter=st.sampled_from("ABCDEFGHIJKLMNOPQR"), other=st.sampled_from("ABCDEFGHIJKLMNOPQR"))
def test_option_letters_are_read_in_every_notation(letter: str, other: str) -> None:
    for form in (
        "({})",
        "{}",
        "{}.",
        "{})",
        "**{}**",
        "Answer: {}",
        "The answer is ({}).",
        "\\boxed{{{}}}",
        "Option {}",
    ):
        assert grade("choice", form.format(letter), f"({other})") == float(letter == other)


@LAW
@given(first=st.text("abc ", max_size=40), second=st.text("abc ", min_size=1, max_size=40).filter(str.strip))
def test_overlap_measures_are_symmetric(first: str, second: str) -> None:
    if first.strip():
        assert math.isclose(grade("rouge-l", first, second), grade("rouge-l", second, first))
        assert math.isclose(grade("f1", first, second), grade("f1", second, first))


def test_every_bbh_target_is_its_own_right_answer() -> None:
    if not BBH.is_dir():
        pytest.skip(f"{BBH} is not here: benchmark data is kept outside the project")
    for file in sorted(BBH.glob("*.json")):
        answer_type = BBH_TYPES.get(file.stem, "choice")
        for target in {example["target"] for example in json.loads(file.read_text("utf-8"))["examples"]}:
            for kind in (answer_type, "exact", "contains"):
                assert grade(kind, target, target) == 1.0, (file.stem, kind, target)
            assert grade(answer_type, f"Let me think.\n\nSo the answer is **{target}**.", target) == 1.0


HARD = [
    "9", "1,", "1-", "the answer is ", "\n", " ", "\\boxed{", "(([", "<think>", "*", "(A) is wrong, ", "not ", "wait, ",
    "apple, ", "] ", "=", "Q:", "\\text{",
]  # fmt: skip


@pytest.mark.parametrize("answer_type", [name for name in ANSWER_TYPES if name != "regex"])
def test_a_reply_of_100_kb_takes_no_unreasonable_time(answer_type: str) -> None:
    for piece in HARD:
        reply = (piece * (100_000 // len(piece) + 1))[:100_000]
        started = time.process_time()
        grade(answer_type, reply, TARGETS[answer_type], labels=LABELS)
        assert time.process_time() - started < 5.0, piece


def test_rouge_l_of_512_tokens_is_fast() -> None:
    first, second = " ".join(str(i % 97) for i in range(512)), " ".join(str(i % 89) for i in range(512))
    started = time.process_time()
    for _ in range(100):
        grade("rouge-l", first, second)
    assert time.process_time() - started < 5.0

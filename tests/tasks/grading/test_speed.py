"""Long replies of any shape are read in time that grows in proportion to their length."""

from __future__ import annotations

import time

import pytest

from askwell.tasks.grading.reading import read_reply
from askwell.tasks.metrics import grade

PIECES = [
    '{"a": ', '{"answer": ', '{"', "{a:", "[1,", "[[", '"', "'", "\\\\", "<answer>", "</answer>", "<think>", "</think>",
    "<|a|>", "<|message|>", "<|channel|>final<|message|>x", "assistantfinal", "analysis", "</s>", "\nuser\n", "\nQ: ",
    "\nProblem 2: ", "#### 9\n", "```\n", '```json\n{"answer": 1}\n', "Wait, ", "答案是", "。", "e\u0301", "½", "( 5% ",
    "[a ", "i.e. 5 ", "5 or 6 ", "5 of 6 ", "I cannot answer ", "Note: 5\n", "Check: 5\n\n", "1万", "$1M ", "三分之",
    "Here is my thought process:", "[answer]", "[[a",
    "12가 아니라 ", "No, wait, ", "I cannot answer. ", "A) x ✅\n", "because 5 ", "12 kids: ",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_a_reply_of_100_kb_is_read_at_once(piece: str) -> None:
    reply = (piece * (100_000 // len(piece) + 1))[:100_000]
    started = time.process_time()
    read_reply(reply)
    grade("number", reply, "5")
    assert time.process_time() - started < 5.0

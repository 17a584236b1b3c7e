"""Which dev examples count as still wrong, in which order, and what is said about them."""

from __future__ import annotations

import pytest

from askwell.core.types import Completion, Example, Prompt, Rollout, Score, Split
from askwell.report.still_wrong import SHOWN_WRONG, describe_reading, describe_still_wrong, find_still_wrong

PROMPT = Prompt(instruction="A")


def rollout(name: str, value: float | None, *, split: Split = "dev", sample: int = 0, reply: str = "r") -> Rollout:
    score = None if value is None else Score(value=value, answer="read")
    completion = Completion(text=reply, outcome="ok" if value is not None else "failed")
    return Rollout(
        step=0, split=split, prompt=PROMPT, example_id=name, query=name, completion=completion, score=score,
        sample_index=sample,
    )  # fmt: skip


def names(*rollouts: Rollout) -> list[tuple[str, float]]:
    examples = {one.example_id: Example(id=one.example_id, input=one.example_id, target="t") for one in rollouts}
    return [(wrong.example.id, wrong.value) for wrong in find_still_wrong(rollouts, examples).shown]


CASES: list[tuple[str, list[Rollout], list[tuple[str, float]]]] = [
    ("right ones are left out", [rollout("a", 1.0), rollout("b", 0.0)], [("b", 0.0)]),
    ("worst first", [rollout("a", 0.5), rollout("b", 0.0), rollout("c", 0.9)], [("b", 0.0), ("a", 0.5), ("c", 0.9)]),
    ("equals in the order of the log", [rollout("b", 0.0), rollout("a", 0.0)], [("b", 0.0), ("a", 0.0)]),
    ("a failed call is missing, not wrong", [rollout("a", None), rollout("b", 0.0)], [("b", 0.0)]),
    ("never a test example", [rollout("a", 0.0, split="test"), rollout("b", 0.0)], [("b", 0.0)]),
    ("never a training example", [rollout("a", 0.0, split="train")], []),
    ("the mean of several samples", [rollout("a", 0.0), rollout("a", 1.0, sample=1)], [("a", 0.5)]),
    ("all samples right", [rollout("a", 1.0), rollout("a", 1.0, sample=1)], []),
]


@pytest.mark.parametrize(("rollouts", "wrong"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_still_wrong(rollouts: list[Rollout], wrong: list[tuple[str, float]]) -> None:
    assert names(*rollouts) == wrong


def test_of_several_samples_the_worst_reply_is_shown() -> None:
    rollouts = [rollout("a", 1.0, reply="good"), rollout("a", 0.0, sample=1, reply="bad")]
    [wrong] = find_still_wrong(rollouts, {"a": Example(id="a", input="q", target="t")}).shown
    assert (wrong.reply, wrong.call_id.split(":")[1:]) == ("bad", ["a", "1"])


def test_the_list_is_bounded_and_says_how_many_more() -> None:
    members = [f"e{number}" for number in range(SHOWN_WRONG + 7)]
    examples = {name: Example(id=name, input=name, target="t") for name in [*members, "right"]}
    found = find_still_wrong([*(rollout(name, 0.0) for name in members), rollout("right", 1.0)], examples)
    assert (len(found.shown), found.n_wrong, found.n_answered) == (SHOWN_WRONG, 27, 28)
    assert describe_still_wrong(found, shown=20) == (
        "27 of 28 dev examples score below 100, worst first; 7 more are not shown."
    )
    assert describe_still_wrong(found, shown=27) == "27 of 28 dev examples score below 100, worst first."
    none = find_still_wrong([rollout("right", 1.0)], examples)
    assert describe_still_wrong(none, shown=0) == "No dev example scores below 100, of 1 answered."
    assert describe_still_wrong(find_still_wrong([], {}), shown=0) == ""


@pytest.mark.parametrize(
    ("score", "read"),
    [
        (Score(value=0.0, answer="7", note="expected 8"), "7"),
        (Score(value=0.0, note="'billing' does not occur"), "('billing' does not occur)"),
        (Score(value=1.0, answer="billing"), "billing"),
        (Score(value=0.0), ""),
    ],
)
def test_what_the_metric_read(score: Score, read: str) -> None:
    assert describe_reading(score) == read

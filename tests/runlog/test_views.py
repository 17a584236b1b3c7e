"""Folds of the log: spending, the curve, and QPO's offline data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from askwell.runlog import views
from askwell.runlog.codec import completion_body, example_body, prompt_body, prompt_id, rollout_body
from askwell.types import Completion, Event, Example, Experience, Prompt, Rollout, Score, Split, Usage

A, B = Prompt(instruction="a"), Prompt(instruction="b")
EXAMPLES = {f"q{i}": Example(id=f"q{i}", input=f"question {i}", target="x") for i in range(3)}


def rollout(prompt: Prompt, example_id: str, value: float | None, split: Split = "dev", draw: int = 0) -> Rollout:
    failed = value is None
    return Rollout(
        step=0,
        split=split,
        prompt=prompt,
        example_id=example_id,
        query=EXAMPLES[example_id].input,
        completion=Completion(
            text="x",
            outcome="failed" if failed else "ok",
            fault="server" if failed else "",
            usage=Usage(prompt_tokens=10, completion_tokens=2, cost_usd=None if failed else 0.5),
        ),
        score=None if value is None else Score(value=value),
        draw=draw,
    )


def log(*rollouts: Rollout, cached: tuple[int, ...] = ()) -> list[Event]:
    def bodies() -> Iterator[tuple[str, dict[str, object]]]:
        for example in EXAMPLES.values():
            yield "example", example_body(example, "dev")
        for prompt in (A, B):
            yield "prompt", prompt_body(prompt)
        for index, one in enumerate(rollouts):
            yield "rollout", rollout_body(one, cached=index in cached)

    return [
        Event(position=position, kind=kind, body=body, seconds=0.25)  # type: ignore[arg-type]
        for position, (kind, body) in enumerate(bodies())
    ]


def test_spend_counts_each_paid_call_once_and_failures_apart() -> None:
    events = log(rollout(A, "q0", 1.0), rollout(A, "q1", None), rollout(A, "q0", 1.0), cached=(2,))
    body = {"role": "optimizer", "completion": completion_body(Completion(usage=Usage(prompt_tokens=7)))}
    events.append(Event(position=99, kind="call", body=body))
    spent = views.spend(events)
    assert spent["target"] == views.Spend(
        calls=2, failed=1, prompt_tokens=20, completion_tokens=4, cost_usd=0.5, seconds=0.5
    )
    assert (spent["optimizer"].calls, spent["optimizer"].cost_usd) == (1, None)


def test_experiences_average_repeats_and_keep_failures_of_the_model_but_not_of_the_network() -> None:
    events = log(
        rollout(A, "q0", 1.0),
        rollout(A, "q0", 0.0, draw=1),
        rollout(A, "q1", 0.0),
        rollout(A, "q2", None),
        rollout(B, "q0", 1.0),
    )
    found = {(one.query, one.prompt): one for one in views.experiences(events)}
    assert found["question 0", "a"].reward == 0.5
    assert found["question 1", "a"].reward == 0.0
    assert ("question 2", "a") not in found


def test_advantage_is_against_the_prompt_tried_on_most_queries() -> None:
    events = log(rollout(A, "q0", 0.0), rollout(A, "q1", 1.0), rollout(B, "q0", 1.0), rollout(B, "q2", 1.0, "dev"))
    found = {(one.query, one.prompt): one.advantage for one in views.experiences([*events])}
    assert found == {
        ("question 0", "a"): -1.0,
        ("question 1", "a"): None,
        ("question 0", "b"): 0.0,
        ("question 2", "b"): 0.0,
    }


def test_the_test_split_never_becomes_training_data() -> None:
    assert views.experiences(log(rollout(A, "q0", 1.0, "test"))) == []


def test_experiences_are_plain_values() -> None:
    [one] = views.experiences(log(rollout(A, "q0", 1.0)))
    assert one == Experience(query="question 0", prompt="a", reward=1.0, advantage=0.0)


def test_cell_scores_leave_out_what_is_missing() -> None:
    events = log(rollout(A, "q0", 1.0), rollout(A, "q1", None), rollout(B, "q0", 0.0), rollout(A, "q2", 1.0, "test"))
    assert views.cell_scores(events, split="dev", prompts=[A]) == {A: {"q0": 1.0}}


def test_the_curve_only_rises_and_counts_paid_calls() -> None:
    events = log(rollout(A, "q0", 1.0), rollout(A, "q1", 1.0), cached=(1,))
    steps = [[{"prompt": prompt_id(A), "score": score, "n": 1}] for score in (0.5, 0.2, 0.7)]
    events += [
        Event(position=100 + step, kind="step", body={"step": step, "candidates": candidates})
        for step, candidates in enumerate(steps)
    ]
    points = views.curve(events)
    assert [(point.step_best, point.best) for point in points] == [(0.5, 0.5), (0.2, 0.5), (0.7, 0.7)]
    assert [point.target_calls for point in points] == [1, 1, 1]


@pytest.mark.parametrize("kinds", [(), ("run", "example")])
def test_an_unfinished_log_has_no_result(kinds: tuple[str, ...]) -> None:
    assert views.result([event for event in log() if event.kind in kinds]) is None

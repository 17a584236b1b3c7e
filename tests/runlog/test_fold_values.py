"""What a fold says of small logs: spending, the curve, scores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from askwell.core.types import Completion, Event, Example, Prompt, Rollout, Score, Split, Usage
from askwell.runlog.codec import encode_completion, encode_example, encode_prompt, encode_rollout, prompt_id
from askwell.runlog.fold import Spend, fold, read_result, read_spend
from tests.support.logs import stored

A, B = Prompt(instruction="a"), Prompt(instruction="b")
EXAMPLES = {f"q{i}": Example(id=f"q{i}", input=f"question {i}", target="x") for i in range(3)}


def rollout(
    prompt: Prompt, example_id: str, value: float | None, split: Split = "dev", sample_index: int = 0
) -> Rollout:
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
        sample_index=sample_index,
    )


def log(*rollouts: Rollout, cached: tuple[int, ...] = ()) -> list[Event]:
    def bodies() -> Iterator[tuple[str, dict[str, object]]]:
        for example in EXAMPLES.values():
            yield "example", encode_example(example, "dev")
        for prompt in (A, B):
            yield "prompt", encode_prompt(prompt)
        for index, one in enumerate(rollouts):
            yield "rollout", encode_rollout(one, cached=index in cached)

    return [
        Event(position=position, kind=kind, body=body, seconds=0.25)  # type: ignore[arg-type]
        for position, (kind, body) in enumerate(bodies())
    ]


def test_spend_counts_each_paid_call_once_and_failures_apart() -> None:
    events = log(rollout(A, "q0", 1.0), rollout(A, "q1", None), rollout(A, "q0", 1.0), cached=(2,))
    body = {"role": "optimizer", "completion": encode_completion(Completion(usage=Usage(prompt_tokens=7)))}
    events.append(Event(position=99, kind="call", body=body))
    spent = read_spend(stored(events))
    assert spent["target"] == Spend(calls=2, failed=1, prompt_tokens=20, completion_tokens=4, cost_usd=0.5, seconds=0.5)
    assert (spent["optimizer"].calls, spent["optimizer"].cost_usd) == (1, None)


def test_scores_leave_out_what_is_missing() -> None:
    events = log(rollout(A, "q0", 1.0), rollout(A, "q1", None), rollout(B, "q0", 0.0), rollout(A, "q2", 1.0, "test"))
    assert fold(stored(events)).scores_of(A, "dev") == {"q0": 1.0}


def test_the_curve_only_rises_and_counts_paid_calls() -> None:
    events = log(rollout(A, "q0", 1.0), rollout(A, "q1", 1.0), cached=(1,))
    steps = [[{"prompt": prompt_id(A), "score": score, "n": 1}] for score in (0.5, 0.2, 0.7)]
    events += [
        Event(position=100 + step, kind="step", body={"step": step, "candidates": candidates})
        for step, candidates in enumerate(steps)
    ]
    points = fold(stored(events)).curve
    assert [(point.step_best, point.best) for point in points] == [(0.5, 0.5), (0.2, 0.5), (0.7, 0.7)]
    assert [point.target_calls for point in points] == [1, 1, 1]


@pytest.mark.parametrize("kinds", [(), ("run", "example")])
def test_an_unfinished_log_has_no_result(kinds: tuple[str, ...]) -> None:
    assert read_result(stored(event for event in log() if event.kind in kinds)) is None

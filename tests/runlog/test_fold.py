"""Folding by columns says what folding the events says, whatever the log holds and wherever it is kept."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.core.types import Candidate, Completion, Event, Prompt, Rollout, Score, Split, Usage
from askwell.runlog.codec import encode_candidate, encode_completion, encode_prompt, encode_rollout
from askwell.runlog.fold import fold, read_spend
from askwell.runlog.store import UNORDERED, MemoryStore, SqliteStore

PROMPTS = [Prompt(instruction=text) for text in ("a", "b", 'c "quoted" \\ \n', "\ud800")]
NAMES = st.sampled_from(["e0", "e1", 'with "quotes", and commas', "naïve 🙂", "\udfff", "null\0byte"])


@st.composite
def rollouts(draw: st.DrawFn) -> Rollout:
    failed = draw(st.booleans())
    usage = Usage(
        prompt_tokens=draw(st.integers(0, 10**9)),
        completion_tokens=draw(st.integers(0, 99)),
        cost_usd=draw(st.none() | st.floats(0, 1)),
    )
    text = draw(st.sampled_from(["", 'says "cached":true', "x" * 50]))
    outcome = "failed" if failed else "ok"
    return Rollout(
        step=0,
        split=draw(st.sampled_from(["train", "dev", "test"])),
        prompt=draw(st.sampled_from(PROMPTS)),
        example_id=draw(NAMES),
        query="",
        completion=Completion(text=text, outcome=outcome, usage=usage, fault="server" if failed else ""),
        score=None if failed else Score(value=draw(st.floats(0, 1)), answer='"', note="n"),
        sample_index=draw(st.integers(0, 2)),
    )


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Rollouts, some of them unordered, with committed steps among them, and calls of the optimizer model."""
    events = [Event(position=index, kind="prompt", body=encode_prompt(prompt)) for index, prompt in enumerate(PROMPTS)]
    for kind in draw(
        st.lists(st.sampled_from(["rollout", "rollout", "rollout", "step", "call", "unordered"]), max_size=40)
    ):
        position = len(events)
        if kind == "step":
            candidate = Candidate(
                step=position, prompt=draw(st.sampled_from(PROMPTS)), score=draw(st.floats(0, 1)), n=1
            )
            body = {"step": position, "candidates": [encode_candidate(candidate)]}
            events.append(Event(position=position, kind="step", body=body))
        elif kind == "call":
            usage = Usage(prompt_tokens=draw(st.integers(0, 99)), completion_tokens=1)
            body = {"role": "optimizer", "completion": encode_completion(Completion(usage=usage))}
            events.append(Event(position=position, kind="call", body=body, seconds=0.25))
        else:
            body = encode_rollout(draw(rollouts()), cached=draw(st.booleans()))
            events.append(
                Event(position=UNORDERED if kind == "unordered" else position, kind="rollout", body=body, seconds=0.5)
            )
    return events


@settings(max_examples=150, deadline=None)
@given(logs())
def test_a_file_says_what_its_events_say(events: list[Event]) -> None:
    memory = MemoryStore()
    memory.append(events)
    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder) / "log.db") as store:
        store.append(events)
        assert list(store.rollout_rows()) == list(memory.rollout_rows())
        found, expected = fold(store), fold(memory)
        spent, known = read_spend(store), read_spend(memory)
    assert found == expected
    scores = [dict(one.example_scores) for one in found.trajectory.candidates]
    assert scores == [dict(one.example_scores) for one in expected.trajectory.candidates]
    assert scores == slowly(list(memory.events()))
    for role in ("target", "optimizer"):
        ours, theirs = spent[role], known[role]
        assert (ours.calls, ours.failed, ours.prompt_tokens) == (theirs.calls, theirs.failed, theirs.prompt_tokens)
        assert (ours.completion_tokens, ours.seconds) == (theirs.completion_tokens, theirs.seconds)
        assert ours.cost_usd == pytest.approx(theirs.cost_usd)


def slowly(events: list[Event]) -> list[dict[str, float]]:
    """The scores behind each candidate by the definition: the mean of what stands before its step."""
    found: list[dict[str, float]] = []
    for event in events:
        if event.kind != "step":
            continue
        [candidate] = event.body["candidates"]  # type: ignore[misc]
        values: dict[str, list[float]] = {}
        for other in events:
            is_cell = other.kind == "rollout" and other.body["split"] == "dev" and other.body["score"]
            if is_cell and other.position < event.position and other.body["prompt"] == candidate["prompt"]:
                values.setdefault(other.body["example"], []).append(other.body["score"][0])  # type: ignore[index,arg-type]
        found.append({example: sum(some) / len(some) for example, some in values.items()})
    return found


def test_scores_come_back_to_the_last_bit(tmp_path: Path) -> None:
    rng = random.Random(0)
    values = [rng.random() / rng.choice((1, 3, 7)) for _ in range(2_500)]
    split: Split = "dev"
    with SqliteStore(tmp_path / "log.db") as store:
        store.append(
            Event(
                position=index,
                kind="rollout",
                body=encode_rollout(
                    Rollout(
                        step=0,
                        split=split,
                        prompt=PROMPTS[0],
                        example_id=str(index),
                        query="",
                        completion=Completion(),
                        score=Score(value=value),
                    )
                ),
            )
            for index, value in enumerate(values)
        )
        assert list(fold(store).scores_of(PROMPTS[0], "dev").values()) == values


def test_an_empty_log_is_an_empty_history(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "log.db") as store:
        found = fold(store)
    assert len(found.trajectory) == 0
    assert (found.curve, dict(found.scores)) == ((), {})

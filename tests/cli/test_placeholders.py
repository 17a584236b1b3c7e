"""Placeholders on the command line: filled or refused before the first call, in every command that takes a prompt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from askwell.api.open import load_policy
from askwell.core.errors import ConfigError
from askwell.core.types import Candidate, Completion, Event, Example, Prompt, Rollout, Score
from askwell.engine.jobs import encode_header
from askwell.runlog.codec import encode_candidate, encode_example, encode_prompt, encode_rollout
from askwell.runlog.store import SqliteStore
from tests.support.harness import invoke

ROWS = [{"text": f"Ticket {number} is open.", "label": "open", "priority": "low"} for number in range(30)]
COMMANDS: dict[str, Callable[[Path], tuple[str | Path, ...]]] = {
    "evaluate": lambda folder: ("evaluate", "--data", folder / "t.jsonl", "--target", "pocket", "--limit", "2"),
    "optimize": lambda folder: (
        "optimize", "--data", folder / "t.jsonl", "--target", "pocket", "--steps", "0", "--runs", folder / "runs",
        "--demos", "none", "--test", "2", "--dev", "2",
    ),
    "plan": lambda folder: ("plan", "--data", folder / "t.jsonl", "--target", "pocket"),
    "check": lambda folder: ("data", "check", "--data", folder / "t.jsonl"),
}  # fmt: skip


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("named", ["{label}", "{{ priority }}"])
def test_another_field_is_refused_before_any_call(command: str, named: str, tickets: Path) -> None:
    run = invoke(*COMMANDS[command](tickets), "--prompt", f"Classify {{text}} by {named}.")
    assert run.status == 2
    assert repr(named) in run.err
    assert "{input}" in run.err
    assert not (tickets / "runs").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("spelled", ["{text}", "{{text}}", "{ input }", "{{ question }}"])
def test_the_question_is_filled_under_any_of_its_names(command: str, spelled: str, tickets: Path) -> None:
    run = invoke(*COMMANDS[command](tickets), "--prompt", f"Classify {spelled} now")
    assert run.status == 0, run.err
    if command == "check":
        assert "Classify Ticket" in run.out
        assert "is open. now" in run.out


def test_a_placeholder_that_names_no_field_is_told(tickets: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = invoke(*COMMANDS["evaluate"](tickets), "--prompt", "Classify in a {tone} voice")
    assert run.status == 0
    assert "'{tone}', which names no field of the data" in caplog.text


@pytest.mark.parametrize("prompt", ["Put it in \\boxed{label}.", 'Reply as {"label": "…"}', "\\frac{1}{2} of it"])
def test_latex_and_json_are_sent_as_they_stand(prompt: str, tickets: Path) -> None:
    run = invoke(*COMMANDS["check"](tickets), "--prompt", prompt)
    assert (run.status, run.err) == (0, "")
    assert prompt in run.out


def test_a_served_prompt_of_an_older_run_is_filled_or_refused(tmp_path: Path) -> None:
    for prompt, said in (("Read {{question}}.", ""), ("Read {topic}.", "'{topic}'")):
        folder = tmp_path / prompt[6:9]
        write_old_run(folder, prompt)
        if said:
            with pytest.raises(ConfigError, match=re.escape(said)):
                load_policy(folder)
        else:
            assert load_policy(folder).prompts_for(["q"])[0].instruction == "Read {input}."


def write_old_run(folder: Path, prompt: str) -> None:
    """Write a run whose prompt was logged as it was given."""
    one, example = Prompt(instruction=prompt), Example(id="e", input="q", target="a", meta={"topic": "t"})
    body = {"step": 0, "candidates": [encode_candidate(Candidate(step=0, prompt=one, score=1.0, n=1))]}
    rollout = Rollout(
        step=0, split="dev", prompt=one, example_id="e", query="q", completion=Completion(text="a"),
        score=Score(value=1.0),
    )  # fmt: skip
    with SqliteStore(folder / "log.db") as store:
        store.append([
            Event(position=0, kind="run", body=encode_header({}, seed=0, settings=None)),
            Event(position=1, kind="example", body=encode_example(example, "dev")),
            Event(position=2, kind="prompt", body=encode_prompt(one)),
            Event(position=3, kind="rollout", body=encode_rollout(rollout)),
            Event(position=4, kind="step", body=body),
        ])  # fmt: skip

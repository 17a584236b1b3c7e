"""Replies that cannot be scored, scores that mean little, and servers that change their mind: never in silence."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import askwell
from askwell.core.errors import UnusableReplies
from tests.support.harness import Ended, clean_environment, invoke
from tests.support.harness import askwell as process
from tests.support.servers import ChatServer, chat_server, completion

Habit = Callable[[dict[str, Any]], web.StreamResponse | None]
QUESTIONS = [{"input": f"Is {number} even?", "target": "No" if number % 2 else "Yes"} for number in range(60)]
SPLIT = ("--train", "12", "--dev", "24", "--test", "24", "--steps", "2", "--candidates", "2")


def answering(
    text: str | None, reason: str = "stop", *, generated: int = 512, reasoning: int = 0, **message: Any
) -> Habit:
    """Return a server's habit of giving the same answer to every request."""

    def habit(body: dict[str, Any]) -> web.StreamResponse:
        answer = completion("", body)
        for choice in answer["choices"]:
            choice |= {"finish_reason": reason, "message": {"role": "assistant", "content": text, **message}}
        details = {"completion_tokens_details": {"reasoning_tokens": reasoning}} if reasoning else {}
        answer["usage"] = {"prompt_tokens": 20, "completion_tokens": generated, **details}
        return web.json_response(answer)

    return habit


def always_yes(_messages: list[dict[str, str]]) -> str:
    return "Yes"


TOOL_CALL = [{"id": "c1", "type": "function", "function": {"name": "answer", "arguments": "{}"}}]
UNUSABLE: dict[str, tuple[Habit, str, str]] = {
    "a reasoning model thinks all tokens away": (
        answering("", "length", reasoning=512), "exact",
        "24 of 24 replies were empty and cut at max_tokens=512 (all 512 tokens were reasoning): raise --max-tokens",
    ),
    "the same in a field of its own": (
        answering(None, "length", reasoning_content="Well, first"), "exact",
        "24 of 24 replies were empty and cut at max_tokens=512 (all 512 tokens were reasoning): raise --max-tokens",
    ),
    "calls of tools": (
        answering(None, "tool_calls", generated=9, tool_calls=TOOL_CALL), "exact", "24 of 24 replies were empty: check",
    ),
    "a base model behind ChatML": (
        answering("<|im_end|>\n<", "length"), "exact",
        "24 of 24 replies begin with a token of a chat template ('<|im_end|>')",
    ),
    "a base model that invents a turn": (
        answering("<start_of_turn>user\nIs it?"), "boolean",
        "24 of 24 replies begin with a token of a chat template ('<start_of_turn>')",
    ),
    "cut in the middle": (
        answering("Let us see: an even number is", "length"), "boolean", "24 of 24 replies were cut at max_tokens=512",
    ),
    "nothing that the metric reads": (
        answering("Yes"), "number", "24 of 24 replies hold no answer that the metric `number` reads",
    ),
    "declined": (
        answering(None, "stop", refusal="I can't help with that."), "exact",
        "24 of 24 replies were refused (\"I can't help with that.\")",
    ),
}  # fmt: skip


CHECK = 1
"""The call that checks the model before anything else is paid for."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path)


def write_data(folder: Path, *, numbers: bool = False) -> Path:
    file = folder / "q.jsonl"
    rows = [{**row, "target": str(index)} for index, row in enumerate(QUESTIONS)] if numbers else QUESTIONS
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return file


def optimize(server: ChatServer, data: Path, metric: str, *more: str | Path) -> Ended:
    return invoke(
        "optimize", "--data", data, "--metric", metric, "--target", "openai:tiny", "--base-url", server.base_url,
        "--prompt", "Answer the question.", *SPLIT, "--run", "r", "--runs", data.parent, *more,
    )  # fmt: skip


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_replies_stop_an_optimization(tmp_path: Path, case: str) -> None:
    habit, metric, words = UNUSABLE[case]
    data = write_data(tmp_path, numbers=metric == "number")
    with chat_server(transform=habit) as server:
        stopped = optimize(server, data, metric)
        assert (stopped.status, server.total_requests) == (3, 24 + CHECK), stopped.err
        said = " ".join(stopped.err.split())
        assert words in said
        assert "the reply was" in said
        assert "the target is" in said
        assert "askwell optimize --resume r" in said
        assert "--force" in said

        again = invoke("optimize", "--resume", "r", "--runs", tmp_path)
        assert (again.status, server.total_requests) == (3, 24 + CHECK), again.err

        forced = invoke("optimize", "--resume", "r", "--runs", tmp_path, "--force")
        assert forced.status == 0, forced.err
        assert " ".join((forced.err + forced.out).split()).count("the reply was") == 1, "told once"
        first_prompt = [body for body in server.requests if "Answer the question." in body]
        assert max(server.requests[body] for body in first_prompt) == 1, "no call is paid twice"


def test_evaluate_warns_and_counts(data: Path) -> None:
    for case, (habit, metric, words) in UNUSABLE.items():
        if metric == "number":
            continue
        with chat_server(transform=habit) as server:
            flags = ("--data", data, "--limit", "24", "--metric", metric, "--target", "openai:tiny")
            flags = ("evaluate", *flags, "--base-url", server.base_url, "--prompt", "A")
            found = invoke(*flags)
            machine = invoke(*flags, "--json")
        said = " ".join(found.out.split())
        assert found.status == 0, case
        assert f"Warning: {words}" in said, case
        assert "The score of always answering 'Yes': 50.0." in said, case
        assert f"Graded by the metric `{metric}`." in said, case
        (prompt,) = machine.json["prompts"]
        assert sum(prompt["outcomes"].values()) == 24, case
        assert prompt["findings"][0]["stops"], case
        assert machine.json["metric"] == metric, case
        assert machine.json["commonest"] == {"target": "Yes", "score": 0.5}, case


def test_a_stopped_run_tells_why_wherever_it_is_shown(data: Path, tmp_path: Path) -> None:
    habit, metric, words = UNUSABLE["a reasoning model thinks all tokens away"]
    with chat_server(transform=habit) as server:
        optimize(server, data, metric)
    shown = invoke("show", "r", "--runs", tmp_path)
    text = " ".join(shown.out.split())
    assert words in text
    assert "Outcomes of the calls: 24 truncated on dev." in text
    assert "--resume r" in text
    assert text.endswith("--force")
    machine = invoke("show", "r", "--runs", tmp_path, "--json").json
    assert machine["findings"][0]["kind"] == "empty"
    assert machine["outcomes"]["initial"]["dev"]["truncated"] == 24
    for form in ("html", "md"):
        assert invoke("report", "r", "--runs", tmp_path, "--format", form).status == 0
        page = (tmp_path / "r" / f"report.{form}").read_text(encoding="utf-8")
        assert "24 of 24 replies were empty and cut at max" in page
        assert "24 truncated" in page


@pytest.mark.slow
def test_as_processes(data: Path, tmp_path: Path) -> None:
    with chat_server(transform=UNUSABLE["a base model behind ChatML"][0]) as server:
        flags = ("optimize", "--data", data, "--target", "openai:tiny", "--base-url", server.base_url, *SPLIT)
        stopped = process(*flags, "--run", "r", cwd=tmp_path, env=clean_environment())
        assert stopped.status == 3, stopped.err
        assert "Traceback" not in stopped.err
        config = tmp_path / "run.toml"
        config.write_text("[run]\nforce = true\n", encoding="utf-8")
        forced = process(flags[0], config, *flags[1:], "--run", "s", "--json", cwd=tmp_path, env=clean_environment())
        assert forced.status == 0, forced.err
        assert forced.json["findings"][0]["kind"] == "template"


def call_python(server: ChatServer, folder: Path, **more: Any) -> askwell.Result:
    given: dict[str, Any] = {
        "prompt": "Answer the question.",
        "data": QUESTIONS,
        "target": {"model": "openai:tiny", "base_url": server.base_url},
        "loop": askwell.LoopSettings(steps=1),
        "run": folder / "r",
        **more,
    }
    return askwell.optimize(**given)


def test_python_stops_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    habit, metric, words = UNUSABLE["the same in a field of its own"]
    with chat_server(transform=habit) as server:
        with pytest.raises(askwell.UnusableReplies) as stop:
            call_python(server, tmp_path, metric=metric)
        said = words.replace("24 of 24", "12 of 12")
        assert said in str(stop.value)
        assert isinstance(stop.value, UnusableReplies)
        assert server.total_requests == 12 + CHECK
        result = call_python(server, tmp_path, metric=metric, force=True)
        first_prompt = [body for body in server.requests if "Answer the question." in body]
        assert max(server.requests[body] for body in first_prompt) == 1
    assert [finding.kind for finding in result.findings] == ["empty"]
    assert said in caplog.text


def test_python_evaluates(caplog: pytest.LogCaptureFixture) -> None:
    with chat_server(transform=answering("<|im_end|>\n<")) as server:
        target = {"model": "openai:tiny", "base_url": server.base_url}
        (found,) = askwell.evaluate("Answer.", data=QUESTIONS, target=target)
    assert found.outcomes.total == 60
    assert found.findings[0].kind == "template"
    assert found.commonest is not None
    assert found.commonest.score == 0.5
    assert "60 of 60 replies begin with a token of a chat template" in caplog.text


def test_a_function_that_is_always_0_is_told_and_never_stops(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def wrong(reply: str, example: askwell.Example) -> float:
        return float(reply == str(example))

    with chat_server(reply=always_yes) as server:
        result = call_python(server, tmp_path, metric=wrong)
    (finding,) = result.findings
    assert (finding.kind, finding.stops) == ("zero", False)
    assert "`exact` would score" in finding.advice
    assert "score 0 by the metric `wrong`" in caplog.text


def test_a_label_within_a_sentence_names_the_metric_that_reads_it(tmp_path: Path) -> None:
    labels = ["billing", "shipping", "account", "refund"]
    file = tmp_path / "q.jsonl"
    rows = [{"input": f"Ticket {index}", "target": labels[index % 4]} for index in range(60)]
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")

    def reply(messages: list[dict[str, str]]) -> str:
        number = int((re.findall(r"\d+", messages[-1]["content"]) or ["0"])[0])
        return f"I think this ticket is about {labels[number % 4]}. Let me know if you need more."

    with chat_server(reply=reply) as server:
        found = optimize(server, file, "exact")
    said = " ".join((found.err + found.out).split())
    assert found.status == 0
    assert "all 24 replies score 0 by the metric `exact`" in said
    assert "`label` would score 100.0 on the same replies: grade by it (--metric label)" in said
    assert "Graded by the metric `exact`: 4 different targets in 60 examples." in said
    assert said.count("I think this ticket") == 1, "told once"


def test_good_replies_cause_no_word_of_warning(data: Path) -> None:
    def reply(messages: list[dict[str, str]]) -> str:
        number = int((re.findall(r"\d+", messages[-1]["content"]) or ["0"])[0])
        return "Yes" if number % 2 == 0 else "No"

    with chat_server(reply=reply) as server:
        found = optimize(server, data, "exact")
    assert found.status == 0
    assert "Warning" not in found.err + found.out
    assert "Outcomes of the calls: 24 ok on dev, 24 ok on test." in found.out


class TestAskedAgain:
    def evaluate(self, server: ChatServer, data: Path, *more: str | Path) -> Ended:
        return invoke(
            "evaluate", "--data", data, "--target", "openai:tiny", "--base-url", server.base_url, "--prompt", "A",
            "--prompt", "B", *more,
        )  # fmt: skip

    def test_a_server_that_changes_its_mind_is_told(self, data: Path) -> None:
        asked: Counter[str] = Counter()

        def reply(messages: list[dict[str, str]]) -> str:
            question = messages[-1]["content"]
            asked[question] += 1
            return "Yes" if asked[question] == 1 else "No" if "1" in question else "yes"

        with chat_server(reply=reply) as server:
            found = self.evaluate(server, data, "--ask-twice", "12")
        assert server.total_requests == 132
        said = " ".join(found.out.split())
        assert "Asked again at temperature 0: 12 of 12 replies differ, and " in said
        assert "set target.repeats above 1" in said

    def test_a_server_that_does_not_is_told_too(self, data: Path, tmp_path: Path) -> None:
        with chat_server(reply=always_yes) as server:
            flags = ("--ask-twice", "500", "--run", "e", "--runs", tmp_path, "--limit", "5", "--json")
            found = self.evaluate(server, data, *flags)
            again = self.evaluate(server, data, *flags)
        assert server.total_requests == 20, "answered calls are kept"
        for ended in (found, again):
            parts = [prompt["asked_again"] for prompt in ended.json["prompts"]]
            assert parts == [{"asked": 5, "replies_differ": 0, "scores_differ": 0}] * 2

    def test_nothing_is_asked_again_unless_asked_for(self, data: Path) -> None:
        with chat_server(reply=always_yes) as server:
            found = self.evaluate(server, data)
        assert server.total_requests == 120
        assert "Asked again" not in found.out
        with chat_server() as server:
            refused = self.evaluate(server, data, "--ask-twice", "-1")
        assert refused.status == 2
        assert "ask_twice" in refused.err

    def test_python(self) -> None:
        calls = 0

        def target(text: str) -> str:
            nonlocal calls
            calls += 1
            return "Yes" if calls <= 60 else "No"

        (found,) = askwell.evaluate("A", data=QUESTIONS, target=target, ask_twice=10)
        assert found.asked_again is not None
        assert (found.asked_again.asked, found.asked_again.replies_differ) == (10, 10)
        assert found.asked_again.scores_differ == 10

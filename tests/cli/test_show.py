"""`askwell show` of an optimization and of an evaluation: what is wrong, single calls, no test example unasked."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import askwell
from tests.support.command_line import call, flat
from tests.support.optimizations import optimizer

QUESTIONS = {"dev": "Which queue takes DEV-{}?", "train": "Which queue takes TRAIN-{}?", "test": "Who takes TEST-{}?"}
SPLITS = {
    split: [{"input": form.format(number), "target": f"queue-{split}-{number}"} for number in range(30)]
    for split, form in QUESTIONS.items()
}


def answer(text: str) -> str:
    """Answer every third question right, and two thirds of them if the prompt says "Add"."""
    found = re.search(r"(DEV|TRAIN|TEST)-(\d+)", text)
    assert found is not None
    number = int(found[2])
    is_right = number % 3 == 0 or ("Add" in text and number % 3 == 1)
    return f"I would send it to queue-{found[1].lower()}-{number if is_right else 99}\nas soon as possible."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    askwell.optimize(
        prompt="Think.", data=SPLITS, target=answer, optimizer_model=optimizer, metric="contains", run=runs / "run",
        optimizer="gpo", settings={"embedder": "lexical"}, loop=askwell.LoopSettings(steps=1, seed=0),
    )  # fmt: skip
    askwell.evaluate(
        ["Think.", "Add.", "Guess."], data=SPLITS["dev"], target=answer, metric="contains", run=runs / "scores"
    )
    askwell.evaluate(["Think."], data=SPLITS["test"], target=answer, metric="contains", run=runs / "alone")
    return runs


def show(folder: Path, *arguments: str) -> Any:
    shown = call("show", *arguments, "--runs", folder, "--json")
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.stdout)


def test_the_report_ends_with_what_is_still_wrong(folder: Path) -> None:
    shown = call("show", "run", "--runs", folder)
    assert "Still wrong: 10 of 30 dev examples score below 100, worst first." in flat(shown)
    for heading in ("question", "reply", "read", "expected"):
        assert heading in shown.output
    wrong = show(folder, "run")["still_wrong"]
    assert (wrong["count"], wrong["of"], len(wrong["examples"])) == (10, 30, 10)
    first = wrong["examples"][0]
    assert "DEV-" in first["input"]
    assert first["reply"].startswith("I would send it to queue-dev-99\n")
    assert (first["read"], first["score"]) == (f"({first['target']!r} does not occur)", 0.0)
    assert show(folder, "run", "--call", first["call"])[0]["example"] == first["example"]
    assert "TEST-" not in json.dumps(wrong) + shown.output


CALLS_WITHOUT_TEST = [
    ("run",), ("run", "--json"), ("run", "--calls"), ("run", "--calls", "--json"), ("run", "--diff"),
    ("run", "--prompt"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", CALLS_WITHOUT_TEST)
def test_no_test_example_is_shown_unasked(folder: Path, arguments: tuple[str, ...]) -> None:
    shown = call("show", *arguments, "--runs", folder)
    assert shown.exit_code == 0, shown.output
    assert "TEST-" not in shown.output
    assert "queue-test" not in shown.output


@pytest.mark.parametrize("form", ["html", "md"])
def test_no_test_example_is_on_the_page(folder: Path, form: str, tmp_path: Path) -> None:
    assert call("report", "run", "--runs", folder, "--format", form, "-o", tmp_path / "page").exit_code == 0
    page = (tmp_path / "page").read_text(encoding="utf-8")
    assert "TEST-" not in page
    assert "10 of 30 dev examples score below 100" in page.replace("\\", "")
    assert page.count("DEV-") >= 10


def test_test_calls_are_shown_with_a_flag(folder: Path) -> None:
    assert {view["split"] for view in show(folder, "run", "--calls")} == {"dev"}
    asked = show(folder, "run", "--calls", "--test")
    assert {view["split"] for view in asked} == {"dev", "test"}
    example = next(view["example"] for view in asked if view["split"] == "test")
    for call_id in (f"best:{example}", f"initial:{example}", f"best:{example}:0"):
        refused = call("show", "run", "--runs", folder, "--call", call_id)
        assert refused.exit_code == 2
        assert f"the example {example!r} is in the test split" in flat(refused)
        assert "add --test" in flat(refused)
        assert "TEST-" not in refused.output
        [view] = show(folder, "run", "--call", call_id, "--test")
        assert view["split"] == "test"
    refused = call("show", "run", "--runs", folder, "--call", "best:nothing")
    assert example not in refused.output


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_calls_show_question_and_reply_cut_to_the_width(
    folder: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = call("show", "run", "--runs", folder, "--calls").output.splitlines()
    assert max(map(len, lines)) <= columns
    rows = [line for line in lines if "best:" in line]
    assert len(rows) == 20, "one line for each call"
    assert all("Which" in row and "I w" in row for row in rows)
    assert rows[0].split()[0].startswith("best:"), "the id is whole: it is a value of --call"
    assert "('qu" in rows[0], "what `contains` read of a wrong reply"
    assert any("10 more calls; --json lists all" in line for line in lines)
    found = show(folder, "run", "--call", rows[0].split()[0])
    assert len(found) == 1


def test_an_evaluation_is_shown_as_its_table_of_prompts(folder: Path) -> None:
    shown = call("show", "scores", "--runs", folder)
    assert shown.exit_code == 0, shown.output
    for words in (
        "minus the first", "Think.", "Add.", "Guess.", "33.3", "66.7", "+33.3", "Outcomes of prompt 2: 30 ok.",
        "Graded by the metric `contains`", "Target: 90 calls",
    ):  # fmt: skip
        assert words in flat(shown), words
    values = show(folder, "scores")
    assert (values["run"], values["kind"], values["metric"], values["missing"]) == (
        "scores",
        "evaluation",
        "contains",
        0,
    )
    assert [prompt["prompt"] for prompt in values["prompts"]] == ["Think.", "Add.", "Guess."]
    assert [prompt["difference"] and prompt["difference"]["n"] for prompt in values["prompts"]] == [None, 30, 30]
    assert values["prompts"][1]["outcomes"]["ok"] == 30
    assert values["spend"]["target"]["calls"] == 90


def test_a_shown_evaluation_equals_what_the_run_returned(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"data": SPLITS["train"], "target": answer, "metric": "f1"}
    returned = askwell.evaluate(["Think.", "Add."], run=tmp_path / "a", **arguments)
    shown = show(tmp_path, "a")["prompts"]
    for evaluation, prompt in zip(returned, shown, strict=True):
        assert prompt["score"]["low"] == evaluation.score.low
        high = prompt["difference"] and prompt["difference"]["high"]
        assert high == (evaluation.difference and evaluation.difference.high)


def test_the_calls_of_an_evaluation_are_those_of_all_its_prompts(folder: Path) -> None:
    listed = show(folder, "scores", "--calls")
    assert len(listed) == 90
    values = [view["score"] for view in listed]
    assert values == sorted(values)
    output = call("show", "scores", "--runs", folder, "--calls").output
    assert "Calls of all prompts" in output
    assert "70 more calls" in output
    assert "--test" not in output, "an evaluation holds nothing out"
    shown_id = next(line.split()[0] for line in output.splitlines() if "Which" in line)
    assert len(show(folder, "scores", "--call", shown_id)) == 1
    example = listed[0]["example"]
    prompts = [
        show(folder, "scores", "--call", f"{name}:{example}")[0]["cell"].split(":")[0] for name in ("initial", "best")
    ]
    assert prompts == [prompt["id"] for prompt in show(folder, "scores")["prompts"][:2]]
    assert len(show(folder, "alone", "--calls")) == 30


@pytest.mark.parametrize(
    "arguments", [("show", "scores", "--prompt"), ("show", "scores", "--diff"), ("export", "scores")]
)
def test_an_evaluation_has_no_winner(folder: Path, arguments: tuple[str, ...]) -> None:
    refused = call(*arguments, "--runs", folder)
    assert refused.exit_code == 2
    assert "'scores' is an evaluation, which chooses no prompt; askwell show scores" in flat(refused)


@pytest.mark.parametrize("form", ["html", "md"])
def test_an_evaluation_has_a_page(folder: Path, form: str, tmp_path: Path) -> None:
    for run, words in (
        ("scores", ["Of 3 prompts, prompt 2 has the highest score: 66.7", "+33.3", "30 ok", "Guess.", "33.3"]),
        ("alone", ["The prompt scores 33.3", "on 30 examples", "30 ok"]),
    ):
        written = call("report", run, "--runs", folder, "--format", form, "-o", tmp_path / run)
        assert written.exit_code == 0, written.output
        page = (tmp_path / run).read_text(encoding="utf-8")
        for word in words:
            assert word in page, word

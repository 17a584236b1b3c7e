"""What the command line tells about the data: copies, contradictions, few examples, the metric; and what it refuses."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

import askwell
from askwell.core.errors import DataError
from tests.support.command_line import call, flat

COPIES = "10 of 30 rows repeat the question and the target of an earlier row"
CONTRADICTIONS = "10 questions have rows with different targets"


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    lines = (json.dumps({"question": question, "answer": answer}) for question, answer in rows)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def contradicting(tmp_path: Path) -> Path:
    """10 questions with the targets 0, 1 and 0 again."""
    return write(tmp_path / "dup.jsonl", [(f"What is number {n}?", target) for target in "010" for n in range(10)])


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write(tmp_path / "clean.jsonl", [(f"What is {n} + {n}?", str(2 * n)) for n in range(60)])


def test_data_check_says_what_was_dropped_and_what_contradicts(contradicting: Path) -> None:
    shown = flat(call("data", "check", "--data", contradicting, "--metric", "number"))
    assert COPIES in shown
    assert "were left out" in shown
    assert CONTRADICTIONS in shown
    facts = json.loads(call("data", "check", "--data", contradicting, "--metric", "number", "--json").output)
    assert (facts["rows read"], facts["copies"], facts["questions with different targets"]) == (30, 10, 10)
    assert facts["metric"] == "number"
    assert len(facts["warnings"]) == 3
    assert sum(facts["train/dev/test"]) == 20


def test_plan_and_optimize_say_it_once(contradicting: Path, tmp_path: Path) -> None:
    given = (
        "--data",
        contradicting,
        "--metric",
        "number",
        "--target",
        "openai:x",
        "--base-url",
        "http://127.0.0.1:9/v1",
    )
    shown = call("plan", *given)
    assert flat(shown).count(CONTRADICTIONS) == 1
    assert "askwell: warning: 10 of 30 rows" in shown.stderr
    assert len(json.loads(call("plan", *given, "--json").output)["warnings"]) == 3
    ended = call("optimize", *given, "--runs", tmp_path, "--max-attempts", 1, "--steps", 1)
    assert flat(ended).count(CONTRADICTIONS) == 1


def test_evaluate_says_that_copies_count(contradicting: Path) -> None:
    ended = call(
        "evaluate", "--prompt", "x", "--data", contradicting, "--metric", "number", "--target", "openai:x",
        "--base-url", "http://127.0.0.1:9/v1", "--max-attempts", 1,
    )  # fmt: skip
    assert f"{COPIES} and are kept, so that their questions count more than once" in flat(ended)


def test_clean_data_have_no_warning(clean: Path) -> None:
    checked = call("data", "check", "--data", clean, "--metric", "number")
    assert "warning" not in checked.output
    assert checked.exit_code == 0


@pytest.mark.parametrize(("n", "warned"), [(3, True), (10, True), (36, True), (40, False)])
def test_few_examples_are_told(tmp_path: Path, n: int, warned: bool) -> None:
    path = write(tmp_path / "few.jsonl", [(f"What is {n} + {n}?", str(2 * n)) for n in range(n)])
    assert ("too few to learn from" in flat(call("data", "check", "--data", path))) == warned


def test_python_logs_the_warnings(contradicting: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        askwell.plan(data=str(contradicting), target=str.upper, metric="number")
    assert any(COPIES in message for message in caplog.messages)
    assert any("only 4 dev and 12 test examples" in message for message in caplog.messages)


def test_a_function_that_finds_no_target_right_is_told(clean: Path, caplog: pytest.LogCaptureFixture) -> None:
    def never(reply: str, target: str) -> float:
        return float(reply == target + " ")

    def failing(reply: str, target: str) -> float:
        return float(json.loads(reply)["answer"] == target)

    for metric, words in ((never, "metric 'never' gives 0 for the reply"), (failing, "the metric fails for a target")):
        caplog.clear()
        askwell.plan(data=str(clean), target=str.upper, metric=metric)
        assert any(words in message for message in caplog.messages)
    caplog.clear()
    askwell.plan(data=str(clean), target=str.upper, metric=str.__eq__)
    assert not caplog.messages


def test_labels_have_an_advice(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.jsonl", [(f"Ticket {n}", f"label {n % 5}") for n in range(50)])
    assert "5 labels: --metric label finds one of them" in flat(call("data", "check", "--data", path))
    assert "advice" not in call("data", "check", "--data", path, "--metric", "contains").output


def test_the_default_metric_is_named(clean: Path) -> None:
    facts = json.loads(call("data", "check", "--data", clean, "--json").output)
    assert facts["metric"] == "exact"
    assert "advice" not in facts


def test_targets_that_look_like_lists_are_told(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    path.write_text("question,answer\n" + "".join(f'q{n},"[""x"", ""y{n}""]"\n' for n in range(40)), encoding="utf-8")
    assert "40 of 40 targets look like a JSON list" in flat(call("data", "check", "--data", path))
    checked = call("data", "check", "--data", path, "--field", "input=question", "--field", "target=answer[]")
    assert "JSON list" not in checked.output


@pytest.mark.parametrize(
    ("metric", "target", "message"),
    [
        ("boolean", "unknown", "target 'unknown'"), ("yesno", "perhaps", "perhaps"), ("number", "many", "many"),
        ("brackets", "abc", "abc"), ("regex", "(", "regular expression"),
    ],
)  # fmt: skip
def test_a_target_that_the_metric_cannot_read_is_named_with_file_and_row(
    tmp_path: Path, metric: str, target: str, message: str
) -> None:
    good = {"boolean": "yes", "yesno": "no", "number": "5", "brackets": "] )", "regex": "a+"}[metric]
    rows = [(f"question {n}?", good if n != 7 else target) for n in range(20)]
    path = write(tmp_path / "rows.jsonl", rows)
    for arguments in (("data", "check"), ("plan", "--target", "openai:x")):
        ended = call(*arguments, "--data", path, "--metric", metric, "--train", 6, "--dev", 6, "--test", 8)
        assert ended.exit_code == 2
        assert "rows.jsonl: row 8 (id " in flat(ended)
        assert "question 'question 7?'" in flat(ended)
        assert message in flat(ended)
    with pytest.raises(DataError, match=r"rows\.jsonl: row 8"):
        askwell.evaluate("x", data=str(path), target=str.upper, metric=metric)


SIZES = [
    ("1.5", False),
    ("2.9", False),
    ("-1", False),
    ("nan", False),
    ("inf", False),
    ("1", True),
    ("1.0", True),
    ("0.2", True),
]


@pytest.mark.parametrize(("size", "is_valid"), SIZES)
@pytest.mark.parametrize("part", ["train", "dev", "test"])
def test_sizes_of_splits(clean: Path, tmp_path: Path, part: str, size: str, is_valid: bool) -> None:
    config = tmp_path / "run.toml"
    config.write_text(f"[task]\ndata = {str(clean)!r}\nmetric = 'number'\n[split]\n{part} = {size}\n", encoding="utf-8")
    for arguments in (("--data", clean, f"--{part}", size, "--metric", "number"), (config,)):
        checked = call("data", "check", *arguments, "--json")
        if is_valid:
            sizes = json.loads(checked.output)["train/dev/test"]
            assert sizes[["train", "dev", "test"].index(part)] == (12 if size == "0.2" else 1)
        else:
            assert checked.exit_code == 2
            assert f"split.{part} is" in checked.output
            assert "expected a share between 0 and 1, or a whole number of examples" in flat(checked)


def test_a_bundled_task_takes_numbers_only() -> None:
    refused = call("data", "check", "--data", "pocket:numbers_even", "--train", 0.2)
    assert refused.exit_code == 2
    assert "split.train is 0.2; a bundled task takes numbers of examples" in flat(refused)


@pytest.mark.parametrize("command", ["data check", "plan", "optimize", "evaluate"])
@pytest.mark.parametrize("content", ["\ufeffSay it.\n", "  Say it.", "Say it."])
def test_a_prompt_file_is_read_without_its_byte_order_mark(
    clean: Path, tmp_path: Path, command: str, content: str
) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text(content, encoding="utf-8")
    given: list[Any] = ["--prompt-file", file, "--data", clean, "--metric", "number"]
    if command == "data check":
        assert call("data", "check", *given).output.endswith("?\nSay it.\n")
        return
    given += ["--target", "openai:x", "--base-url", "http://127.0.0.1:9/v1", "--max-attempts", 1]
    ended = call(command, *given, *(() if command == "evaluate" else ("--runs", tmp_path)))
    assert "prompt file" not in ended.output


@pytest.mark.parametrize("command", ["data check", "plan", "optimize", "evaluate"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Say it.".encode("utf-16"), "UTF-16, not UTF-8; save the file as UTF-8"),
        (b"caf\xe9", r"not UTF-8 (byte b'\xe9'"),
        (None, "No such file"),
    ],
)
def test_a_prompt_file_that_cannot_be_read_is_named(
    clean: Path, tmp_path: Path, command: str, content: bytes | None, message: str
) -> None:
    file = tmp_path / "prompt.txt"
    if content is not None:
        file.write_bytes(content)
    target = () if command == "data check" else ("--target", "openai:x")
    refused = call(*command.split(), "--prompt-file", file, "--data", clean, *target)
    assert refused.exit_code == 2
    assert "cannot read the prompt file" in flat(refused)
    assert message in flat(refused)


def test_a_prompt_and_a_prompt_file_exclude_each_other(clean: Path, tmp_path: Path) -> None:
    refused = call("plan", "--data", clean, "--target", "openai:x", "--prompt", "a", "--prompt-file", tmp_path / "p")
    assert (refused.exit_code, "--prompt and --prompt-file" in refused.output) == (2, True)


@pytest.mark.parametrize(
    ("mark", "encoding", "message"),
    [("\ufeff", "utf-8", ""), ("", "utf-16", "UTF-16, not UTF-8"), ("# ñ\n", "latin-1", "not UTF-8 (byte")],
)
def test_a_config_with_a_byte_order_mark_or_another_encoding(
    clean: Path, tmp_path: Path, mark: str, encoding: str, message: str
) -> None:
    config = tmp_path / "run.toml"
    config.write_bytes(f"{mark}[task]\ndata = {str(clean)!r}\n".encode(encoding))
    checked = call("data", "check", config)
    assert checked.exit_code == (2 if message else 0)
    assert message in flat(checked)

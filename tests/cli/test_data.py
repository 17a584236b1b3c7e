"""`askwell data`: lists what is there, shows one, and checks a data set without asking any model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from askwell.api.build_task import build_evaluation_task, build_task, infer_answer_type
from askwell.api.config_file import parse_config
from askwell.cli.main import main
from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["data", *arguments])


def rows(n: int) -> str:
    return "".join(json.dumps({"question": f"What is {i} + {i}?", "answer": str(2 * i)}) + "\n" for i in range(n))


def test_the_list_holds_benchmarks_and_bundled_tasks() -> None:
    listed = {row["data"]: row for row in json.loads(run("list", "--json").output)}
    assert listed["bench:bbh/navigate"]["sizes"] == [48, 48, 144]
    assert listed["bench:gsm8k"]["metric"] == "number"
    assert "pocket:numbers_even" in listed
    assert "bench:gsm8k" in run("list", "gsm").output


def test_a_benchmark_is_shown_with_or_without_its_prefix() -> None:
    assert run("show", "bench:svamp").output == run("show", "svamp").output
    assert json.loads(run("show", "wsc", "--json").output)["train/dev/test"] == [50, 50, 150]


def test_check_says_what_a_run_would_see(tmp_path: Path) -> None:
    path = tmp_path / "sums.jsonl"
    path.write_text(rows(50))
    found = run("check", "--data", str(path), "--metric", "number", "--prompt", "Add them.", "--json")
    facts = json.loads(found.output)
    assert facts["train/dev/test"] == [10, 10, 30]
    assert facts["targets that the metric grades right"] == "50 of 50"
    assert "Add them." in run("check", "--data", str(path), "--metric", "number", "--prompt", "Add them.").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "gsm9k"], "did you mean 'gsm8k'"),
        (["check"], "no data"),
        (["check", "--data", "nowhere.jsonl"], "nowhere.jsonl"),
        (["check", "--data", "pocket:numbers_evn"], "unknown pocket task 'numbers_evn'"),
    ],
)
def test_wrong_names_end_with_status_2_and_a_hint(arguments: list[str], words: str) -> None:
    found = run(*arguments)
    assert found.exit_code == 2
    assert words in found.output


def test_a_bundled_task_is_split_and_graded_by_itself() -> None:
    task = build_task(
        parse_config({"task": {"data": "pocket:numbers_even"}, "split": {"train": 5, "dev": 6, "test": 7}})
    )
    assert [len(task.splits[part]) for part in ("train", "dev", "test")] == [5, 6, 7]
    example = task.splits["dev"][0]
    assert task.metric(f"The answer is {example.target}.", example).value == 1.0


def test_a_benchmark_is_read_from_its_folder_and_evaluated_on_its_test_split() -> None:
    folder = Path(__file__).parents[1] / "data" / "benchmarks"
    tree = {"task": {"data": "bench:svamp", "folder": str(folder)}, "split": {"train": 1, "dev": 1, "test": 1}}
    config = parse_config(tree)
    [tested] = build_task(config).splits["test"]
    assert [one.input for one in build_evaluation_task(config).splits["test"]] == [tested.input]


def test_an_evaluation_takes_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "sums.jsonl"
    path.write_text(rows(20))
    assert len(build_evaluation_task(parse_config({"task": {"data": str(path)}})).splits["test"]) == 20


def test_files_per_split_and_one_file_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "sums.jsonl"
    path.write_text(rows(4))
    with pytest.raises(ConfigError, match=r"both task\.data and task\.dev"):
        build_task(parse_config({"task": {"data": str(path), "dev": str(path)}}))
    with pytest.raises(ConfigError, match=r"task\.dev is missing"):
        build_task(parse_config({"task": {"train": str(path)}}))
    with pytest.raises(DataError, match="dev split is empty"):
        build_task(parse_config({"task": {"data": str(path)}, "split": {"dev": 0}}))


@pytest.mark.parametrize(
    ("targets", "kind"),
    [(["1", "-2"], "number"), (["Yes", "no"], "boolean"), (["a, b", "c"], "words"), (["left", "right"], "exact")],
)
def test_the_answer_type_follows_the_targets(targets: list[str], kind: str) -> None:
    assert infer_answer_type([Example(id=target, input=target, target=target) for target in targets]) == kind

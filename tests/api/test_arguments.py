"""The arguments of the Python functions: the same names and meanings as on the command line, described once."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, cast

import pytest

import askwell
from askwell.api.arguments import OptimizeArguments, TaskArguments, build_config, build_optimize_config
from askwell.cli.flags import overrides
from askwell.core.errors import ConfigError, DataError
from askwell.models.function import FunctionModel
from askwell.tasks.bundled import task_names

ROWS = [{"body": f"What is {n} + {n}?", "category": str(2 * n), "id": n} for n in range(40)]
FIELDS = {"input": "body", "target": "category"}
SMALL = Path(__file__).parents[1] / "data" / "benchmarks"


def answer(text: str) -> str:
    first = text.split()[2]
    return str(2 * int(first)) if first.isdigit() else "?"


def without(given: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != name}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sums.json"
    path.write_text(json.dumps({"rows": ROWS, "other": [{"a": 1}]}), encoding="utf-8")
    return path


def test_fields_records_and_limit_in_every_function(file: Path) -> None:
    given: dict[str, Any] = {
        "data": str(file),
        "records": "rows",
        "fields": FIELDS,
        "target": answer,
        "metric": "number",
    }
    [scored] = askwell.evaluate("Add.", **given, limit=10)
    assert (scored.score.estimate, scored.score.n) == (1.0, 10)
    expected = askwell.plan(**given, limit=30).models[0].expected.calls
    assert 0 < expected < askwell.plan(**given).models[0].expected.calls
    assert [example.target for example in askwell.load(file, records="rows", fields=FIELDS, limit=2)] == ["0", "2"]
    with pytest.raises(DataError, match=r"set records= to one of"):
        askwell.plan(**without(given, "records"))
    with pytest.raises(DataError, match="can't tell which field is the input"):
        askwell.plan(**without(given, "fields"))


def test_fields_and_limit_for_records_and_for_splits() -> None:
    given: dict[str, Any] = {"fields": FIELDS, "target": answer, "metric": "number"}
    assert askwell.evaluate("Add.", data=ROWS, limit=5, **given)[0].score.n == 5
    splits = {"train": ROWS[:10], "dev": ROWS[10:25], "test": ROWS[25:]}
    assert askwell.plan(data=splits, **given).models[0].expected.calls > 0


@pytest.mark.parametrize("name", ["pocket:numbers_even", f"pocket:{task_names()[0]}+review_sentiment"])
def test_bundled_tasks_by_name(name: str) -> None:
    examples = askwell.load(name)
    assert len(examples) == 240
    assert askwell.load(name, limit=7) == examples[:7]
    assert askwell.load(name, seed=1) != examples
    assert askwell.evaluate("x", data=name, target=answer, limit=3)[0].score.n == 3
    assert askwell.plan(data=name, target="pocket").models[0].expected.calls > 0


def test_benchmarks_by_name() -> None:
    examples = askwell.load("bench:svamp", folder=SMALL / "svamp")
    assert examples
    assert all(example.target for example in examples)
    with pytest.raises(DataError, match="6 different examples are too few for train 100, dev 100, test 300"):
        askwell.evaluate("x", data="bench:gsm8k", data_folder=SMALL, target=answer)


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        ("bench:gsm9k", {}, "did you mean 'gsm8k'"),
        ("pocket:numbers_evn", {}, "unknown pocket task 'numbers_evn'"),
        ("bench:gsm8k", {"fields": FIELDS}, r"'bench:gsm8k' has its own fields"),
        ("pocket:numbers_even", {"records": "rows"}, "has its own fields"),
        ("pocket:numbers_even", {"limit": 0}, "limit is 0"),
        ("bench:gsm8k", {"limit": -1, "folder": SMALL}, "limit is -1"),
    ],
)
def test_a_named_source_refuses_what_it_cannot_take(source: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        askwell.load(source, **arguments)


@pytest.mark.parametrize("urls", ["http://127.0.0.1:1/v1", ["http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"]])
def test_addresses_of_models_by_name(urls: str | list[str]) -> None:
    given: OptimizeArguments = {
        "data": ROWS, "target": "openai:a", "base_url": urls, "optimizer_model": "openai:b",
        "optimizer_model_base_url": "http://127.0.0.1:3/v1",
    }  # fmt: skip
    config = build_optimize_config(given)
    assert config.target.base_url == (urls if isinstance(urls, str) else tuple(urls))
    assert config.optimizer_model.base_url == "http://127.0.0.1:3/v1"
    by_flags = overrides({"base_url": (urls,) if isinstance(urls, str) else tuple(urls), "target": "openai:a"})
    assert by_flags["target.base_url"] == config.target.base_url


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": answer}, r"base_url = 'http://x/v1' is for a model that is given by name"),
        ({"target": FunctionModel(answer)}, "is for a model that is given by name"),
        (
            {"target": {"model": "openai:a", "base_url": "http://y/v1"}},
            r"the model's own 'http://y/v1' are given; give one",
        ),
    ],
)
def test_an_address_for_a_model_that_has_none_or_its_own_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_config(cast("TaskArguments", {"data": ROWS, "base_url": "http://x/v1", **changes}))


FUNCTIONS = [askwell.optimize, askwell.plan, askwell.evaluate, askwell.train]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_signature_shows_every_argument(function: object) -> None:
    parameters = inspect.signature(cast("Any", function)).parameters
    assert {"data", "target", "fields", "records", "limit", "data_folder", "base_url", "metric", "run"} - {
        "run"
    } <= set(parameters)
    assert parameters["data"].default is inspect.Parameter.empty
    assert parameters["limit"].default is not inspect.Parameter.empty
    assert not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_wrong_names_are_refused(function: Any) -> None:
    first = () if function in (askwell.optimize, askwell.plan) else ("x",)
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'metrc'; did you mean 'metric'"):
        function(*first, data=ROWS, target=answer, metrc="exact")
    with pytest.raises(TypeError, match=r"missing a required (keyword-only )?argument: 'target'"):
        function(*first, data=ROWS)
    with pytest.raises(ConfigError, match="preset= is called optimizer= now"):
        function(*first, data=ROWS, target=answer, preset="gpo")
    with pytest.raises(ConfigError, match="optimizer_base_url= is called optimizer_model_base_url= now"):
        function(*first, data=ROWS, target=answer, optimizer_base_url="http://x")


@pytest.mark.parametrize("prompts", [[None], ["a", 5], [["a"]]])
def test_a_prompt_that_is_no_text_is_named(prompts: Any) -> None:
    with pytest.raises(ConfigError, match=r"prompt \d is .*; expected a text"):
        askwell.evaluate(prompts, data=ROWS, fields=FIELDS, target=answer)
    with pytest.raises(ConfigError, match="prompt = "):
        askwell.plan(prompt=prompts, data=ROWS, fields=FIELDS, target=answer)


def test_the_package_lists_its_own_names_only() -> None:
    assert {name for name in dir(askwell) if not name.startswith("__")} == set(askwell.__all__)

"""Settings: files and flags, frozen, and every typo refused with the nearest name."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import FrozenInstanceError, fields
from itertools import pairwise
from pathlib import Path

import pytest

from askwell.api.config import (
    Config,
    ModelConfig,
    OptimizerConfig,
    PolicyConfig,
    RunConfig,
    SplitConfig,
    TargetConfig,
    TaskConfig,
)
from askwell.api.config_file import parse_config, read_config
from askwell.core.errors import ConfigError
from askwell.core.renamed import KEY_VALUES, KEYS
from askwell.engine.budget import Caps
from askwell.engine.evaluator import Sampling
from askwell.engine.loop import LoopSettings


def test_flags_win_over_the_file_and_none_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('prompt = "a"\n[target]\nmodel = "pocket"\nconcurrency = 3\n')
    config = read_config(path, {"target.concurrency": 9, "target.timeout_s": None, "run.seed": 4})
    assert (config.prompt, config.target.model, config.target.concurrency) == ("a", "pocket", 9)
    assert (config.target.timeout_s, config.run.seed) == (60.0, 4)


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"targett": {}}, r"unknown key 'targett'; did you mean 'target'\?"),
        ({"target": {"temprature": 1}}, r"unknown key 'target.temprature'; did you mean 'temperature'\?"),
        ({"run": {"steps": -1}}, r"run\.steps is -1; expected at least 0"),
        ({"target": {"concurrency": "many"}}, r"target\.concurrency = 'many': .*integer"),
        ({"target": {"repeats": 0}}, r"target\.repeats is 0; expected at least 1"),
        ({"run": {"max_missing": 2}}, r"run\.max_missing is 2"),
        ({"racing": {"price": "low"}}, r"racing\.price = 'low': .*number"),
        ({"racing": {"methd": "full"}}, r"did you mean 'method'\?"),
        ({"policy": {"acquisiton": "uniform"}}, r"did you mean 'acquisition'\?"),
        ({"policy": {"loops": 0}}, r"policy\.loops is 0"),
        ({"policy": {"seed": 1}}, r"unknown key 'policy.seed'"),
        ({"demos": {"choice": "nearst"}}, r"did you mean 'nearest'"),
        ({"budget": {"max_usd": 0}}, r"budget\.max_usd is 0"),
        ({"optimizer": {"model": "editor"}}, r"optimizer_model\.model"),
        ({"optimizer": {"base_url": "http://x"}}, r"optimizer_model\.base_url"),
        ({"optimizer": {"name": "openai:m"}}, r"optimizer\.name = 'openai:m' is a model: give it as optimizer_model"),
        ({"objects": {}}, r"unknown key 'objects'"),
    ],
)
def test_a_wrong_setting_is_told_by_key_value_and_remedy(tree: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config(tree)


@pytest.mark.parametrize("old", KEYS)
def test_an_old_key_is_refused_with_its_new_name(old: str) -> None:
    section, _, key = old.partition(".")
    with pytest.raises(ConfigError, match=re.escape(KEYS[old])):
        parse_config({section: {key: 1} if key else {}})


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in KEY_VALUES.items() for value in values])
def test_an_old_value_is_refused_with_its_new_name(key: str, value: str) -> None:
    section, _, name = key.partition(".")
    with pytest.raises(ConfigError, match=f"called '{KEY_VALUES[key][value]}' now"):
        parse_config({section: {name: value}})


@pytest.mark.parametrize(
    ("content", "words"), [(None, "no config file"), ("prompt = ", "not valid TOML"), (b"\xff\xfe", "cannot read")]
)
def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path: Path, content: str | bytes | None, words: str) -> None:
    path = tmp_path / "c.toml"
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        read_config(path, {})
    assert re.search(r"c\.toml", str(caught.value))


def test_a_config_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().target.concurrency = 5  # type: ignore[misc]


def test_identity_holds_what_decides_the_result_and_nothing_that_does_not() -> None:
    sections = ("target", "run")
    base = parse_config({"target": {"model": "openai:m"}})
    faster = parse_config({
        "target": {"model": "openai:m", "concurrency": 500, "timeout_s": 1, "base_url": "http://other:1/v1"},
        "run": {"name": "x", "folder": "elsewhere"},
    })  # fmt: skip
    hotter = parse_config({"target": {"model": "openai:m", "temperature": 1.0}})
    assert base.identity(sections) == faster.identity(sections)
    assert base.identity(sections) != hotter.identity(sections)


def test_the_sections_of_a_config_are_a_file_again() -> None:
    config = parse_config({
        "target": {"model": "openai:m", "base_url": ["http://a:1/v1", "http://b:1/v1"], "repeats": 3},
        "optimizer": {"name": "gpo", "candidates": 4},
        "racing": {"method": "full"},
        "policy": {"method": "qpo", "acquire": 9, "sources": ["a.jsonl"]},
        "budget": {"max_calls": 5},
    })  # fmt: skip
    assert parse_config(config.tree()) == config


@pytest.mark.parametrize(
    "section",
    [TaskConfig, SplitConfig, ModelConfig, TargetConfig, OptimizerConfig, PolicyConfig, RunConfig, Caps, LoopSettings],
)
def test_every_setting_says_what_it_is(section: type) -> None:
    documented = {name for kind in section.__mro__[:-1] for name in _documented(kind)}
    undocumented = {one.name for one in fields(section)} - documented - {one.name for one in fields(Sampling)}
    assert not undocumented


def _documented(kind: type) -> set[str]:
    """Return the fields of a class that are followed by a docstring."""
    [body] = [node.body for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef)]
    return {
        field.target.id
        for field, after in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }

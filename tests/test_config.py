"""Settings: files and flags, frozen, and every typo refused with the nearest name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from askwell.api.config import Config, ModelConfig
from askwell.api.config_file import parse_config, read_config
from askwell.errors import ConfigError


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
        ({"run": {"steps": -1}}, r"run\.steps = -1: .*greater than or equal to 0"),
        ({"target": {"concurrency": "many"}}, r"target\.concurrency = 'many': .*integer"),
        ({"run": {"max_missing": 2}}, r"run\.max_missing = 2"),
    ],
)
def test_a_wrong_setting_is_told_by_key_value_and_remedy(tree: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config(tree)


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
    with pytest.raises(ValidationError):
        Config().target.concurrency = 5  # type: ignore[misc]


def test_identity_holds_what_decides_the_result_and_nothing_that_does_not() -> None:
    base = parse_config({"target": {"model": "openai:m"}})
    faster = parse_config({
        "target": {"model": "openai:m", "concurrency": 500, "timeout_s": 1, "base_url": "http://other:1/v1"},
        "run": {"name": "x", "folder": "elsewhere"},
    })  # fmt: skip
    hotter = parse_config({"target": {"model": "openai:m", "temperature": 1.0}})
    assert base.identity() == faster.identity()
    assert base.identity() != hotter.identity()


def test_every_setting_says_what_it_is() -> None:
    for name, field in ModelConfig.model_fields.items():
        assert field.description, name

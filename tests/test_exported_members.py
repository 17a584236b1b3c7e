"""The public names: complete, sorted, loadable, and at home where they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import askwell


def test_public_names_are_sorted_and_load() -> None:
    assert sorted(askwell.__all__) == askwell.__all__
    for name in askwell.__all__:
        assert getattr(askwell, name).__module__.startswith("askwell.")


def test_dir_shows_them_and_no_other() -> None:
    assert {name for name in dir(askwell) if not name.startswith("__")} == set(askwell.__all__)


def test_the_page_of_the_api_has_each_of_them_with_one_line() -> None:
    page = (Path(__file__).parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    assert sorted(name for name, _ in rows) == askwell.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="optimise"):
        _ = askwell.optimise  # type: ignore[attr-defined]


def test_functions_are_not_hidden_by_modules_of_the_same_name() -> None:
    code = "import askwell, askwell.engine.evaluator, askwell.api, askwell.cli.main; assert callable(askwell.evaluate)"
    subprocess.run([sys.executable, "-c", code], check=True)

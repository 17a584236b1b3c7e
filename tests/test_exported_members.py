"""The public names: complete, sorted, loadable, and at home where they say."""

from __future__ import annotations

import subprocess
import sys

import pytest

import askwell


def test_public_names_are_sorted_and_load() -> None:
    assert sorted(askwell.__all__) == askwell.__all__
    for name in askwell.__all__:
        assert getattr(askwell, name).__module__.startswith("askwell.")


def test_dir_shows_them() -> None:
    assert set(askwell.__all__) <= set(dir(askwell))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="optimise"):
        _ = askwell.optimise  # type: ignore[attr-defined]


def test_functions_are_not_hidden_by_modules_of_the_same_name() -> None:
    code = "import askwell, askwell.evaluation, askwell.api, askwell.cli.main; assert callable(askwell.evaluate)"
    subprocess.run([sys.executable, "-c", code], check=True)

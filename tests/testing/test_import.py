"""`askwell.testing` needs neither pytest nor anything heavy, and its public names load."""

from __future__ import annotations

import subprocess
import sys

import pytest

from askwell import testing

HEAVY = ("pytest", "torch", "numpy", "aiohttp", "asyncio", "sqlite3", "pydantic")


def loaded(code: str) -> set[str]:
    """Return which heavy modules are loaded after running the code in a new process."""
    code += f"; import sys; print(*set({HEAVY!r}) & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(run.stdout.split())


def test_importing_it_loads_nothing_heavy() -> None:
    assert loaded("import askwell.testing") == set()


@pytest.mark.parametrize("name", testing.__all__)
def test_a_public_name_loads_without_pytest_and_torch(name: str) -> None:
    assert not loaded(f"from askwell.testing import {name}") & {"pytest", "torch", "aiohttp"}


def test_public_names_are_sorted_and_listed() -> None:
    assert testing.__all__ == sorted(testing.__all__)
    assert set(testing.__all__) <= set(dir(testing))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="ChatContract"):
        _ = testing.ChatContract  # type: ignore[attr-defined]

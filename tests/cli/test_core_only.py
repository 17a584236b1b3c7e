"""Every command that trains no model works on the core dependencies alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from askwell.cli.main import SECTIONS

NEEDS_AN_EXTRA = {"demo", "headroom", "compare", "train"}
"""Commands that train a model, or measure what one could gain."""
EXTRA_PACKAGES = (
    "numpy", "sklearn", "scipy", "torch", "transformers", "safetensors", "pyarrow", "datasets", "pandas", "orjson",
    "uvloop", "genai_prices", "opentelemetry", "litellm", "dspy", "gepa", "mlflow", "openai",
)  # fmt: skip

IMPORT_WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[2:]))  # None: importing it raises ImportError, as if it were not installed
from askwell.cli.main import main
main([sys.argv[1], "--help"])
"""

COMMANDS = [name for commands in SECTIONS.values() for name in commands]


@pytest.mark.parametrize("command", sorted({*COMMANDS} - NEEDS_AN_EXTRA))
def test_a_command_starts_without_any_optional_package(command: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT, command, *EXTRA_PACKAGES], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("command", ["headroom", "compare", "train"])
def test_a_command_that_needs_an_extra_says_which(command: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT, command, *EXTRA_PACKAGES], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "pip install 'askwell[select]'" in ran.stderr

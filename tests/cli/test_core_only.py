"""Every command that trains no model works on the core dependencies alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from askwell.cli.main import INSTALLS, SECTIONS

EXTRA_PACKAGES = (
    "numpy", "sklearn", "scipy", "torch", "transformers", "safetensors", "pyarrow", "datasets", "pandas", "orjson",
    "uvloop", "genai_prices", "opentelemetry", "litellm", "dspy", "gepa", "mlflow", "openai",
)  # fmt: skip

RUN_WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1].split()))  # None: an import raises ImportError, as if it were missing
from askwell.cli.main import main
main(sys.argv[2:])
"""

COMMANDS = [name for commands in SECTIONS.values() for name in commands]


def run_core_only(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN_WITHOUT, " ".join(EXTRA_PACKAGES), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_without_any_optional_package(command: str) -> None:
    ran = run_core_only(command, "--help")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Usage:" in ran.stdout
    assert ("pip install 'askwell[" in " ".join(ran.stdout.split())) == (command in INSTALLS)


@pytest.mark.parametrize(
    ("arguments", "extras"),
    [
        (["headroom", "RUN"], "select"),
        (["compare", "RUN", "--json"], "select"),
        (["train", "RUN", "--loops", "1"], "local,qpo,select"),
        (["train"], "local,qpo,select"),
        (["demo", "--act", "1"], "local,qpo,select"),
    ],
)
def test_a_command_that_needs_extras_names_all_of_them_at_once(arguments: list[str], extras: str) -> None:
    ran = run_core_only(*arguments)
    assert ran.returncode == 2
    assert f"pip install 'askwell[{extras}]'" in ran.stderr
    assert "Traceback" not in ran.stderr

"""A Python program sees the progress line on a terminal, and nothing where its output is not one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import askwell
from askwell.engine.progress import Progress
from tests.support.optimizations import DATA, optimize, target

SCRIPT = """
import time
import askwell
from tests.support.optimizations import DATA, optimize, target
from tests.support.trainings import logged, train
from pathlib import Path

def slow(text: str) -> str:
    time.sleep(0.02)
    return target(text)

WATCH
"""
CALLS = {
    "optimize": "optimize(Path('r'), WATCH)",
    "evaluate": "askwell.evaluate(['Think.', 'Add.'], data=DATA, target=slow, metric='number', WATCH)",
    "train": "train(logged(Path('log.jsonl')), Path('t'), WATCH)",
}


def run_at_a_terminal(code: str, folder: Path) -> str:
    """Run a script whose standard error is a terminal, and return what it wrote there."""
    ours, theirs = pty.openpty()
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT.replace("WATCH", code)],
        stderr=theirs, cwd=folder, env={**os.environ, "PYTHONPATH": str(root), "TERM": "xterm", "COLUMNS": "100"},
    ) as process:  # fmt: skip
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            written += part
        assert process.wait() == 0, written.decode()
    os.close(ours)
    return written.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("call", "shown"),
    [("optimize", "step 0/2 · scoring"), ("evaluate", "evaluating"), ("train", "loop 1: training on")],
)
def test_a_terminal_shows_progress_unless_it_is_turned_off(call: str, shown: str, tmp_path: Path) -> None:
    name = "show" if call == "train" else "watch"
    assert shown in run_at_a_terminal(CALLS[call].replace(", WATCH", ""), tmp_path)
    for off in ("False", "None"):
        (tmp_path / off).mkdir()
        assert shown not in run_at_a_terminal(CALLS[call].replace("WATCH", f"{name}={off}"), tmp_path / off)


def test_nothing_is_shown_without_a_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    optimize(tmp_path / "r")
    askwell.evaluate("Think.", data=DATA, target=target, metric="number")
    assert capfd.readouterr().err == ""


def test_a_function_is_called_instead(tmp_path: Path) -> None:
    seen: list[str] = []

    def see(progress: Progress) -> None:
        seen.append(progress.stage)

    optimize(tmp_path / "r", watch=see)
    assert seen[-1] == "done"


@pytest.mark.parametrize("value", ["yes", 1, []])
def test_another_value_is_refused(value: object) -> None:
    with pytest.raises(askwell.ConfigError, match="watch="):
        askwell.evaluate("Think.", data=DATA, target=target, metric="number", watch=value)  # type: ignore[arg-type]

"""Write the golden logs and the surface with the code that Python imports as `askwell`; see README.md."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.golden.jobs import JOBS, write_golden
from tests.golden.surface import SURFACE, commands, json_shapes


def write_logs() -> None:
    """Run the jobs and write what they log."""
    for name, job in JOBS.items():
        with tempfile.TemporaryDirectory() as folder:
            write_golden(name, job(Path(folder)))


def write_surface() -> None:
    """Walk the command line, make the calls, and write what it takes and prints."""
    with tempfile.TemporaryDirectory() as folder:
        surface = {"commands": commands(), "json": json_shapes(Path(folder))}
    SURFACE.write_text(_one_line_an_entry(surface), encoding="utf-8")


def _one_line_an_entry(surface: Mapping[str, Mapping[str, Mapping[str, object]]]) -> str:
    """Serialize parts of named entries so that a difference shows which entry changed."""
    parts: list[str] = []
    for part, groups in surface.items():
        entries = [
            f"  {json.dumps(name)}: {{\n"
            + ",\n".join(f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in group.items())
            + "\n  }"
            for name, group in groups.items()
        ]
        parts.append(f" {json.dumps(part)}: {{\n" + ",\n".join(entries) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    write_logs()
    write_surface()

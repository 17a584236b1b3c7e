"""docs/json.md names every command with --json, every key known to the surface test, and every exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from askwell.cli.exit_codes import EXIT_CODES, INTERRUPTED
from askwell.core.errors import AskwellError
from tests.golden.migration import GONE, Migration, read_tables
from tests.golden.surface import SURFACE, commands
from tests.support.harness import ROOT, invoke

PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^### `([^`]+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
SHAPES = json.loads(SURFACE.read_text(encoding="utf-8"))["json"]
MIGRATION = Migration(read_tables())


def test_the_page_has_every_command_that_prints_json() -> None:
    assert set(PARTS) == {name for name, takes in commands().items() if "--json" in takes}


@pytest.mark.parametrize("call", SHAPES)
def test_a_command_has_its_keys_on_the_page(call: str) -> None:
    name = re.split(r",| --| of a", MIGRATION.command(call))[0]
    part = PARTS["optimizers" if name == "presets" else name]
    text = (
        part + (PARTS["optimize"] if name in {"show", "retry"} else "") + (PARTS["train"] if "policy" in name else "")
    )
    paths = {MIGRATION.json_path(call, path) for path in SHAPES[call]} - {GONE, "", "[]"}
    keys = {path.removeprefix("[].").partition(".")[0].removesuffix("[]") for path in paths}
    assert {key for key in keys if f"`{key}`" not in text} == set()


def all_errors() -> set[type[AskwellError]]:
    found, pending = set[type[AskwellError]](), [AskwellError]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        found.add(kind)
    return found


def test_the_page_has_every_exit_code_with_its_meaning() -> None:
    rows = {int(code): text for code, text in re.findall(r"^\| `(\d+)` \| (.*?) \|$", PAGE, re.MULTILINE)}
    assert {code: text.replace("`", "") for code, text in rows.items()} == dict(EXIT_CODES)
    assert {kind.exit_status for kind in all_errors() if kind.__module__ == "askwell.core.errors"} <= set(EXIT_CODES)
    assert INTERRUPTED == 130


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--help"], 0), (["runs", "--nothing"], 2), (["show", "no-such-run"], 2), (["nothing"], 2)]
)
def test_commands_end_with_these_codes(arguments: list[str], code: int, tmp_path: Path) -> None:
    more = ["--runs", str(tmp_path)] if arguments[0] == "show" else []
    assert invoke(*arguments, *more).status == code

"""Every command, flag and JSON key from before the refactoring still exists, or docs/migration.md names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.golden.migration import GONE, Migration, read_tables
from tests.golden.surface import SURFACE, Shape, commands, json_shapes

OLD: dict[str, Any] = json.loads(SURFACE.read_text(encoding="utf-8"))
MIGRATION = Migration(read_tables())


def test_every_command_exists() -> None:
    present = commands()
    wanted = {old: MIGRATION.command(old) for old in OLD["commands"]}
    assert {old: new for old, new in wanted.items() if new != GONE and new not in present} == {}


@pytest.mark.parametrize("command", OLD["commands"])
def test_every_flag_exists_and_takes_what_it_took(command: str) -> None:
    new_command = MIGRATION.command(command)
    if new_command == GONE:
        return
    present = {name: takes for names, takes in commands()[new_command].items() for name in names.split(" / ")}
    for names, took in OLD["commands"][command].items():
        for name in names.split(" / "):
            new = MIGRATION.flag(command, name)
            if new == GONE:
                continue
            assert new in present, f"{command} {name} is neither there nor in docs/migration.md"
            assert MIGRATION.renames_flag(command, name) or took == present[new], f"{command} {name}: before, now"


@pytest.mark.slow
def test_every_json_key_exists_and_holds_what_it_held(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    present = json_shapes(tmp_path, MIGRATION.arguments)
    problems = [problem for call, shape in OLD["json"].items() for problem in lost_keys(call, shape, present[call])]
    assert problems == []


def lost_keys(call: str, old: Shape, new: Shape) -> list[str]:
    """Return what of an old shape is in the new one neither by its own name nor by that of the migration table."""
    problems: list[str] = []
    for path, kinds in old.items():
        present = MIGRATION.json_path(call, path)
        if present != GONE and new.get(present) != kinds:
            problems.append(f"{call}: {path} ({kinds} before) is {present} ({new.get(present, 'missing')}) now")
    return problems


def test_rows_of_the_migration_page_name_what_existed() -> None:
    flags = {
        f"{command} {name}" for command, found in OLD["commands"].items() for name in " / ".join(found).split(" / ")
    }
    flags |= {flag.rpartition(" ")[2] for flag in flags}
    keys = {f"{call}: {path}" for call, shape in OLD["json"].items() for path in shape}
    keys |= {part.rstrip("[]") for key in keys for part in key.partition(": ")[2].split(".")}
    assert set(MIGRATION.commands) - set(OLD["commands"]) == set()
    assert set(MIGRATION.flags) - flags == set()
    assert set(MIGRATION.json_keys) - keys == set()


def test_a_row_translates_commands_flags_and_keys() -> None:
    page = "## Commands\n| old | new |\n|---|---|\n| `policy` | `prompts` |\n| `presets` | gone |\n"
    page += "## Flags\n| `train --preset` | `--method` |\n| `--draws` | `gone` |\n"
    page += "## JSON keys\n| `static` | `baseline` |\n| `show: best.cell` | `best.slot` |\n| `seconds` | gone |\n"
    migration = Migration(read_tables(page))
    assert (migration.command("policy show"), migration.command("presets")) == ("prompts show", GONE)
    assert (migration.flag("train", "--preset"), migration.flag("plan", "--preset")) == ("--method", "--preset")
    assert migration.arguments(["policy", "show", "r", "--json"]) == ("prompts", "show", "r", "--json")
    assert migration.json_path("show", "static[].static.n") == "baseline[].baseline.n"
    assert migration.json_path("show", "best.cell") == "best.slot"
    assert migration.json_path("show", "best.cell[].seconds") == GONE
    assert migration.json_path("show", "best.cell[].n") == "best.slot[].n"

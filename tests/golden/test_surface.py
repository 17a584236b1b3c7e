"""Every command, flag and JSON key from before the refactoring still exists, or docs/migration.md names it."""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.golden.migration import GONE, Migration, read_tables
from tests.golden.surface import SURFACE, Parameters, Shape, commands, json_shapes

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
    present = by_name(commands()[new_command])
    for name, took in by_name(OLD["commands"][command]).items():
        new = MIGRATION.flag(command, name)
        if new == GONE:
            continue
        assert new in present, f"{command} {name} is neither there nor in docs/migration.md"
        # A renamed flag may also take something else, such as `train --preset`.
        difference = narrowed(took, present[new])
        assert MIGRATION.renames_flag(command, name) or not difference, f"{command} {name}: {difference}"


def by_name(parameters: Parameters) -> Parameters:
    """Return what each flag and argument takes; click marks an optional argument by brackets around its name."""
    return {re.sub(r"[\[\].]", "", name): takes for names, takes in parameters.items() for name in names.split(" / ")}


def narrowed(took: Mapping[str, Any], takes: Mapping[str, Any]) -> str:
    """Say what a parameter took and takes no longer; empty if all that was valid is still valid."""
    before, now = (
        {**values, "type": "text" if values["type"] == "path" else values["type"]} for values in (took, takes)
    )
    if not now.get("required"):
        before.pop("required", None)
    if "multiple" not in before:
        now.pop("multiple", None)
    if "default" not in before:  # the help may state a default that was applied later on before
        now.pop("default", None)
    return "" if before == now else f"{before} before, {now} now"


@pytest.mark.slow
def test_every_json_key_exists_and_holds_what_it_held(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    present = json_shapes(tmp_path, MIGRATION.arguments)
    problems = [problem for call, shape in OLD["json"].items() for problem in lost_keys(call, shape, present[call])]
    assert not problems, "\n".join(["", *problems])


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
    rows = {old if old.partition("--")[2].count(" ") == 0 else old.rpartition(" ")[0] for old in MIGRATION.flags}
    keys = {f"{call}: {path}" for call, shape in OLD["json"].items() for path in shape}
    keys |= {part.rstrip("[]") for key in keys for part in key.partition(": ")[2].split(".")}
    assert set(MIGRATION.commands) - set(OLD["commands"]) == set()
    assert rows - flags == set()
    assert set(MIGRATION.json_keys) - keys == set()


def test_new_python_names_on_the_migration_page_exist() -> None:
    new = [name for name in read_tables()["Python names"].values() if name.startswith("askwell.")]
    assert new
    for name in new:
        pkgutil.resolve_name(name)


def test_a_narrowed_parameter_is_noticed() -> None:
    text = {"type": "text", "required": True}
    assert not narrowed(text, {"type": "path", "default": "runs"})
    assert narrowed({"type": "text"}, text)
    assert narrowed({"type": "integer", "default": 3}, {"type": "integer", "default": 4})
    assert narrowed({"type": "integer", "default": 3}, {"type": "integer"})
    assert narrowed({"type": "text"}, {"type": "choice", "choices": ["a"]})


def test_a_row_translates_commands_flags_and_keys() -> None:
    page = "## Commands\n| old | new |\n|---|---|\n| `policy` | `prompts` |\n| `presets` | gone |\n"
    page += "## Flags\n| `train --preset`, `plan --preset` (a name) | `--method` |\n"
    page += "| `train --preset paper` | `--method qpo` |\n| `--draws` | gone, use `x` |\n"
    page += "## JSON keys\n| `static` | `baseline` |\n| `show: best.cell` | `best.slot` |\n| `seconds` | gone |\n"
    migration = Migration(read_tables(page))
    assert (migration.command("policy show"), migration.command("presets")) == ("prompts show", GONE)
    assert (migration.flag("train", "--preset"), migration.flag("plan", "--preset")) == ("--method", "--method")
    assert (migration.flag("optimize", "--draws"), migration.flag("show", "--preset")) == (GONE, "--preset")
    assert migration.arguments(["policy", "show", "r", "--json"]) == ("prompts", "show", "r", "--json")
    assert migration.arguments(["train", "a", "--preset", "paper"]) == ("train", "a", "--method", "qpo")
    assert migration.arguments(["train", "a", "--preset", "b"]) == ("train", "a", "--method", "b")
    assert migration.json_path("show", "static[].static.n") == "baseline[].baseline.n"
    assert migration.json_path("show", "best.cell") == "best.slot"
    assert migration.json_path("show", "best.cell[].seconds") == GONE
    assert migration.json_path("show", "best.cell[].n") == "best.slot[].n"

"""The wings of the architecture: an import goes left only, and there is no import circle."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "askwell"
ORDER = (
    "core < tasks, models < runlog < engine < optimizers, policies < report, serve < api"
    " < cli, ui, integrations, testing"
)
"""A wing is a folder. Wings joined by a comma do not import each other."""
LEVEL = {wing.strip(): level for level, wings in enumerate(ORDER.split("<")) for wing in wings.split(",")}
MOST_MODULES = 17
FILES = sorted(SOURCE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = ("askwell", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Return the modules of askwell that a file imports, anywhere in it: imports inside functions count too."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            modules |= {imported(str(node.module), alias.name) for alias in node.names}
    return {module for module in modules if module.split(".")[0] == "askwell"} - {module_name(path)}


def imported(module: str, name: str) -> str:
    """Return the module behind `from module import name`: `module.name` if that is a module, else `module`."""
    return f"{module}.{name}" if f"{module}.{name}" in GRAPH_NODES else module


GRAPH_NODES = {module_name(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_an_import_goes_left_only(path: Path) -> None:
    wing = path.relative_to(SOURCE).parts[0]
    if wing in {"__init__.py", "__main__.py"}:
        return
    for module in imports(path):
        other = module.split(".")[1] if "." in module else ""
        assert other == wing or LEVEL.get(other, len(LEVEL)) < LEVEL[wing], f"{wing} must not import {module}"


def test_there_is_no_import_circle() -> None:
    graph = {module_name(path): imports(path) for path in FILES}
    del graph["askwell"]  # its lazy names are imported by nothing
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import circle: {' -> '.join(error.args[1])}")


def test_the_top_holds_wings_and_nothing_else() -> None:
    names = {path.name for path in SOURCE.iterdir() if path.name != "__pycache__"}
    assert names - set(LEVEL) == {"__init__.py", "__main__.py", "py.typed"}


def test_a_folder_holds_few_modules_and_says_what_it_is_for() -> None:
    for folder in {path.parent for path in FILES} - {SOURCE}:
        modules = {path for path in folder.glob("*.py") if path.name != "__init__.py"}
        assert folder.name == "cli" or len(modules) <= MOST_MODULES, f"{folder} holds {len(modules)} modules"
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))), (
            f"{folder}: say what for"
        )

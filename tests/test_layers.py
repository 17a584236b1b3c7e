"""The import layers of the architecture: a module imports from its own layer or from those before it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "askwell"
LAYERS = (
    {"types", "errors", "checks", "text_similarity", "fastjson", "quantiles"},
    {"trajectory", "policy", "records", "store", "models", "tasks", "pocket", "store_file"},
    {"views", "journal", "evaluation", "learnt"}
    | {"feed", "order", "racing", "lookahead", "race", "belief", "stats", "budget", "columns", "batch_notes"},
    {"gpo", "baselines", "qpo"},
    {
        "loop",
        "methods",
        "job",
        "train_job",
        "report",
        "runs",
        "blocking",
        "offline",
        "serve",
        "repair",
        "archive",
        "mlflow_log",
        "parquet",
    },
    {
        "api",
        "export",
        "pages",
    },
    {"cli", "__main__"},
)
"""A name is a module or a folder of modules; `askwell` itself (the lazy names, the version) may be imported by all."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_from_its_own_layer_or_earlier_ones(path: Path) -> None:
    name = "__main__" if path.stem == "__main__" else path.relative_to(SOURCE).parts[0].removesuffix(".py")
    assert name in LEVEL, f"{name} has no layer yet: give it one in {Path(__file__).name}"
    later = {other for other in imported(path) if LEVEL[other] > LEVEL[name]}
    assert not later, f"{name} (layer {LEVEL[name]}) imports {sorted(later)} of a later layer"


def imported(path: Path) -> set[str]:
    """Names of the layer table that a file imports, anywhere in it (imports inside functions count too)."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "askwell":
            found |= {f"askwell.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    parts = [name.split(".") for name in found]
    return {part[1] for part in parts if part[0] == "askwell" and len(part) > 1}

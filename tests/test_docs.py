"""What the documentation shows runs; what it names exists."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import pytest

from askwell.core.types import FINAL_FAULTS
from tests.support.servers import FAULT_OUTCOMES

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_on_a_page_is_python(page: Path) -> None:
    for block in FENCE.findall(page.read_text(encoding="utf-8")):
        compile(block, str(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.slow
def test_the_quickstart_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    blocks = FENCE.findall((ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/quickstart.md", "exec"), names)
    assert (tmp_path / "prompt.txt").read_text(encoding="utf-8") == names["result"].prompt  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out.strip()
    shutil.rmtree(tmp_path / "runs", ignore_errors=True)


def test_the_page_of_commands_is_what_help_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_cli.py"))
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == made["page"](), "run make docs"


def test_the_page_of_outcomes_says_what_the_code_does() -> None:
    page = (ROOT / "docs" / "outcomes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| `(\w+)` \| (?:`(\w+)`|–) \| (\w+) \|", page, re.MULTILINE)
    assert {name: (outcome, fault) for name, outcome, fault, _ in rows} == FAULT_OUTCOMES
    for name, outcome, fault, again in rows:
        assert (again == "retried") == (outcome == "failed" and fault not in FINAL_FAULTS), name

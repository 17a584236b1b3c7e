"""What people read holds no control character, by one mechanism; what programs read is exact."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from rich.table import Table
from rich.text import Text as RichText

from askwell.cli.console import Console, Text
from askwell.cli.lazy import LazyGroup
from askwell.cli.streams import VisibleStream, unwrapped, visible_streams, write_exact
from askwell.core.visible import visible
from askwell.report.live.progress import LiveProgress

SHOWN = [
    ("", ""),
    ("plain ≤ 🙂 naïve 漢字 ไทย", "plain ≤ 🙂 naïve 漢字 ไทย"),
    ("line\nand\ttab", "line\nand\ttab"),
    ("\x1b]52;c;ZWNobw==\x1b\\", "␛]52;c;ZWNobw==␛\\"),
    ("\x1b[2J\x1b]0;PWNED\x07", "␛[2J␛]0;PWNED␇"),
    ("\x9b31m", "\\x9b31m"),
    ("\x9d0;t\x9c", "\\x9d0;t\\x9c"),
    ("a\rb\x08c\x0bd\x0ce\x00", "a␍b␈c␋d␌e␀"),
    ("\x7f", "␡"),
    ("\u202egnp.exe\u202c", "\\u202egnp.exe\\u202c"),
    ("\u2066a\u2069\u200f\u061c", "\\u2066a\\u2069\\u200f\\u061c"),
    ("half \ud800", "half \\ud800"),
    ("\u200d\ufe0f", "\u200d\ufe0f"),  # they join emoji
]
HOSTILE = "\x1b]52;c;eA==\x1b\\\r\x9b\x7f\u202e[/x][red]"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_control_characters_become_visible(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def printed(part: object, **more: object) -> str:
    out = io.StringIO()
    console = Console(width=60)
    console.file = out
    console.print(part, **more)  # pyright: ignore[reportArgumentType] - any option of rich
    return out.getvalue()


def table() -> Table:
    made = Table(HOSTILE, title=HOSTILE)
    made.add_row(HOSTILE)
    made.add_row(Text(HOSTILE))
    made.add_row(RichText(HOSTILE))
    return made


@pytest.mark.parametrize(
    "part", [HOSTILE, Text(HOSTILE), RichText(HOSTILE), table()], ids=["str", "own", "rich", "table"]
)
def test_the_console_shows_markup_and_control_characters(part: object) -> None:
    shown = printed(part)
    assert not RAW.search(shown)
    assert "␛]52" in shown
    assert "[/x][red]" in shown


def test_a_tables_lines_are_equally_wide() -> None:
    lines = [line for line in printed(table()).splitlines() if line.startswith(("┃", "│", "┏", "└"))]
    assert len({len(line) for line in lines}) == 1


def test_the_consoles_own_colours_pass() -> None:
    out = io.StringIO()
    console = Console(force_terminal=True, color_system="standard")
    console.file = out
    console.print(Text("a\x1b[31m", style="red"))
    assert out.getvalue() == "\x1b[31ma␛[31m\x1b[0m\n"


def test_progress_shows_what_a_provider_says() -> None:
    out = io.StringIO()
    console = Console(force_terminal=True, width=100)
    console.file = out
    with LiveProgress(console, list) as live:
        live.note(f"batch {HOSTILE} goes on")
    assert "␛]52" in out.getvalue()
    assert "\x1b]52" not in out.getvalue()


class OneCommand(LazyGroup):
    """A group with the command `c`."""

    def __init__(self, write: Callable[[], object]) -> None:
        super().__init__("main", package="x", sections={"": {"c": ""}})
        self.write = write

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return click.Command("c", callback=self.write)


@pytest.mark.parametrize(
    "write",
    [
        lambda: print(HOSTILE),
        lambda: print(HOSTILE, file=sys.stderr),
        lambda: click.echo(HOSTILE),
        lambda: click.echo(HOSTILE, err=True),
        lambda: sys.stdout.write(HOSTILE),
        lambda: Console().print(HOSTILE),
        lambda: Console(stderr=True).print(Text(HOSTILE)),
    ],
)
def test_whoever_writes_during_a_command_writes_visibly(
    write: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        OneCommand(write).main(["c"])
    out, err = capsys.readouterr()
    assert "␛]52" in out + err
    assert not RAW.search(out + err)


def test_usage_errors_are_visible(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        LazyGroup("main", package="x", sections={"": {}}).main([HOSTILE])
    assert not RAW.search(capsys.readouterr().err)


def test_exact_output_is_exact_unless_a_terminal_reads_it(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with visible_streams():
        assert isinstance(sys.stdout, VisibleStream)
        write_exact(HOSTILE + "\ud800\n")
    assert capsysbinary.readouterr().out == (HOSTILE + "\ud800\n").encode("utf-8", "surrogatepass")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    before, sys.stdout = sys.stdout, Terminal()
    try:
        write_exact(HOSTILE)
        assert unwrapped(sys.stdout).getvalue() == visible(HOSTILE)
    finally:
        sys.stdout = before


def test_every_command_prints_with_the_console_of_its_own() -> None:
    folder = Path(__file__).parents[2] / "src" / "askwell" / "cli"
    allowed = {"console.py", "streams.py"}
    for path in sorted(folder.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path.name not in allowed:
            assert "import Console" not in text or "from askwell.cli.console import" in text, path.name
            assert not re.search(r"from rich\.(text|console) import .*\b(Text|Console)\b", text), path.name
            assert "sys.stdout" not in text, f"{path.name}: use write_exact, or a Console"

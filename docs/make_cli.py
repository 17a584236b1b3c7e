"""Write docs/cli.md from the commands' own --help. Run by `make docs`; a test holds the page to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from askwell.cli.main import main

PAGE = Path(__file__).parent / "cli.md"


def page() -> str:
    """Return the whole page."""
    parts = ["# Commands\n\nMade by `make docs` from `--help`.\n"]
    for path, command in walk(("askwell",), main):
        parts.append(f"## {' '.join(path)}\n\n```text\n{command.get_help(context(path, command))}\n```\n")
    return "\n".join(parts)


def context(path: tuple[str, ...], command: click.Command) -> click.Context:
    """Return a context that makes the help independent of the terminal."""
    return click.Context(
        command,
        info_name=" ".join(path),
        max_content_width=110,
        terminal_width=110,
        help_option_names=["-h", "--help"],
    )


def walk(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command and everything below it."""
    yield path, command
    if isinstance(command, click.Group):
        group = context(path, command)
        for name in sorted(command.list_commands(group)):
            child = command.get_command(group, name)
            assert child is not None
            yield from walk((*path, name), child)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

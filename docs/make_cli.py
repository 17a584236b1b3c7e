"""Write docs/cli.md from the commands' own --help. Run by `make docs`; a test holds the page to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from askwell.cli import main

PAGE = Path(__file__).parent / "cli.md"


def page() -> str:
    """Return the whole page."""
    parts = ["# Commands\n\nMade by `make docs` from `--help`.\n"]
    for path, command in walk(("askwell",), main):
        context = click.Context(
            command,
            info_name=" ".join(path),
            max_content_width=110,
            terminal_width=110,
            help_option_names=["-h", "--help"],
        )
        parts.append(f"## {' '.join(path)}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def walk(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command and everything below it."""
    yield path, command
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from walk((*path, name), command.commands[name])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

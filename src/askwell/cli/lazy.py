"""A click group whose commands are imported on first use, so that `askwell --help` loads none of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from askwell.cli.completion import complete_names
from askwell.cli.streams import visible_streams
from askwell.core import renamed
from askwell.core.errors import AskwellError


class LazyGroup(click.Group):
    """A group that lists its commands from a table, in sections, and imports a command when it is called."""

    def __init__(
        self,
        *args: Any,
        package: str,
        sections: Mapping[str, Mapping[str, str]],
        installs: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the commands by section, each with the first line of its help; `package` has a module per command.

        `installs` has, for a command that needs optional packages, what to give to `pip install`.
        """
        super().__init__(*args, **kwargs)
        self.package = package
        self.sections = sections
        self.installs = installs or {}
        self.summaries = {name: summary for commands in sections.values() for name, summary in commands.items()}

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line; what it writes for people holds no control characters."""
        with visible_streams():
            return super().main(*args, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.summaries:
            return None
        try:
            command: click.Command = getattr(import_module(f"{self.package}.{cmd_name}"), cmd_name)
        except AskwellError as error:  # an optional package that the command needs is not installed
            install = self.installs.get(cmd_name)
            needs = f"`askwell {cmd_name}` needs packages that are not installed: pip install {install}"
            return _stand_in(cmd_name, self.summaries[cmd_name], needs if install else str(error), error.exit_status)
        complete_names(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.summaries), default=0)
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in commands.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in renamed.COMMANDS:
            raise click.UsageError(f"{args[0]} is now {renamed.COMMANDS[args[0]]}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an unknown flag that was renamed is refused with its new name."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            command = "" if error.ctx is None else error.ctx.info_name or ""
            new = renamed.flag(command, error.option_name)
            if new is None:
                raise
            raise click.UsageError(f"{error.option_name} is now {new}", error.ctx) from error


def _stand_in(name: str, summary: str, problem: str, exit_status: int) -> click.Command:
    """Return a command in place of one that cannot be imported: it has help, and refuses to run."""

    def refuse(**_: object) -> None:
        click.echo(f"askwell: {problem}", err=True)
        sys.exit(exit_status)

    return click.Command(
        name,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        help=f"{summary}\n\n{problem}",
        callback=refuse,
        context_settings={"ignore_unknown_options": True},
    )

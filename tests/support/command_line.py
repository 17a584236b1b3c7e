"""Calls of the command line in this process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from askwell.cli.main import main


def call(*arguments: object) -> Result:
    """Run `askwell ARGUMENTS`."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def flat(result: Result) -> str:
    """Return the output on one line, however it was wrapped."""
    return " ".join(result.output.split())

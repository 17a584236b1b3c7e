"""Flags for what is sent with the requests of a model: headers, further fields, and settings of replies."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import click

from askwell.core.errors import ConfigError
from askwell.models.http.headers import parse_header

Flag = Callable[[Any], Any]


def header_flag(prefix: str, role: str) -> Flag:
    """Return the flag for further headers of a model's requests. No error shows a value, which may be a secret."""
    return click.option(
        f"--{prefix}header",
        f"{prefix.replace('-', '_')}headers",
        multiple=True,
        metavar="'NAME: VALUE'",
        callback=_parse_headers,
        help=f"Further header of {role}'s requests ($NAME: environment variable); repeatable.",
    )


def request_flags(prefix: str, role: str) -> list[Flag]:
    """Return the flags for what is sent with a model's requests."""
    return [
        click.option(
            f"--{prefix}extra-body",
            metavar="JSON",
            callback=_parse_object,
            help=f"Further fields of {role}'s requests, as its provider names them.",
        ),
        click.option(f"--{prefix}top-p", type=float, help=f"Nucleus sampling of {role} (default: the provider's)."),
        click.option(
            f"--{prefix}stop", multiple=True, metavar="TEXT", help=f"Text at which a reply of {role} ends; repeatable."
        ),
        click.option(
            f"--{prefix}reasoning-effort",
            metavar="LEVEL",
            help=f"How much {role} thinks: none, low, medium, high, … (default: the provider's).",
        ),
        click.option(
            f"--{prefix}completions/--no-{prefix}completions",
            default=None,
            help=f"Use the completions route of {role}'s server, for a base model (default no).",
        ),
    ]


def _parse_headers(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    try:
        return dict(map(parse_header, values)) or None
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


def _parse_object(_context: click.Context, _option: click.Parameter, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value: object = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise click.BadParameter(f"{text!r} is not a JSON object; give for example '{{\"enable_thinking\": false}}'.")
    return cast("dict[str, Any]", value)

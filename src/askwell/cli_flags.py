"""Flags that several commands share, what they mean in a config, and how a command tells of its errors."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from askwell.errors import AskwellError, ConfigError

_Command = TypeVar("_Command", bound=Callable[..., Any])

DATA_FLAGS = [
    click.option(
        "--data",
        metavar="FILE",
        help="A .jsonl, .json, .csv or .parquet file, hf:owner/name, bench:NAME, pocket:TASK.",
    ),
    click.option("--records", metavar="PATH", help="Where the list stands in a JSON file (found by itself if alone)."),
    click.option("--field", "fields", multiple=True, metavar="NAME=FIELD", help="Field map, e.g. input=question."),
    click.option("--metric", metavar="TYPE", help="Answer type: exact, choice, number, boolean, words, f1, …"),
    click.option("--placement", metavar="WHERE", help="system, before_Q, Q_begin, Q_end (default) or A_begin."),
    click.option("--limit", type=int, help="Read at most so many examples."),
    click.option("--data-folder", metavar="FOLDER", help="Where a benchmark's own files are (else from the hub)."),
]
TARGET_FLAGS = [
    click.option("--target", metavar="MODEL", help="openai:NAME, local:PATH or pocket."),
    click.option("--base-url", metavar="URL", help="Endpoint of the target model (http://localhost:8000/v1)."),
    click.option("--api-key-env", metavar="VAR", help="Variable that holds the key (default OPENAI_API_KEY)."),
    click.option("--concurrency", type=int, help="Most target requests in flight (default 16)."),
    click.option("--timeout", type=float, help="Seconds until a target request has failed (default 60)."),
    click.option("--max-attempts", type=int, help="Tries a target request gets (default 10)."),
    click.option("--max-tokens", type=int, help="Longest target reply, in tokens (default 512)."),
    click.option("--temperature", type=float, help="Target sampling temperature (default 0)."),
]
RUNS_FLAG = click.option("--runs", "folder", default=None, metavar="FOLDER", help="Where runs stand (default runs).")
_DEBUG_FLAG = click.option("--debug", is_flag=True, help="Show tracebacks and the library's log.")


def flags(*groups: list[Callable[[_Command], _Command]]) -> Callable[[_Command], _Command]:
    """Apply groups of options in the order in which `--help` should show them."""

    def apply(command: _Command) -> _Command:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return apply


def told(command: _Command) -> _Command:
    """Turn askwell's errors into one clear message and an exit status; `--debug` keeps the traceback."""

    @_DEBUG_FLAG
    @wraps(command)
    def wrapped(*args: Any, debug: bool, **kwargs: Any) -> Any:
        logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR, format="%(name)s: %(message)s")
        logging.getLogger("askwell.blocking").setLevel(logging.WARNING)  # what Ctrl-C is doing
        try:
            return command(*args, **kwargs)
        except AskwellError as error:
            if debug:
                raise
            click.echo(f"askwell: {error}", err=True)
            sys.exit(error.exit_status)

    return wrapped  # type: ignore[return-value]


_KEYS = {
    "prompt": "prompt",
    "optimizer": "optimizer.model",
    "optimizer_base_url": "optimizer.base_url",
    "data": "task.data",
    "records": "task.records",
    "fields": "task.fields",
    "metric": "task.metric",
    "placement": "task.placement",
    "limit": "task.limit",
    "data_folder": "task.folder",
    "target": "target.model",
    "base_url": "target.base_url",
    "api_key_env": "target.api_key_env",
    "concurrency": "target.concurrency",
    "timeout": "target.timeout_s",
    "max_attempts": "target.max_attempts",
    "max_tokens": "target.max_tokens",
    "temperature": "target.temperature",
    "train_size": "split.train",
    "dev_size": "split.dev",
    "test_size": "split.test",
    "preset": "search.preset",
    "candidates": "search.candidates",
    "steps": "run.steps",
    "patience": "run.patience",
    "seed": "run.seed",
    "budget_calls": "budget.max_calls",
    "budget_tokens": "budget.max_tokens",
    "budget_usd": "budget.max_usd",
    "budget_minutes": "budget.max_minutes",
    "run_name": "run.name",
    "folder": "run.folder",
}
"""Flag -> key of the config."""


def overrides(given: dict[str, Any]) -> dict[str, Any]:
    """Return a command's flags as dotted config keys; raises `ConfigError` for a broken --field."""
    pairs: tuple[str, ...] = given.pop("fields", ())
    fields: dict[str, str] = {}
    for pair in pairs:
        name, equals, field = pair.partition("=")
        if not equals or not name or not (field or name == "id"):  # an empty id field: ids are made from the content
            raise ConfigError(f"--field {pair!r} is not NAME=FIELD; give for example --field input=question")
        fields[name] = field
    return {_KEYS[flag]: value for flag, value in {**given, "fields": fields or None}.items()}

"""Flags that several commands share, what they mean in a config, and how a command tells of its errors."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

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
REACH_FLAGS = [
    click.option(
        "--base-url",
        multiple=True,
        metavar="URL",
        help="Endpoint of the target model (http://localhost:8000/v1); several are a pool.",
    ),
    click.option(
        "--api-key-env",
        multiple=True,
        metavar="VAR",
        help="Variable that holds the key (default: the provider's own); several are a pool.",
    ),
    click.option(
        "--batch/--no-batch",
        default=None,
        help="Ask in the provider's batches: half the price, up to 24 hours a step (default no).",
    ),
    click.option("--concurrency", type=int, help="Most target requests in flight (default 16)."),
    click.option("--timeout", type=float, help="Seconds until a target request has failed (default 60)."),
    click.option("--max-attempts", type=int, help="Tries a target request gets (default 10)."),
]
"""How a target is reached: what may change while a run goes on."""
TARGET_FLAGS = [
    click.option(
        "--target",
        metavar="MODEL",
        help="PROVIDER:NAME (openai, anthropic, gemini, azure, ollama, …), local:PATH, pocket.",
    ),
    *REACH_FLAGS,
    click.option("--max-tokens", type=int, help="Longest target reply, in tokens (default 512)."),
    click.option("--temperature", type=float, help="Target sampling temperature (default 0)."),
]
OPTIMIZER_FLAGS = [
    click.option("--prompt", help="The instruction to start from."),
    click.option(
        "--optimizer-model", metavar="MODEL", help="Model that rewrites the prompt: PROVIDER:NAME or editor (default)."
    ),
    click.option(
        "--optimizer-model-base-url", multiple=True, metavar="URL", help="Endpoint(s) of the optimizer model."
    ),
]
SEARCH_FLAGS = [
    click.option("--train", "train_size", type=float, help="Training examples, a count or a share."),
    click.option("--dev", "dev_size", type=float, help="Dev examples: every candidate is scored on them."),
    click.option("--test", "test_size", type=float, help="Test examples: touched once, at the end."),
    click.option(
        "--optimizer",
        metavar="NAME",
        help="Algorithm that proposes prompts (default askwell); see `askwell optimizers`.",
    ),
    click.option(
        "--racing", metavar="NAME", help="Stop losers early (askwell, successive-halving, capo-paired-t) or full."
    ),
    click.option("--demos", metavar="CHOICE", help="Demonstrations: none, random, per-class, nearest or joint."),
    click.option("--demos-count", type=int, help="How many of them (default 4)."),
    click.option("--candidates", type=int, help="New prompts a step (default 8)."),
    click.option("--steps", type=int, help="Steps at the most (default 18)."),
    click.option("--patience", type=int, help="Stop after so many steps without a better dev score (default never)."),
    click.option("--seed", type=int, help="Seed of everything: same seed, same log (default 0)."),
    click.option("--run", "run_name", metavar="NAME", help="Name of the run's folder."),
    click.option("--trace", metavar="DETAIL", help="Send OpenTelemetry spans: calls, or content (the messages too)."),
]
BUDGET_FLAGS = [
    click.option("--budget-calls", type=int, help="Most calls of both models: the run ends with its best so far."),
    click.option("--budget-tokens", type=int, help="Most tokens, likewise."),
    click.option("--budget-usd", type=float, help="Most US dollars, likewise (needs known prices)."),
    click.option("--budget-minutes", type=float, help="Most minutes, likewise."),
]
RUNS_FLAG = click.option("--runs", "folder", default=None, metavar="FOLDER", help="Where runs stand (default runs).")


def flags(*groups: list[Callable[[_Command], _Command]]) -> Callable[[_Command], _Command]:
    """Apply groups of options in the order in which `--help` should show them."""

    def apply(command: _Command) -> _Command:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return apply


_LEVELS = ("debug", "info", "warning", "error")
_LOG_LEVEL_FLAG = click.option(
    "--log-level",
    type=click.Choice(_LEVELS),
    default="error",
    help="What of askwell's own log to print (default error).",
)
_DEBUG_FLAG = click.option("--debug", is_flag=True, help="Show tracebacks, and every library's log.")


def told(command: _Command) -> _Command:
    """Turn askwell's errors into one clear message and an exit status; `--debug` keeps the traceback."""

    @_LOG_LEVEL_FLAG
    @_DEBUG_FLAG
    @wraps(command)
    def wrapped(*args: Any, debug: bool, log_level: str, **kwargs: Any) -> Any:
        _start_log("debug" if debug else log_level, everyone=debug)
        try:
            return command(*args, **kwargs)
        except AskwellError as error:
            if debug:
                raise
            click.echo(f"askwell: {error}", err=True)
            sys.exit(error.exit_status)

    return wrapped  # type: ignore[return-value]


def _start_log(level: str, *, everyone: bool) -> None:
    logging.basicConfig(level=logging.DEBUG if everyone else logging.ERROR, format="%(name)s: %(message)s")
    logging.getLogger("askwell").setLevel(level.upper())
    logging.getLogger("askwell.blocking").setLevel(logging.WARNING)  # what Ctrl-C is doing


_KEYS = {
    "prompt": "prompt",
    "optimizer_model": "optimizer_model.model",
    "optimizer_model_base_url": "optimizer_model.base_url",
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
    "batch": "target.batch",
    "concurrency": "target.concurrency",
    "timeout": "target.timeout_s",
    "max_attempts": "target.max_attempts",
    "max_tokens": "target.max_tokens",
    "temperature": "target.temperature",
    "train_size": "split.train",
    "dev_size": "split.dev",
    "test_size": "split.test",
    "optimizer": "optimizer.name",
    "demos": "demos.choice",
    "demos_count": "demos.count",
    "racing": "racing.method",
    "candidates": "optimizer.candidates",
    "steps": "run.steps",
    "patience": "run.patience",
    "seed": "run.seed",
    "budget_calls": "budget.max_calls",
    "budget_tokens": "budget.max_tokens",
    "budget_usd": "budget.max_usd",
    "budget_minutes": "budget.max_minutes",
    "run_name": "run.name",
    "trace": "run.trace",
    "folder": "run.folder",
}
"""Flag -> key of the config."""


def overrides(given: dict[str, Any], keys: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return flags as dotted config keys, `keys` before `_KEYS`; raises `ConfigError` for a broken --field."""
    pairs: tuple[str, ...] = given.pop("fields", ())
    fields: dict[str, str] = {}
    for pair in pairs:
        name, equals, field = pair.partition("=")
        if not equals or not name or not (field or name == "id"):  # an empty id field: ids are made from the content
            raise ConfigError(f"--field {pair!r} is not NAME=FIELD; give for example --field input=question")
        fields[name] = field
    places = {**_KEYS, **(keys or {})}
    return {places[flag]: _one_or_all(value) for flag, value in {**given, "fields": fields or None}.items()}


def _one_or_all(value: object) -> object:
    """Return what a flag that may be repeated says: nothing, one value, or several."""
    if not isinstance(value, tuple):
        return value
    values = tuple(dict.fromkeys(cast("tuple[object, ...]", value)))
    return values if len(values) > 1 else next(iter(values), None)

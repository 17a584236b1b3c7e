"""Flags that several commands share, the config keys they set, and the error handling around every command."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from askwell.cli.request_flags import header_flag, request_flags
from askwell.core import renamed
from askwell.core.decoding import read_text_file
from askwell.core.errors import AskwellError, ConfigError

_Command = TypeVar("_Command", bound=Callable[..., Any])
DEFAULT_FOLDER = "runs"

_BUNDLED_MODELS = ("editor", "pocket")


def _refuse_model(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Refuse a model's name: `--optimizer` named the model before it named the algorithm."""
    if value is not None and (":" in value or value in _BUNDLED_MODELS):
        raise click.BadParameter(
            f"{value!r} names a model, and --optimizer takes an algorithm (see `askwell optimizers`). Name the model "
            f"that rewrites prompts with --optimizer-model {value}."
        )
    return value


def refuse_old_value(_context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse a flag's value that was renamed, with its new name."""
    flag = option.opts[0]
    new = renamed.FLAG_VALUES.get(flag, {}).get(value or "")
    if new is not None:
        raise click.BadParameter(f"{value!r} is now {new!r}: give {flag} {new}.")
    return value


DATA_FLAGS = [
    click.option(
        "--data",
        metavar="FILE",
        help="A .jsonl, .json, .csv or .parquet file, hf:owner/name, bench:NAME, pocket:TASK.",
    ),
    click.option("--records", metavar="PATH", help="Path to the list in a JSON file (default: its only list)."),
    click.option("--field", "fields", multiple=True, metavar="NAME=FIELD", help="Field map, e.g. input=question."),
    click.option("--metric", metavar="TYPE", help="Answer type: exact, label, choice, number, boolean, words, f1, …"),
    click.option("--placement", metavar="POSITION", help="system, before_Q, Q_begin, Q_end (default) or A_begin."),
    click.option("--limit", type=int, help="Read at most this many examples."),
    click.option("--data-folder", metavar="FOLDER", help="Folder with a benchmark's own files (default: the hub)."),
]
CONNECTION_FLAGS = [
    click.option(
        "--base-url",
        multiple=True,
        metavar="URL",
        help="Endpoint of the target model (http://localhost:8000/v1); repeat it for a pool.",
    ),
    click.option(
        "--api-key-env",
        multiple=True,
        metavar="VAR",
        help="Environment variable with the key (default: the provider's own); repeat it for a pool.",
    ),
    click.option(
        "--batch/--no-batch",
        default=None,
        help="Use the provider's batch API: half the price, up to 24 hours per step (default no).",
    ),
    click.option("--concurrency", type=int, help="Maximum number of target requests in flight (default 16)."),
    click.option("--timeout", type=float, help="Timeout of a target request in seconds (default 60)."),
    click.option("--max-attempts", type=int, help="Maximum number of attempts per target request (default 10)."),
    header_flag("", "the target"),
]
"""How the target model is reached: what may change while a run is resumed."""
TARGET_FLAGS = [
    click.option(
        "--target",
        metavar="MODEL",
        help="Target model: PROVIDER:NAME (openai, anthropic, gemini, azure, ollama, …), local:PATH, pocket.",
    ),
    *CONNECTION_FLAGS,
    click.option("--max-tokens", type=int, help="Maximum length of a target reply in tokens (default 512)."),
    click.option("--temperature", type=float, help="Sampling temperature of the target (default 0)."),
    click.option("--max-missing", type=float, help="Share of target calls that may fail for good (default 0.02)."),
    *request_flags("", "the target"),
]
PROMPT_FLAGS = [
    click.option("--prompt", help="The initial prompt."),
    click.option("--prompt-file", type=click.Path(path_type=Path), help="A file with the initial prompt."),
]
OPTIMIZER_MODEL_FLAGS = [
    *PROMPT_FLAGS,
    click.option(
        "--optimizer-model",
        metavar="MODEL",
        help="Model that rewrites the prompt: PROVIDER:NAME or editor (default).",
    ),
    click.option(
        "--optimizer-model-base-url",
        multiple=True,
        metavar="URL",
        help="Endpoint of the optimizer model; repeat it for a pool.",
    ),
    click.option(
        "--optimizer-model-api-key-env",
        multiple=True,
        metavar="VAR",
        help="Environment variable with the optimizer model's key (default: the provider's own).",
    ),
    header_flag("optimizer-model-", "the optimizer model"),
    *request_flags("optimizer-model-", "the optimizer model"),
]
SPLIT_FLAGS = [
    click.option("--train", "train_size", type=float, help="Number (or fraction) of training examples."),
    click.option("--dev", "dev_size", type=float, help="Dev examples, on which every candidate is scored."),
    click.option("--test", "test_size", type=float, help="Test examples, used once, at the end."),
]
OPTIMIZER_FLAGS = [
    *SPLIT_FLAGS,
    click.option(
        "--optimizer",
        metavar="NAME",
        callback=_refuse_model,
        help="Algorithm that proposes prompts (default askwell); see `askwell optimizers`.",
    ),
    click.option(
        "--racing",
        metavar="NAME",
        help="Early stopping of weak candidates (askwell, successive-halving, capo-paired-t), or full.",
    ),
    click.option("--demos", metavar="NAME", help="Demonstrations: none, random, per-class, nearest or joint."),
    click.option("--demos-count", type=int, help="Number of demonstrations (default 4)."),
    click.option("--candidates", type=int, help="New prompts per step (default 8)."),
    click.option("--steps", type=int, help="Maximum number of steps (default 18)."),
    click.option("--patience", type=int, help="Stop after this many steps without a better dev score (default never)."),
    click.option("--seed", type=int, help="Random seed: the same seed gives the same log (default 0)."),
    click.option("--run", "run_name", metavar="NAME", help="Name of the run's folder."),
    click.option("--trace", metavar="DETAIL", help="Send OpenTelemetry spans: calls, or content (with the messages)."),
]
BUDGET_FLAGS = [
    click.option("--budget-calls", type=int, help="Maximum number of calls, both models together."),
    click.option("--budget-tokens", type=int, help="Maximum number of tokens, both models together."),
    click.option("--budget-usd", type=float, help="Maximum cost in US dollars (needs known prices)."),
    click.option("--budget-minutes", type=float, help="Maximum duration in minutes."),
]
"""A run that reaches one of these limits ends normally, with the best prompt so far."""
_RUNS_HELP = "Folder of the runs (default runs)."
RUNS_FLAG = click.option("--runs", "folder", metavar="FOLDER", help=_RUNS_HELP)
"""For commands with a config file, which may name the folder: None leaves it."""
FOLDER_FLAG = click.option(
    "--runs", "folder", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, metavar="FOLDER", help=_RUNS_HELP
)
"""For commands without a config file."""
JSON_FLAG = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


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
    help="Level of askwell's own log messages (default error).",
)
_DEBUG_FLAG = click.option("--debug", is_flag=True, help="Show tracebacks, and the log messages of every library.")


def reports_errors(command: _Command) -> _Command:
    """Print an `AskwellError` as one message and exit with its status; `--debug` shows the traceback."""

    @_LOG_LEVEL_FLAG
    @_DEBUG_FLAG
    @wraps(command)
    def wrapped(*args: Any, debug: bool, log_level: str, **kwargs: Any) -> Any:
        _configure_logging("debug" if debug else log_level, all_libraries=debug)
        try:
            return command(*args, **kwargs)
        except AskwellError as error:
            if debug:
                traceback.print_exc()
                sys.exit(error.exit_status)
            click.echo(f"askwell: {error}", err=True)
            sys.exit(error.exit_status)

    return wrapped  # type: ignore[return-value]


def _configure_logging(level: str, *, all_libraries: bool) -> None:
    logging.basicConfig(level=logging.DEBUG if all_libraries else logging.ERROR, format="%(name)s: %(message)s")
    logging.getLogger("askwell").setLevel(level.upper())
    # What Ctrl-C does, and a placeholder that is sent as it stands: a user has to see these at any level.
    for name in ("core.event_loop", "api.build_prompts"):
        logging.getLogger(f"askwell.{name}").setLevel(logging.WARNING)


_KEYS = {
    "prompt": "prompt",
    "optimizer_model": "optimizer_model.model",
    "optimizer_model_base_url": "optimizer_model.base_url",
    "optimizer_model_api_key_env": "optimizer_model.api_key_env",
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
    "max_missing": "run.max_missing",
    **{
        f"{prefix}{key}": f"{section}.{key}"
        for prefix, section in (("", "target"), ("optimizer_model_", "optimizer_model"))
        for key in ("headers", "extra_body", "top_p", "stop", "reasoning_effort", "completions")
    },
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
"""Flag -> config key."""


def overrides(values: dict[str, Any], keys: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the flags' values by config key; `keys` are the command's own. Raises `ConfigError` for a bad --field."""
    file: Path | None = values.pop("prompt_file", None)
    if file is not None:
        if values.get("prompt") is not None:
            raise ConfigError("--prompt and --prompt-file are both given; give one initial prompt")
        values["prompt"] = read_prompt(file)
    pairs: tuple[str, ...] = values.pop("fields", ())
    fields: dict[str, str] = {}
    for pair in pairs:
        name, equals, field = pair.partition("=")
        if not equals or not name or not (field or name == "id"):  # an empty id field: ids are made from the content
            raise ConfigError(f"--field {pair!r} is not NAME=FIELD; give for example --field input=question")
        fields[name] = field
    key_of = {**_KEYS, **(keys or {})}
    return {key_of[flag]: _collapse(value) for flag, value in {**values, "fields": fields or None}.items()}


def read_prompt(path: Path) -> str:
    """Read a file that contains a prompt. Raises `ConfigError` if it can't be read or is not UTF-8."""
    try:
        return read_text_file(path).strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the prompt file {str(path)!r}: {error}") from error


def _collapse(value: object) -> object:
    """Return the value of a flag that may be repeated: None, the only value, or all values."""
    if not isinstance(value, tuple):
        return value
    values = tuple(dict.fromkeys(cast("tuple[object, ...]", value)))
    return values if len(values) > 1 else next(iter(values), None)


def runs_flag(folder: Path) -> str:
    """Return ` --runs FOLDER` for a command that is suggested to the user; empty for the default folder."""
    return "" if folder == Path(DEFAULT_FOLDER) else f" --runs {folder}"

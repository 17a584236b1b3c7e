"""The command line: names and flags in, tables out. Errors are a line or two; `--debug` adds the traceback."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

import askwell
from askwell.errors import AskwellError, ConfigError

_Command = TypeVar("_Command", bound=Callable[..., Any])

_DATA_FLAGS = [
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
_TARGET_FLAGS = [
    click.option("--target", metavar="MODEL", help="openai:NAME, local:PATH or pocket."),
    click.option("--base-url", metavar="URL", help="Endpoint of the target model (http://localhost:8000/v1)."),
    click.option("--api-key-env", metavar="VAR", help="Variable that holds the key (default OPENAI_API_KEY)."),
    click.option("--concurrency", type=int, help="Most target requests in flight (default 16)."),
    click.option("--timeout", type=float, help="Seconds until a target request has failed (default 60)."),
    click.option("--max-attempts", type=int, help="Tries a target request gets (default 10)."),
    click.option("--max-tokens", type=int, help="Longest target reply, in tokens (default 512)."),
    click.option("--temperature", type=float, help="Target sampling temperature (default 0)."),
]
_RUNS_FLAG = click.option("--runs", "folder", default=None, metavar="FOLDER", help="Where runs stand (default runs).")
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


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(askwell.__version__, prog_name="askwell")
def main() -> None:
    """Find the prompts that make a language model answer better, learnt from your own examples.

    \b
    askwell demo                                   the whole job on the bundled model: no key, no network
    askwell optimize --data q.jsonl --metric number --target openai:gpt-4.1-mini --optimizer openai:gpt-4.1
    askwell evaluate --data q.jsonl --prompt "A" --prompt "B" --target openai:gpt-4.1-mini --metric number
    """  # noqa: D301 - \b is click's own mark


@main.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--prompt", help="The instruction to start from.")
@click.option("--optimizer", metavar="MODEL", help="Who rewrites the prompt: openai:NAME or editor (default).")
@click.option("--optimizer-base-url", metavar="URL", help="Endpoint of the optimizer model.")
@flags(_DATA_FLAGS, _TARGET_FLAGS)
@click.option("--train", "train_size", type=float, help="Training examples, a count or a share.")
@click.option("--dev", "dev_size", type=float, help="Dev examples: every candidate is scored on them.")
@click.option("--test", "test_size", type=float, help="Test examples: touched once, at the end.")
@click.option("--preset", metavar="NAME", help="Who proposes prompts (default gpo); `askwell presets` lists them.")
@click.option("--candidates", type=int, help="New prompts a step (default 8).")
@click.option("--steps", type=int, help="Steps at the most (default 18).")
@click.option("--patience", type=int, help="Stop after so many steps without a better dev score (default never).")
@click.option("--seed", type=int, help="Seed of everything: same seed, same log (default 0).")
@click.option("--run", "run_name", metavar="NAME", help="Name of the run's folder.")
@_RUNS_FLAG
@click.option("--budget-calls", type=int, help="Most calls, both models together: the run ends with its best so far.")
@click.option("--budget-tokens", type=int, help="Most tokens, likewise.")
@click.option("--budget-usd", type=float, help="Most US dollars, likewise (needs known prices).")
@click.option("--budget-minutes", type=float, help="Most minutes, likewise.")
@click.option("--resume", metavar="RUN", help="Go on with a run: nothing that was paid for is paid again.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@told
def optimize(config: Path | None, resume: str | None, as_json: bool, **given: Any) -> None:
    """Optimize a prompt, by a CONFIG file (TOML), by flags, or both (flags win)."""
    from askwell import commands

    commands.optimize(config, resume=resume, as_json=as_json, overrides=_overrides(given))


@main.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--prompt", "prompts", multiple=True, help="A prompt to score; may be given several times.")
@click.option("--prompt-file", "files", multiple=True, type=click.Path(path_type=Path), help="A file with a prompt.")
@flags(_DATA_FLAGS, _TARGET_FLAGS)
@click.option("--run", "run_name", metavar="NAME", help="Name of the folder that keeps the answers.")
@_RUNS_FLAG
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@told
def evaluate(
    config: Path | None, prompts: tuple[str, ...], files: tuple[Path, ...], as_json: bool, **given: Any
) -> None:
    """Score one or several prompts on a data set: accuracy and paired differences, with 95 % intervals."""
    from askwell import commands

    texts = [*prompts, *(_prompt_file(path) for path in files)]
    commands.evaluate(config, texts, as_json=as_json, overrides=_overrides(given))


@main.command()
@_RUNS_FLAG
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@told
def runs(folder: str | None, as_json: bool) -> None:
    """List the runs of a folder."""
    from askwell import commands

    commands.list_runs(Path(folder or "runs"), as_json=as_json)


@main.command()
@click.argument("run")
@_RUNS_FLAG
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--prompt", "prompt_only", is_flag=True, help="Print the best prompt alone, exactly as it is sent.")
@told
def show(run: str, folder: str | None, as_json: bool, prompt_only: bool) -> None:
    """Show a run: best prompt, what changed, curve, spend. Works while the run is on."""
    from askwell import commands

    commands.show(Path(folder or "runs"), run, as_json=as_json, prompt_only=prompt_only)


@main.command()
@click.option("--task", default=None, metavar="NAME", help="Which bundled task.")
@click.option("--steps", type=int, default=None, help="Optimization steps.")
@click.option("--seed", type=int, default=0, help="Seed of everything.")
@_RUNS_FLAG
@told
def demo(task: str | None, steps: int | None, seed: int, folder: str | None) -> None:
    """Do the whole job on the bundled model and rewriter: no key, no network, about a minute."""
    from askwell import commands

    commands.demo(task, steps=steps, seed=seed, folder=Path(folder or "runs"))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@told
def presets(as_json: bool) -> None:
    """List what --preset takes: published optimizers, references and controls."""
    from askwell import commands

    commands.list_presets(as_json=as_json)


@main.group()
def data() -> None:
    """Look at data sets: which come ready, what one is, and whether yours is fit for a run."""


@data.command("list")
@click.argument("matching", default="")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@told
def data_list(matching: str, as_json: bool) -> None:
    """List benchmarks ("bench:…") and bundled tasks ("pocket:…") whose name holds MATCHING."""
    from askwell import data_commands

    data_commands.list_tasks(matching, as_json=as_json)


@data.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@told
def data_show(name: str, as_json: bool) -> None:
    """Say where a benchmark comes from, how it is split and how it is graded."""
    from askwell import data_commands

    data_commands.show_benchmark(name, as_json=as_json)


@data.command("check")
@click.argument("config", required=False, type=click.Path(path_type=Path))
@flags(_DATA_FLAGS)
@click.option("--train", "train_size", type=float, help="Training examples, a count or a share.")
@click.option("--dev", "dev_size", type=float, help="Dev examples.")
@click.option("--test", "test_size", type=float, help="Test examples.")
@click.option("--prompt", help="Show an example with this instruction.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@told
def data_check(config: Path | None, as_json: bool, **given: Any) -> None:
    """Load, split, grade and render a data set as a run would; no model is asked."""
    from askwell import data_commands

    data_commands.check(config, as_json=as_json, overrides=_overrides(given))


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


def _overrides(given: dict[str, Any]) -> dict[str, Any]:
    pairs: tuple[str, ...] = given.pop("fields", ())
    fields: dict[str, str] = {}
    for pair in pairs:
        name, equals, field = pair.partition("=")
        if not equals or not name or not (field or name == "id"):  # an empty id field: ids are made from the content
            raise ConfigError(f"--field {pair!r} is not NAME=FIELD; give for example --field input=question")
        fields[name] = field
    return {_KEYS[flag]: value for flag, value in {**given, "fields": fields or None}.items()}


def _prompt_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the prompt file {str(path)!r}: {error}") from error

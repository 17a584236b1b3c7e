"""The command line: names and flags in, tables out. Errors are a line or two; `--debug` adds the traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import askwell
from askwell import cli_log, cli_query_level, cli_runs
from askwell.cli_flags import (
    BUDGET_FLAGS,
    DATA_FLAGS,
    OPTIMIZER_FLAGS,
    RUNS_FLAG,
    SEARCH_FLAGS,
    TARGET_FLAGS,
    flags,
    overrides,
    told,
)
from askwell.errors import ConfigError


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
@flags(OPTIMIZER_FLAGS, DATA_FLAGS, TARGET_FLAGS, SEARCH_FLAGS, [RUNS_FLAG], BUDGET_FLAGS)
@click.option("--resume", metavar="RUN", help="Go on with a run: nothing that was paid for is paid again.")
@click.option("--yes", is_flag=True, help="Don't ask before a run that is expected to cost more than $5.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@told
def optimize(config: Path | None, resume: str | None, yes: bool, as_json: bool, **given: Any) -> None:
    """Optimize a prompt, by a CONFIG file (TOML), by flags, or both (flags win)."""
    from askwell import commands

    commands.optimize(config, resume=resume, yes=yes, as_json=as_json, overrides=overrides(given))


@main.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--prompt", "prompts", multiple=True, help="A prompt to score; may be given several times.")
@click.option("--prompt-file", "files", multiple=True, type=click.Path(path_type=Path), help="A file with a prompt.")
@flags(DATA_FLAGS, TARGET_FLAGS)
@click.option("--run", "run_name", metavar="NAME", help="Name of the folder that keeps the answers.")
@RUNS_FLAG
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@told
def evaluate(
    config: Path | None, prompts: tuple[str, ...], files: tuple[Path, ...], as_json: bool, **given: Any
) -> None:
    """Score one or several prompts on a data set: accuracy and paired differences, with 95 % intervals."""
    from askwell import commands

    texts = [*prompts, *(_prompt_file(path) for path in files)]
    commands.evaluate(config, texts, as_json=as_json, overrides=overrides(given))


@main.command()
@RUNS_FLAG
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@told
def runs(folder: str | None, as_json: bool) -> None:
    """List the runs of a folder."""
    from askwell import commands

    commands.list_runs(Path(folder or "runs"), as_json=as_json)


@main.command()
@click.argument("run")
@RUNS_FLAG
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--prompt", "prompt_only", is_flag=True, help="Print the best prompt alone, exactly as it is sent.")
@click.option("--diff", is_flag=True, help="Print what changed against the initial prompt, word by word.")
@click.option("--cells", is_flag=True, help="List the best prompt's cells, missing and worst ones first.")
@click.option("--cell", metavar="PROMPT:EXAMPLE[:SAMPLE]", help="Print one call (PROMPT: an id, initial or best).")
@told
def show(
    run: str, folder: str | None, as_json: bool, prompt_only: bool, diff: bool, cells: bool, cell: str | None
) -> None:
    """Show a run: best prompt, what changed, curve, spend, any one call. Works while the run is on."""
    from askwell import commands, run_commands

    place = Path(folder or "runs")
    if cell is not None:
        run_commands.show_cell(place, run, cell, as_json=as_json)
    elif cells:
        run_commands.list_cells(place, run, as_json=as_json)
    elif diff:
        run_commands.show_diff(place, run)
    else:
        commands.show(place, run, as_json=as_json, prompt_only=prompt_only)


@main.command()
@click.option("--task", default=None, metavar="NAME", help="Which bundled task, for the first act alone.")
@click.option("--act", type=click.IntRange(1, 2), default=None, help="Play one act only: 1 or 2.")
@click.option("--steps", type=int, default=None, help="Optimization steps.")
@click.option("--seed", type=int, default=0, help="Seed of everything.")
@RUNS_FLAG
@told
def demo(task: str | None, act: int | None, steps: int | None, seed: int, folder: str | None) -> None:
    """Do the whole job on the bundled model: no key, no network, some minutes.

    First act: optimize one prompt for a task. Second act: learn to write one for each query of three mixed tasks.
    """
    from askwell import demo_commands

    demo_commands.demo(task, act=act, steps=steps, seed=seed, folder=Path(folder or "runs"))


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
@flags(DATA_FLAGS)
@click.option("--train", "train_size", type=float, help="Training examples, a count or a share.")
@click.option("--dev", "dev_size", type=float, help="Dev examples.")
@click.option("--test", "test_size", type=float, help="Test examples.")
@click.option("--prompt", help="Show an example with this instruction.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@told
def data_check(config: Path | None, as_json: bool, **given: Any) -> None:
    """Load, split, grade and render a data set as a run would; no model is asked."""
    from askwell import data_commands

    data_commands.check(config, as_json=as_json, overrides=overrides(given))


def _prompt_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the prompt file {str(path)!r}: {error}") from error


for _command in (*cli_runs.COMMANDS, *cli_log.COMMANDS, *cli_query_level.COMMANDS):
    main.add_command(_command)

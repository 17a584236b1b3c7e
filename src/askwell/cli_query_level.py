"""Commands for the query level: what was logged, is a policy worth it, train one, use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from askwell.cli_flags import DATA_FLAGS, RUNS_FLAG, TARGET_FLAGS, flags, overrides, told

SOURCE_FLAGS = [
    click.option("--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Column map, e.g. query=question."),
    click.option("--target-model", metavar="NAME", help="Which target model's outcomes, where there are several."),
    RUNS_FLAG,
]
SERVED_FLAGS = [
    click.option("--target", metavar="MODEL", help="Model in front of which to serve (default the run's)."),
    click.option("--base-url", metavar="URL", help="Its endpoint (http://localhost:8000/v1)."),
    click.option("--api-key-env", metavar="VAR", help="Variable that holds the key (default: the provider's own)."),
    click.option("--placement", metavar="WHERE", help="Where the prompt stands, if the run doesn't say."),
]
_HELD_OUT = click.option(
    "--held-out", multiple=True, metavar="SOURCE", help="Queries that must not be among the data: overlap is refused."
)
_SEED = click.option("--seed", type=int, default=0, help="Seed of everything (default 0).")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="RUN|FILE...")
@flags(SOURCE_FLAGS)
@_HELD_OUT
@_SEED
@_JSON
@told
def experiences(sources: tuple[str, ...], *, as_json: bool, **given: Any) -> None:
    """Show what logged outcomes hold: queries, prompts, density, balance, repeats, headroom.

    Sources are runs and files of records (.jsonl, .csv, .parquet: a query, a prompt and a score each), merged.
    """
    from askwell import query_commands

    query_commands.experiences(query_commands.sourced(sources, given), as_json=as_json)


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="RUN|FILE...")
@flags(SOURCE_FLAGS)
@_HELD_OUT
@_SEED
@_JSON
@told
def headroom(sources: tuple[str, ...], *, as_json: bool, **given: Any) -> None:
    """Measure what one prompt a query could add to the best single one, luck taken out."""
    from askwell import query_commands

    query_commands.headroom(query_commands.sourced(sources, given), as_json=as_json)


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="RUN|FILE...")
@click.option(
    "--scorer", "scorers", multiple=True, metavar="NAME", help="Compare only this one; may be given several times."
)
@flags(SOURCE_FLAGS)
@_HELD_OUT
@_SEED
@_JSON
@told
def compare(sources: tuple[str, ...], *, scorers: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Compare ways to send prompts on logged outcomes alone: best single prompt, random, oracle, every scorer.

    Cross-validated over queries, with paired intervals; no call is paid. A finished training among the RUNs stands for
    the sources it learnt from, and its test joins the table.
    """
    from askwell import compare_commands, query_commands

    compare_commands.comparison(query_commands.sourced(sources, given), scorers=scorers, as_json=as_json)


@click.command()
@click.argument("sources", nargs=-1, metavar="[RUN|FILE]...")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="A config file; sections [task] … and [policy]."
)
@flags(DATA_FLAGS, TARGET_FLAGS)
@click.option("--method", metavar="NAME", help="askwell (default), or qpo: QPO as published.")
@click.option("--base", metavar="MODEL", help="Language model to start from: gpt2 (default), pocket, a name, a folder.")
@click.option("--objective", metavar="NAME", help="reward-conditioned, filtered-cloning, advantage-weighted or dpo.")
@click.option("--signal", metavar="NAME", help="reward, advantage or group.")
@click.option("--reward", metavar="NAME", help="accuracy, or a formula of the paper: choice, few-shot or free-text.")
@click.option("--scorer", metavar="NAME", help="Choose among the logged prompts by it (multitask, …): no call is paid.")
@click.option("--loops", type=int, help="Trainings at the most (default 3).")
@click.option("--acquire", type=int, help="New pairs labelled a loop (default 200).")
@click.option("--acquisition", metavar="NAME", help="Which queries are asked next: uniform or uncertainty.")
@click.option("--samples", type=int, help="Prompts ranked a query; 0 sends the greedy one (default 4).")
@click.option("--epochs", type=int, help="Passes over the data at the most.")
@click.option("--shots", type=int, help="Demonstrations that go with every prompt (default 0).")
@click.option("--force", is_flag=True, default=None, help="Train although headroom shows nothing to gain.")
@click.option("--seed", type=int, help="Seed of everything (default 0).")
@click.option("--run", "run_name", metavar="NAME", help="Name of the training's folder.")
@click.option("--budget-calls", type=int, help="Most target calls; enough for the final test is kept back.")
@click.option("--resume", metavar="RUN", help="Go on with a training: nothing that was paid for is paid again.")
@flags(SOURCE_FLAGS)
@_HELD_OUT
@_JSON
@told
def train(sources: tuple[str, ...], path: Path | None, *, resume: str | None, as_json: bool, **given: Any) -> None:
    """Learn to write a prompt for each query from what runs and files logged, where that beats one prompt.

    Headroom first; then loops of training and labelling; then one test. New prompts are tried on the task and target of
    the first run named, or on those of the flags.
    """
    from askwell import query_commands, train_commands

    keys = ("columns", "target_model", "folder", "held_out")
    which = query_commands.sourced(sources, {key: given.pop(key) for key in keys})
    train_commands.train(which, path, resume=resume, as_json=as_json, overrides=overrides(given, _KEYS))


@click.group()
def policy() -> None:
    """Use a trained policy, and look at what was measured of it."""


@policy.command("prompt")
@click.argument("run")
@click.argument("queries", nargs=-1, required=True, metavar="QUERY...")
@RUNS_FLAG
@_JSON
@told
def policy_prompt(run: str, queries: tuple[str, ...], folder: str | None, *, as_json: bool) -> None:
    """Print the prompt that goes with each QUERY."""
    from askwell import train_commands

    train_commands.prompt(Path(folder or "runs"), run, list(queries), as_json=as_json)


@policy.command("estimate")
@click.argument("run")
@click.argument("sources", nargs=-1, required=True, metavar="RUN|FILE...")
@flags(SOURCE_FLAGS)
@_SEED
@_JSON
@told
def policy_estimate(run: str, sources: tuple[str, ...], *, as_json: bool, **given: Any) -> None:
    """Estimate what RUN's policy would score, from outcomes logged elsewhere; no call is paid.

    Doubly robust, IPS and direct, with intervals. Logged queries that the policy was learnt from are left out; too few
    others are refused.
    """
    from askwell import estimate_commands, query_commands

    estimate_commands.estimate(run, query_commands.sourced(sources, given), as_json=as_json)


@policy.command("show")
@click.argument("run")
@RUNS_FLAG
@_JSON
@told
def policy_show(run: str, folder: str | None, *, as_json: bool) -> None:
    """Show a training: headroom, each loop's figures, the test; of a policy that only chooses, its gain."""
    from askwell import train_commands

    train_commands.show(Path(folder or "runs"), run, as_json=as_json)


@click.command()
@click.argument("run")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8018, show_default=True, help="Port to listen on.")
@flags(SERVED_FLAGS)
@RUNS_FLAG
@told
def serve(run: str, folder: str | None, host: str, port: int, **given: Any) -> None:
    """Serve a run's policy in front of its target: an OpenAI-compatible endpoint that adds the prompt to each query."""
    from askwell import serve_commands

    serve_commands.serve(run, Path(folder or "runs"), host=host, port=port, overrides=overrides(given))


_KEYS = {
    "method": "policy.method",
    "base": "policy.base",
    "objective": "policy.objective",
    "signal": "policy.signal",
    "reward": "policy.reward",
    "scorer": "policy.scorer",
    "loops": "policy.loops",
    "acquire": "policy.acquire",
    "acquisition": "policy.acquisition",
    "samples": "policy.samples",
    "epochs": "policy.epochs",
    "shots": "policy.shots",
    "force": "policy.force",
}
"""Flag -> key of the config, for those that mean something of their own here."""

COMMANDS = (experiences, headroom, compare, train, policy, serve)

"""Commands for the query level: what was logged, is a policy worth it, train one, use it."""

from __future__ import annotations

from typing import Any

import click

from askwell.cli_flags import RUNS_FLAG, flags, told

SOURCE_FLAGS = [
    click.option("--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Column map, e.g. query=question."),
    click.option("--target-model", metavar="NAME", help="Which target model's outcomes, where there are several."),
    RUNS_FLAG,
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


COMMANDS = (experiences, headroom)

"""`askwell headroom`: measure what one prompt per query could gain."""

from __future__ import annotations

from typing import Any

import click

from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.flags import JSON_FLAG, flags, reports_errors
from askwell.cli.headroom_tables import advice_json, headroom_rows
from askwell.cli.sources import HELD_OUT_FLAG, SEED_FLAG, SOURCE_FLAGS, outcome_sources
from askwell.policies.data.table import build_table
from askwell.policies.offline_eval.train_or_not import advise_training


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="RUN|FILE...")
@flags(SOURCE_FLAGS, [HELD_OUT_FLAG, SEED_FLAG, JSON_FLAG])
@reports_errors
def headroom(sources: tuple[str, ...], *, as_json: bool, **values: Any) -> None:
    """Measure how much one prompt per query could gain over the baseline prompt.

    The part of the oracle's gain that is luck is removed.
    """
    selected = outcome_sources(sources, **values)
    worth = advise_training(build_table(selected.read()), seed=selected.seed)
    if as_json:
        tables.print_json(advice_json(worth))
        return
    out = Console()
    for label, value in headroom_rows(worth):
        out.print(Text(f"{label:34} {value}"))
    out.print(Text(worth.verdict))

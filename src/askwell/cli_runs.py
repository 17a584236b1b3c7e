"""Commands around a run: what it will cost, and what its log holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

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


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@flags(OPTIMIZER_FLAGS, DATA_FLAGS, TARGET_FLAGS, SEARCH_FLAGS, [RUNS_FLAG], BUDGET_FLAGS)
@click.option("--latency", type=float, metavar="SECONDS", help="What a target call usually takes (default: a guess).")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@told
def plan(config: Path | None, latency: float | None, as_json: bool, **given: Any) -> None:
    """Say what `askwell optimize` with these flags would cost: calls, tokens, money, time. Asks no model."""
    from askwell import plan_commands

    plan_commands.plan(config, latency_s=latency, as_json=as_json, overrides=overrides(given))


COMMANDS = (plan,)

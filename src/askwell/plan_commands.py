"""`askwell plan`, and the line that `askwell optimize` prints before it begins."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.table import Table

from askwell import tables
from askwell.api.build_jobs import optimize_job
from askwell.api.config import Config
from askwell.api.config_file import read_config
from askwell.api.optimize import plan_of
from askwell.api.plan import Amount, Cut, Plan
from askwell.job import OptimizeJob
from askwell.progress import format_seconds

CONFIRM_USD = 5.0
"""Above this expected cost a person at a terminal is asked first."""
_INTERRUPTED = 130


def plan(path: Path | None, *, latency_s: float | None, as_json: bool, overrides: dict[str, Any]) -> None:
    """Print what a run with these settings would cost."""
    config = read_config(path, overrides)
    found = plan_of(config, optimize_job(config), latency_s=latency_s)
    if as_json:
        tables.print_json(plan_json(found))
        return
    out = Console()
    for part in _page(found, config):
        out.print(part, highlight=False, markup=False)


def announce(config: Config, job: OptimizeJob, *, yes: bool) -> None:
    """Say in one line what the run will cost; ask a person at a terminal where that is much."""
    found = plan_of(config, job)
    Console(stderr=True).print(f"Plan: {one_line(found)}", highlight=False, markup=False)
    cost = found.expected_usd or 0.0
    if cost > CONFIRM_USD and not yes and sys.stdin.isatty() and sys.stderr.isatty():
        if click.confirm(f"About ${cost:.2f}. Begin?", default=True, err=True):
            return
        sys.exit(_INTERRUPTED)


def one_line(found: Plan) -> str:
    """Say the whole plan in a line: `about 3,888 + 144 calls, 512,000 tokens, $0.31, 12 min; at most …`."""
    usual, most = ([getattr(one, case) for one in found.models] for case in ("expected", "worst"))
    text = f"about {_together(usual, found.expected_usd)}, {format_seconds(found.expected_seconds)}"
    cuts = [_cut_text(cut).replace("The", "the", 1) for cut in found.cuts if cut.expected > cut.limit]
    return "; ".join([text, f"at most {_together(most, found.worst_usd)}", *cuts])


def plan_json(found: Plan) -> dict[str, object]:
    """Return a plan as JSON-able values."""
    return {
        "steps": found.steps,
        "models": [
            {
                "role": one.role,
                "model": one.model,
                "expected": _amount_json(one.expected),
                "worst": _amount_json(one.worst),
            }
            for one in found.models
        ],
        "expected_seconds": found.expected_seconds,
        "worst_seconds": found.worst_seconds,
        "expected_usd": found.expected_usd,
        "worst_usd": found.worst_usd,
        "cuts": [
            {
                "cap": cut.cap,
                "limit": cut.limit,
                "expected": cut.expected,
                "worst": cut.worst,
                "last_step": cut.last_step,
            }
            for cut in found.cuts
        ],
    }


def _page(found: Plan, config: Config) -> Iterator[RenderableType]:
    yield f"A run of {found.steps} steps: " + ", ".join(f"{one.role} {one.model}" for one in found.models)
    table = Table()
    for heading in ("", "", "calls", "prompt tokens", "reply tokens", "US$"):
        table.add_column(heading, justify="left" if not heading else "right")
    for one in found.models:
        table.add_row(one.role, "expected", *_cells(one.expected))
        table.add_row("", "at most", *_cells(one.worst))
    yield table
    slow = "if every batch takes a day" if config.target.batch else "if every call times out"
    slowest = "" if found.worst_seconds is None else f"; {format_seconds(found.worst_seconds)} {slow}"
    if config.target.batch:
        yield (
            "The target's calls go in batches, one a step, at half the price (the dearest case is reckoned without). A "
            "batch takes up to 24 hours; an hour is assumed."
        )
    yield f"Time: about {format_seconds(found.expected_seconds)}{slowest}."
    for cut in found.cuts:
        yield f"{_cut_text(cut)}."
    if found.expected_usd is None:
        yield "No price is known: give target.prices and optimizer_model.prices, or install askwell[prices]."
    yield (
        "Tokens are estimates (four characters each), with replies of a quarter of their limit; at most: a byte each, "
        "replies of full length. Calls that fail are tried again and not counted."
    )


def _cut_text(cut: Cut) -> str:
    cap = f"The cap of {cut.limit:g} {cut.cap}"
    if cut.expected > cut.limit:
        return f"{cap} is expected to end the run after step {cut.last_step}"
    return f"{cap} may be reached" if cut.worst is None or cut.worst > cut.limit else f"{cap} is never reached"


def _together(amounts: list[Amount], usd: float | None) -> str:
    calls = " + ".join(f"{one.calls:,}" for one in amounts)
    money = "" if usd is None else f", ${usd:,.2f}"
    return f"{calls} calls, {sum(one.tokens for one in amounts):,} tokens{money}"


def _cells(amount: Amount) -> list[str]:
    usd = "unknown" if amount.cost_usd is None else f"{amount.cost_usd:,.4f}"
    return [f"{amount.calls:,}", f"{amount.prompt_tokens:,}", f"{amount.completion_tokens:,}", usd]


def _amount_json(amount: Amount) -> dict[str, object]:
    return {
        "calls": amount.calls,
        "prompt_tokens": amount.prompt_tokens,
        "completion_tokens": amount.completion_tokens,
        "cost_usd": amount.cost_usd,
    }

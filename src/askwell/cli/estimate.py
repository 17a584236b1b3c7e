"""`askwell policy estimate`: estimate a policy's score from logged outcomes alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table as RichTable

from askwell.api.open import load_policy, read_training_digests
from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.flags import JSON_FLAG, flags, reports_errors
from askwell.cli.sources import SEED_FLAG, SOURCE_FLAGS, outcome_sources

if TYPE_CHECKING:  # they import numpy
    from askwell.policies.offline_eval.off_policy import Estimate
    from askwell.policies.offline_eval.policy_estimate import PolicyEstimate


@click.command()
@click.argument("run")
@click.argument("sources", nargs=-1, required=True, metavar="RUN|FILE...")
@flags(SOURCE_FLAGS, [SEED_FLAG, JSON_FLAG])
@reports_errors
def estimate(run: str, sources: tuple[str, ...], *, as_json: bool, **values: Any) -> None:
    """Estimate the score of RUN's policy from outcomes logged elsewhere; no model is called.

    Prints the doubly robust, IPS and direct estimates, with intervals. Logged queries that the policy was trained on
    are left out; too few others are refused.
    """
    from askwell.policies.offline_eval.policy_estimate import estimate_policy

    selected = outcome_sources(sources, **values)
    trained_on = read_training_digests(run, runs_folder=selected.folder)
    policy = load_policy(run, runs_folder=selected.folder)
    result = estimate_policy(policy, selected.read(), trained_on=trained_on, seed=selected.seed)
    if as_json:
        tables.print_json(_estimate_json(result))
        return
    out = Console()
    out.print(_table(result))
    for line in _notes(result):
        out.print(Text(line))


def _estimate_json(result: PolicyEstimate) -> dict[str, object]:
    return {
        "policy": asdict(result.policy),
        "single": None if result.baseline is None else asdict(result.baseline),
        "logged": result.logged,
        "learnt": result.trained_on,
        "unlogged": result.unlogged,
    }


def _table(result: PolicyEstimate) -> RichTable:
    title = f"Estimated on {result.policy.queries:,} logged queries: points of 100"
    table = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("estimator")
    table.add_column("policy", justify="right", no_wrap=True)
    if result.baseline is not None:
        table.add_column("its baseline prompt", justify="right", no_wrap=True)
    for label, name in (("doubly robust", "doubly_robust"), ("IPS, self-normalised", "ips"), ("direct", "direct")):
        both = [getattr(scored, name) for scored in (result.policy, result.baseline) if scored is not None]
        table.add_row(label, *(Text(_format(value)) for value in both), style="bold" if name == "doubly_robust" else "")
    return table


def _notes(result: PolicyEstimate) -> list[str]:
    matched = round(result.policy.matched * result.policy.queries)
    notes = [
        f"For {matched:,} of these {result.policy.queries:,} queries, the policy's prompt was logged with that query."
    ]
    if result.policy.ips is None:
        notes.append("That is too few: the estimate rests almost only on a model, so do not trust it.")
    if result.trained_on is None:
        notes.append(
            "Which queries the policy was trained on is not recorded: if it was on these, the estimate is too high."
        )
    elif result.trained_on:
        notes.append(
            f"{result.trained_on:,} of the {result.logged:,} logged queries are left out: the policy was "
            "trained on them."
        )
    if result.unlogged:
        notes.append(
            f"{result.unlogged:,} queries are left out: their prompt was logged for no query, so this is not "
            "the policy's score on all of them."
        )
    return [
        *notes,
        "Intervals are at 95 %. Read the doubly robust estimate; the others show where it comes from. A query's logged "
        "prompts count as equally likely to have been logged.",
    ]


def _format(estimated: Estimate | None) -> str:
    if estimated is None:
        return "?"
    return f"{100 * estimated.value:.1f} [{100 * estimated.low:.1f}, {100 * estimated.high:.1f}]"

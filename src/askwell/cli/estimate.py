"""`askwell policy estimate`: estimate a policy's score from logged outcomes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from askwell.api.train import load_policy, read_training_digests
from askwell.cli import tables
from askwell.cli.flags import JSON_FLAG, flags, reports_errors
from askwell.cli.sources import SEED_FLAG, SOURCE_FLAGS, outcome_sources
from askwell.core.errors import DataError
from askwell.core.protocols import Policy
from askwell.core.types import Prompt
from askwell.policies.data.outcomes import PairOutcomes, drop_queries
from askwell.policies.data.table import OutcomeTable, build_table
from askwell.policies.data.training_queries import digest_query
from askwell.policies.fallback_policy import FallbackPolicy
from askwell.policies.offline_eval.off_policy import MIN_MATCHED, Estimate, OffPolicyEstimate, estimate_off_policy
from askwell.policies.selection.selection import MIN_QUERIES, SelectionPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEstimate:
    """The estimates for a policy, and how much of the log they rest on."""

    policy: OffPolicyEstimate
    baseline: OffPolicyEstimate | None
    """The policy's baseline prompt on the same queries; None if it has none, or if the log lacks it."""
    logged: int
    """Queries in the log."""
    trained_on: int | None
    """Of these, the queries the policy was trained on, which are left out. None: they were not recorded."""
    unlogged: int
    """Of the others, the queries whose prompt was logged for no query, which are left out."""


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


def estimate_policy(
    policy: Policy, cells: PairOutcomes, *, trained_on: frozenset[str] | None, seed: int
) -> PolicyEstimate:
    """Estimate on the logged queries whose digests are not in `trained_on`; raises `DataError` for too few of them."""
    seen = [query for query in cells.queries if trained_on is not None and digest_query(query) in trained_on]
    unseen = drop_queries(cells, seen)
    if len(unseen.queries) < MIN_QUERIES:
        raise DataError(
            f"the policy was trained on {len(seen)} of the {len(cells.queries)} logged queries, and an estimate "
            f"needs {MIN_QUERIES} others: name outcomes on queries that it has not seen"
        )
    table = build_table(unseen)
    prompts = policy.prompts_for(table.queries)
    if any(prompt.demos for prompt in prompts):
        raise DataError(
            "the policy sends demonstrations with its prompts, and logged outcomes are of prompts without: the log "
            "has no evidence for it"
        )
    part, sent = _logged_part(table, prompts)
    baseline = _baseline_prompt(policy)
    return PolicyEstimate(
        policy=estimate_off_policy(part, sent, seed=seed),
        baseline=estimate_off_policy(part, [baseline] * len(sent), seed=seed) if baseline in part.prompts else None,
        logged=len(cells.queries),
        trained_on=None if trained_on is None else len(seen),
        unlogged=len(prompts) - len(sent),
    )


def _logged_part(table: OutcomeTable, prompts: Sequence[Prompt]) -> tuple[OutcomeTable, list[str]]:
    """Keep the queries whose prompt was logged, if only for other queries."""
    texts = [prompt.instruction for prompt in prompts]
    rows = [row for row, text in enumerate(texts) if text in table.prompts]
    if len(rows) < MIN_QUERIES:
        raise DataError(
            f"{len(texts) - len(rows)} of {len(texts)} queries get a prompt that was logged for no query, and an "
            f"estimate needs {MIN_QUERIES} others; label some on the target"
        )
    return table.select_rows(rows), [texts[row] for row in rows]


def _baseline_prompt(policy: Policy) -> str:
    """Return the prompt that a policy falls back on; empty if it has none, or sends nothing else."""
    match policy:
        case SelectionPolicy():
            return policy.prompts[policy.baseline]
        case FallbackPolicy():
            return policy.baseline.instruction
        case _:
            return ""


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
    if matched < MIN_MATCHED:
        notes.append(
            f"That is fewer than {MIN_MATCHED}: the estimate rests almost only on a model, so do not trust it."
        )
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

"""Estimate a policy and its baseline prompt on logged queries that the policy was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.errors import DataError
from askwell.core.protocols import Policy
from askwell.core.types import Prompt
from askwell.policies.data.outcomes import PairOutcomes, drop_queries
from askwell.policies.data.table import OutcomeTable, build_table
from askwell.policies.data.training_queries import digest_query
from askwell.policies.fallback_policy import FallbackPolicy
from askwell.policies.offline_eval.off_policy import OffPolicyEstimate, estimate_off_policy
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

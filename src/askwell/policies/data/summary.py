"""Describe offline data before anything is trained on it: sizes, density, repeats, balance, and warnings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from askwell.core.errors import DataError
from askwell.policies.data.outcomes import PairOutcomes

MIN_DENSITY = 0.05
"""Below this density two prompts seldom have outcomes on the same query, so per-query comparisons are few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSummary:
    """The contents of offline data in numbers."""

    queries: int
    prompts: int
    pairs: int
    """(query, prompt) pairs with at least one scored answer."""
    samples: int
    """Scored answers of all pairs together."""
    targets: tuple[str, ...]
    density: float
    """Share of all possible (query, prompt) pairs that have an outcome."""
    repeated: float
    """Share of pairs with two samples or more. At 0, noise and interaction can't be separated."""
    success: float
    """Mean score over pairs; near 0 or 1 there is little to learn."""
    failures: int
    """Pairs in which no sample scored above 0. If there are none, failures were probably filtered out."""
    balance: float
    """Evenness of prompts over pairs: entropy / log(prompts); 1 = every prompt has equally many pairs."""
    copies: int = 0
    conflicts: int = 0
    warnings: tuple[str, ...] = ()


def summarize(outcomes: PairOutcomes) -> OutcomeSummary:
    """Describe offline data. Raises `DataError` if there is none."""
    if not outcomes.pairs:
        raise DataError(
            "no scored (query, prompt) pairs: nothing to learn from; name a finished run or a file with rows"
        )
    queries, prompts, n = len(outcomes.queries), len(outcomes.prompts), len(outcomes.pairs)
    summary = OutcomeSummary(
        queries=queries,
        prompts=prompts,
        pairs=n,
        samples=sum(pair.repeats for pair in outcomes.pairs),
        targets=outcomes.targets,
        density=n / (queries * prompts * len(outcomes.targets)),
        repeated=sum(pair.repeats > 1 for pair in outcomes.pairs) / n,
        success=math.fsum(pair.mean for pair in outcomes.pairs) / n,
        failures=sum(pair.total == 0 for pair in outcomes.pairs),
        balance=_evenness(list(Counter(pair.prompt for pair in outcomes.pairs).values())),
        copies=outcomes.copies,
        conflicts=outcomes.conflicts,
    )
    return replace(summary, warnings=tuple(_warnings(summary)))


def _warnings(summary: OutcomeSummary) -> Iterator[str]:
    if not summary.failures:
        yield "the data contain no failure: a policy can't learn what doesn't work; log failed attempts too"
    if summary.prompts == 1:
        yield "only one prompt was tried: there is nothing to choose from"
    if not summary.repeated:
        yield "no pair was sampled twice: sampling noise can't be separated from prompt effects"
    if summary.density < MIN_DENSITY:
        yield f"only {summary.density:.1%} of the (query, prompt) pairs were tried: per-query comparisons will be few"
    if len(summary.targets) > 1:
        yield f"outcomes of {len(summary.targets)} target models: name one"


def _evenness(counts: Sequence[int]) -> float:
    if len(counts) < 2:
        return 1.0
    total = sum(counts)
    return -math.fsum(count / total * math.log(count / total) for count in counts) / math.log(len(counts))

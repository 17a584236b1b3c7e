"""Who is learnt from, who is tuned on, who is asked: a task's queries split by unique query, the logged ones first.

Train and dev hold logged outcomes; collection holds queries that nothing (or little) is known of yet; test is the
task's own test split, touched once at the end. No query is in two of them, under any wording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from askwell.core.errors import DataError
from askwell.core.types import Example, Split
from askwell.policies.data.outcomes import PairOutcomes, drop_queries, keep_queries
from askwell.tasks.splits import check_disjoint, normalize_question, split

MIN_LOGGED = 8
"""Fewer logged queries of the task than this, and there is nothing to split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitShares:
    """How the task's queries are split; shares of those that are not test queries."""

    dev: float = 0.25
    """For early stopping, the guard and each loop's figures; of the logged and of the other queries alike."""
    most_dev: int = 100
    """Dev queries at the most: each loop pays two target calls for each."""
    collection: float = 0.25
    """Share of the logged queries put aside to collect on, where the task has no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySplits:
    """A split of what there is."""

    train: PairOutcomes
    dev: PairOutcomes
    """Logged outcomes on dev queries."""
    dev_examples: tuple[Example, ...]
    collection: tuple[Example, ...]
    test: tuple[Example, ...]


def split_queries(
    cells: PairOutcomes, splits: Mapping[Split, Sequence[Example]], *, shares: SplitShares | None = None, seed: int = 0
) -> QuerySplits:
    """Split by unique query. Raises `DataError` where a test query was logged, or too few of the task's queries were.

    Logged queries that the task doesn't have can't be asked about again: they are learnt from.
    """
    shares = shares or SplitShares()
    test = tuple(splits.get("test", ()))
    _refuse_logged(cells, test)
    own = {normalize_question(query) for query in cells.queries}
    asked = [example for name in ("train", "dev") for example in splits.get(name, ())]
    logged = [example for example in asked if normalize_question(example.input) in own]
    fresh = [example for example in asked if normalize_question(example.input) not in own]
    if len(logged) < MIN_LOGGED:
        raise DataError(
            f"only {len(logged)} of the task's {len(asked)} questions are among the logged queries; expected "
            f"{MIN_LOGGED} or more: name the task that the outcomes were logged on"
        )
    wanted = min(shares.most_dev, int(shares.dev * (len(logged) + len(fresh))))
    dev_logged = max(2, wanted * len(logged) // (len(logged) + len(fresh)))
    kept_back = 0 if fresh else int(shares.collection * len(logged))
    inside = split(logged, train=len(logged) - dev_logged - kept_back, dev=dev_logged, test=kept_back, seed=seed)
    outside = split(fresh, train=0, dev=max(0, wanted - dev_logged), test=None, seed=seed) if fresh else {}
    dev = (*inside["dev"], *outside.get("dev", ()))
    collection = tuple(outside.get("test", ())) or inside["test"]
    check_disjoint({"train": collection, "dev": dev, "test": test})
    unlearnt = [example.input for example in (*dev, *collection)]
    return QuerySplits(
        train=drop_queries(cells, unlearnt),
        dev=keep_queries(cells, [example.input for example in dev]),
        dev_examples=dev,
        collection=collection,
        test=test,
    )


def _refuse_logged(cells: PairOutcomes, test: Sequence[Example]) -> None:
    known = {normalize_question(query) for query in cells.queries}
    leaked = [example for example in test if normalize_question(example.input) in known]
    if leaked:
        raise DataError(
            f"{len(leaked)} test questions of the task are among the logged queries, such as {leaked[0].input!r}: "
            "leave them out of one of the two"
        )

"""Split a task's queries into train, dev, collection and test, by unique query.

Train and dev hold logged outcomes; new pairs are labelled on the collection queries, which have no outcome in train;
test is the task's test split, used once at the end. No query is in two parts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from askwell.core.errors import DataError
from askwell.core.types import Example, Split
from askwell.policies.data.outcomes import PairOutcomes, drop_queries, keep_queries
from askwell.tasks.questions import identify_question
from askwell.tasks.splits import check_disjoint, split

MIN_LOGGED = 8
"""Least number of the task's queries that must be logged; fewer can't be split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitShares:
    """How the task's queries other than the test queries are split."""

    dev: float = 0.25
    """Share for early stopping, the fallback threshold and each loop's gain, of logged and of other queries alike."""
    most_dev: int = 100
    """Most dev queries, because each loop needs up to two target calls for each."""
    collection: float = 0.25
    """Share of the logged queries set aside as collection queries, if the task has no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySplits:
    """Outcomes and examples of each part."""

    train: PairOutcomes
    dev: PairOutcomes
    """Logged outcomes on dev queries."""
    dev_examples: tuple[Example, ...]
    collection: tuple[Example, ...]
    test: tuple[Example, ...]


def split_queries(
    outcomes: PairOutcomes,
    splits: Mapping[Split, Sequence[Example]],
    *,
    shares: SplitShares | None = None,
    seed: int = 0,
) -> QuerySplits:
    """Split by unique query. Raises `DataError` if a test query was logged, or too few of the task's queries were.

    Logged queries that are not in the task can't be labelled again, so they are in train.
    """
    shares = shares or SplitShares()
    test = tuple(splits.get("test", ()))
    logged_queries = {identify_question(query) for query in outcomes.queries}
    _refuse_logged(logged_queries, test)
    examples = [example for name in ("train", "dev") for example in splits.get(name, ())]
    logged = [example for example in examples if identify_question(example.input) in logged_queries]
    fresh = [example for example in examples if identify_question(example.input) not in logged_queries]
    if len(logged) < MIN_LOGGED:
        raise DataError(
            f"only {len(logged)} of the task's {len(examples)} questions are among the logged queries; expected "
            f"{MIN_LOGGED} or more: name the task that the outcomes were logged on"
        )
    wanted = min(shares.most_dev, int(shares.dev * (len(logged) + len(fresh))))
    dev_logged = max(2, wanted * len(logged) // (len(logged) + len(fresh)))
    held_for_collection = 0 if fresh else int(shares.collection * len(logged))
    # `split` knows train, dev and test only; its "test" is our collection part here.
    of_logged = split(
        logged,
        train=len(logged) - dev_logged - held_for_collection,
        dev=dev_logged,
        test=held_for_collection,
        seed=seed,
    )
    of_fresh = split(fresh, train=0, dev=max(0, wanted - dev_logged), test=None, seed=seed) if fresh else {}
    dev = (*of_logged["dev"], *of_fresh.get("dev", ()))
    collection = tuple(of_fresh.get("test", ())) or of_logged["test"]
    check_disjoint({"train": collection, "dev": dev, "test": test})
    held_out = [example.input for example in (*dev, *collection)]
    return QuerySplits(
        train=drop_queries(outcomes, held_out),
        dev=keep_queries(outcomes, [example.input for example in dev]),
        dev_examples=dev,
        collection=collection,
        test=test,
    )


def _refuse_logged(logged_queries: Collection[str], test: Sequence[Example]) -> None:
    leaked = [example for example in test if identify_question(example.input) in logged_queries]
    if leaked:
        raise DataError(
            f"{len(leaked)} test questions of the task are among the logged queries, such as {leaked[0].input!r}: "
            "leave them out of the task or of the log"
        )

"""Offline data as arrays, one row per query and one column per prompt: the input of scorers and of headroom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.errors import DataError
from askwell.policies.data.arrays import Bools, Floats, Ints, np
from askwell.policies.data.outcomes import PairOutcomes

MIN_SHARE = 0.5
"""A baseline prompt must have been tried on this share of the most-tried prompt's queries."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutcomeTable:
    """Summed scores and repeats of every (query, prompt) pair; 0 repeats = never tried. Arrays: (queries, prompts)."""

    queries: tuple[str, ...]
    prompts: tuple[str, ...]
    totals: Floats
    repeats: Floats

    @property
    def tried(self) -> Bools:
        return self.repeats > 0

    def rates(self) -> Floats:
        """Return p̂; NaN for a pair that was never tried."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.totals / self.repeats

    def prompt_means(self) -> Floats:
        """Return the mean p̂ of each prompt over the queries on which it was tried."""
        rates, tried = self.rates(), self.tried
        return np.where(tried, rates, 0.0).sum(axis=0) / np.maximum(tried.sum(axis=0), 1)

    def select_rows(self, rows: Sequence[int] | Ints) -> OutcomeTable:
        """Return the table of some queries, by row number."""
        index: Ints = np.asarray(rows, dtype=np.int64)
        numbers: list[int] = index.tolist()
        queries = tuple(self.queries[row] for row in numbers)
        return OutcomeTable(
            queries=queries, prompts=self.prompts, totals=self.totals[index], repeats=self.repeats[index]
        )


def build_table(outcomes: PairOutcomes, *, prompts: Sequence[str] | None = None, min_queries: int = 1) -> OutcomeTable:
    """Build the table of one target model's pairs.

    Columns are `prompts`, or every prompt that was tried on `min_queries` queries. Raises `DataError` if there are no
    pairs, or several target models (see `askwell.policies.data.outcomes.select_target`).
    """
    if not outcomes.pairs:
        raise DataError("no scored (query, prompt) pairs: nothing to learn from")
    if len(outcomes.targets) > 1:
        raise DataError(
            f"outcomes of several target models {outcomes.targets}: keep one with select_target(outcomes, name)"
        )
    counts = Counter(pair.prompt for pair in outcomes.pairs)
    columns = tuple(prompts) if prompts is not None else tuple(p for p, n in counts.items() if n >= min_queries)
    if not columns:
        raise DataError(f"no prompt was tried on {min_queries} queries or more; the most is {max(counts.values())}")
    column = {prompt: index for index, prompt in enumerate(columns)}
    kept = [pair for pair in outcomes.pairs if pair.prompt in column]
    queries = tuple(dict.fromkeys(pair.query for pair in kept))
    row = {query: index for index, query in enumerate(queries)}
    totals, repeats = np.zeros((len(queries), len(columns))), np.zeros((len(queries), len(columns)))
    for pair in kept:
        totals[row[pair.query], column[pair.prompt]] += pair.total
        repeats[row[pair.query], column[pair.prompt]] += pair.repeats
    return OutcomeTable(queries=queries, prompts=columns, totals=totals, repeats=repeats)


def find_baseline(table: OutcomeTable) -> int:
    """Return the column of the baseline prompt: the highest mean among the prompts that were tried widely enough.

    Widely enough: on at least `MIN_SHARE` as many queries as any other prompt. Otherwise a prompt with one lucky query
    would win.
    """
    counts = table.tried.sum(axis=0)
    return int(np.argmax(np.where(counts >= MIN_SHARE * counts.max(), table.prompt_means(), -np.inf)))

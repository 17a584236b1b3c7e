"""Offline data as arrays: one row a query, one column a prompt; what the learners and the headroom work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.errors import DataError
from askwell.policies.data.arrays import Bools, Floats, Ints, np
from askwell.policies.data.outcomes import PairOutcomes

MIN_SHARE = 0.5
"""A static prompt must have been tried on this share of the most-tried prompt's queries."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Totals and draws of every (query, prompt); 0 draws = never tried. Arrays are (queries, prompts)."""

    queries: tuple[str, ...]
    prompts: tuple[str, ...]
    totals: Floats
    draws: Floats

    @property
    def tried(self) -> Bools:
        return self.draws > 0

    def rates(self) -> Floats:
        """Return p̂; NaN where a pair was never tried."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.totals / self.draws

    def prompt_means(self) -> Floats:
        """Mean p̂ of each prompt over the queries it was tried on."""
        rates, tried = self.rates(), self.tried
        return np.where(tried, rates, 0.0).sum(axis=0) / np.maximum(tried.sum(axis=0), 1)

    def rows(self, chosen: Sequence[int] | Ints) -> Table:
        """Return the table of some queries, by row number."""
        index: Ints = np.asarray(chosen, dtype=np.int64)
        places: list[int] = index.tolist()
        queries = tuple(self.queries[row] for row in places)
        return Table(queries=queries, prompts=self.prompts, totals=self.totals[index], draws=self.draws[index])


def table_of(cells: PairOutcomes, *, prompts: Sequence[str] | None = None, min_queries: int = 1) -> Table:
    """Lay cells of one target model out as a table. Columns: `prompts`, or every prompt tried on `min_queries` queries.

    Raises `DataError` for no cells, or several target models (see `askwell.policies.data.outcomes.one_target`).
    """
    if not cells.cells:
        raise DataError("no scored (query, prompt) pairs: nothing to learn from")
    if len(cells.targets) > 1:
        raise DataError(f"outcomes of several target models {cells.targets}: keep one with one_target(cells, name)")
    counts: dict[str, int] = {}
    for cell in cells.cells:
        counts[cell.prompt] = counts.get(cell.prompt, 0) + 1
    columns = tuple(prompts) if prompts is not None else tuple(p for p, n in counts.items() if n >= min_queries)
    if not columns:
        raise DataError(f"no prompt was tried on {min_queries} queries or more; the most is {max(counts.values())}")
    column = {prompt: place for place, prompt in enumerate(columns)}
    kept = [cell for cell in cells.cells if cell.prompt in column]
    queries = tuple(dict.fromkeys(cell.query for cell in kept))
    row = {query: place for place, query in enumerate(queries)}
    totals, draws = np.zeros((len(queries), len(columns))), np.zeros((len(queries), len(columns)))
    for cell in kept:
        totals[row[cell.query], column[cell.prompt]] += cell.total
        draws[row[cell.query], column[cell.prompt]] += cell.draws
    return Table(queries=queries, prompts=columns, totals=totals, draws=draws)


def baseline_prompt(table: Table) -> int:
    """Column of the best single prompt: the highest mean of those tried on at least half as many queries as any other.

    So a prompt that was lucky on its only query does not win.
    """
    counts = table.tried.sum(axis=0)
    return int(np.argmax(np.where(counts >= MIN_SHARE * counts.max(), table.prompt_means(), -np.inf)))

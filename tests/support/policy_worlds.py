"""Small worlds with known truth: what each prompt does to each query is fixed, and draws are sampled from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from askwell.policies.data.outcomes import OutcomeRow
from askwell.policies.data.table import OutcomeTable

PROMPTS = ("Answer at once.", "Think step by step.", "Draw a picture.")
THINGS = ("apples", "pens", "coins", "books", "cups", "shells")
NAMES = ("Ann", "Bob", "Cem", "Dora", "Eve", "Finn", "Gus", "Hana")


def table(
    rates: NDArray[np.float64], *, repeats: int, seed: int, queries: tuple[str, ...] | None = None
) -> OutcomeTable:
    """Sample `draws` answers of each cell whose true success rate is given."""
    rng = np.random.default_rng(seed)
    totals = rng.binomial(repeats, rates).astype(float)
    names = queries or tuple(f"query {row}" for row in range(len(rates)))
    prompts = PROMPTS if rates.shape[1] == len(PROMPTS) else tuple(f"prompt {j}" for j in range(rates.shape[1]))
    return OutcomeTable(queries=names, prompts=prompts, totals=totals, repeats=np.full(rates.shape, float(repeats)))


def phrased(n: int, *, seed: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Queries of two kinds that need different prompts: sums suit prompt 0, puzzles suit prompt 1."""
    rng = np.random.default_rng(seed)
    queries: list[str] = []
    rates: list[list[float]] = []
    while len(queries) < n:
        name, thing = NAMES[rng.integers(len(NAMES))], THINGS[rng.integers(len(THINGS))]
        a, b = rng.integers(2, 90, size=2).tolist()
        if rng.random() < 0.55:
            text = f"{name} has {a} {thing} and buys {b} more. How many {thing} are there in all?"
            rate = [0.8, 0.4, 0.1]
        else:
            text = f"Suppose that {a} {thing} weigh as much as {b} stones, which does {name} lift first and why?"
            rate = [0.3, 0.8, 0.1]
        if text not in queries:
            queries.append(text)
            rates.append(rate)
    return tuple(queries), np.array(rates)


def outcomes(data: OutcomeTable) -> list[OutcomeRow]:
    """Spell a table as rows with a count."""
    return [
        OutcomeRow(query=query, prompt=prompt, total=float(data.totals[i, j]), repeats=int(data.repeats[i, j]))
        for i, query in enumerate(data.queries)
        for j, prompt in enumerate(data.prompts)
        if data.repeats[i, j]
    ]

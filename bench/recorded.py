"""The recorded outcomes as the benches read, split and score them; shared by qpo_recorded.py and qpo_recorded_lm.py.

Columns: dataset, target_llm, split, query_text, prompt_text, draws, correct. Scores are p̂ = correct / draws, each
unique question counting once; intervals are a paired percentile bootstrap over unique questions (95 %), on the scale
0..1. **1,127 of the 1,411 MAWPS questions are SVAMP rows too, with draws of their own, and the splits of the two
cross**: every question to be scored is dropped from *all* rows that are learnt from, whatever data set they belong to
(their number goes to stderr). Without that a lookup of one data set's outcomes "gains" six points on the other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from askwell.policies.data.outcomes import OutcomeRow, PairOutcomes, drop_queries, keep_queries, merge
from askwell.policies.data.table import OutcomeTable, build_table
from askwell.tasks.readers import read_records
from askwell.tasks.splits import normalise

DATA = Path(__file__).resolve().parent.parent.parent / "shared/data/recorded/math_prompts_llama2_7b_chat.parquet"
RESAMPLES = 5_000
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the recorded data."""

    dataset: str
    target: str
    split: str
    outcomes: OutcomeRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Static prompt and policy on the same held-out questions; one entry a question."""

    baseline: np.ndarray
    policy: np.ndarray

    @property
    def gains(self) -> np.ndarray:
        return self.policy - self.baseline


def read_rows(path: Path, target: str | None) -> list[Row]:
    """Read a file, one target model's rows; exits where there are several and none is named."""
    rows: list[Row] = []
    for record in read_records(path):
        values = record.values
        name = str(values.get("target_llm") or "")
        if target is not None and name != target:
            continue
        outcomes = OutcomeRow(
            query=str(values["query_text"]),
            prompt=str(values["prompt_text"]),
            total=float(str(values["correct"])),
            repeats=int(str(values["draws"])),
            source=f"{path.name}: {record.place}",
        )
        split = str(values.get("split") or "")
        rows.append(Row(dataset=str(values["dataset"]), target=name, split=split, outcomes=outcomes))
    targets = {row.target for row in rows}
    if len(targets) != 1:
        sys.exit(f"{path}: rows of target models {sorted(targets)}; choose one with --target-llm")
    return rows


def datasets(rows: Sequence[Row], asked: str | None) -> list[str]:
    """Names of the data sets to do, in order of appearance."""
    known = list(dict.fromkeys(row.dataset for row in rows))
    if asked is not None and asked not in known:
        sys.exit(f"no rows of data set {asked!r}; there are {known}")
    return [asked] if asked is not None else known


def split_rows(rows: Sequence[Row], seed: int, *, share: float = 1.0) -> tuple[list[Row], list[Row]]:
    """Hold a fifth of the unique questions out, of whatever data set: (rows to fit on, rows to score).

    `share` of the other questions are fitted on, drawn by the seed.
    """
    keys = {query: normalise(query) for query in {row.outcomes.query for row in rows}}
    unique = sorted(set(keys.values()))
    order = [unique[place] for place in np.random.default_rng(seed).permutation(len(unique)).tolist()]
    fifth = len(unique) // 5
    held_out, kept = set(order[:fifth]), set(order[fifth:][: round(share * (len(order) - fifth))])
    fit = [row for row in rows if keys[row.outcomes.query] in kept]
    return fit, [row for row in rows if keys[row.outcomes.query] in held_out]


def learnt_from(
    rows: Sequence[Row], dataset: str, held_out: PairOutcomes, *, own: PairOutcomes | None = None
) -> tuple[OutcomeTable, OutcomeTable]:
    """Table of all data sets with the same prompts, less the held-out questions; and that of the data set alone.

    The pool is the prompts that the held-out rows have an outcome for. A data set that was never logged before is
    served from all that hold its prompts (transfer).
    """
    by_dataset = {row.dataset: frozenset[str]() for row in rows}
    for row in rows:
        by_dataset[row.dataset] |= {row.outcomes.prompt}
    if dataset in by_dataset:
        alike = {name for name in by_dataset if name != dataset and by_dataset[name] == by_dataset[dataset]}
    else:
        alike = {name for name in by_dataset if by_dataset[name] >= set(held_out.prompts)} or set(by_dataset)
    ours = own if own is not None else drop_queries(cells_of(r for r in rows if r.dataset == dataset), held_out.queries)
    others = cells_of(row for row in rows if row.dataset in alike)
    apart = drop_queries(others, held_out.queries)
    dropped = len(others.queries) - len(apart.queries)
    if dropped:
        say(
            f"{dataset}: {dropped} questions of {sorted(alike)} are to be scored here: dropped from what is learnt from"
        )
    both = merge([*again(ours), *again(apart)])
    shown = set(held_out.prompts)
    prompts = [prompt for prompt in both.prompts if prompt in shown]
    learnt = build_table(both, prompts=prompts)
    return learnt, build_table(ours if ours.pairs else both, prompts=prompts)


def scored(test: OutcomeTable, picks: np.ndarray, baseline: int) -> Scored:
    """Rates of both; a pick without an outcome becomes the static prompt, a question without that is left out."""
    lines = np.arange(len(picks))
    picks = np.where(test.tried[lines, picks], picks, baseline)
    known = test.tried[:, baseline]
    rates = full_rates(test)
    if not known.all():
        say(f"{int((~known).sum())} questions have no outcome of the static prompt and are left out")
    return Scored(baseline=rates[lines, baseline][known], policy=rates[lines, picks][known])


def bootstrap(gains: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of the mean, over questions."""
    rng = np.random.default_rng(SEED)
    means = [gains[rng.integers(0, len(gains), len(gains))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def spelt(gains: np.ndarray) -> str:
    """Mean and interval, in points."""
    low, high = bootstrap(gains)
    return f"{100 * gains.mean():+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def full_rates(table: OutcomeTable) -> np.ndarray:
    """p̂, NaN where a pair was never tried."""
    return np.where(table.tried, np.nan_to_num(table.rates()), np.nan)


def cells_of(rows: Iterable[Row]) -> PairOutcomes:
    """Merge rows."""
    return merge(row.outcomes for row in rows)


def sampled(cells: PairOutcomes, at_most: int, *, seed: int = SEED) -> PairOutcomes:
    """Keep so many questions, drawn by the seed."""
    queries = sorted(cells.queries, key=normalise)
    if len(queries) <= at_most:
        return cells
    drawn = np.random.default_rng(seed).choice(len(queries), at_most, replace=False)
    return keep_queries(cells, [queries[place] for place in drawn.tolist()])


def say(text: str) -> None:
    """Print to stderr."""
    print(text, file=sys.stderr, flush=True)


def again(outcomes: PairOutcomes) -> Iterator[OutcomeRow]:
    """Cells as rows, to be merged once more."""
    for pair in outcomes.pairs:
        yield OutcomeRow(query=pair.query, prompt=pair.prompt, total=pair.total, repeats=pair.repeats)

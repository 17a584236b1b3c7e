"""Read, split and score the recorded outcomes; shared by qpo_recorded.py and qpo_recorded_lm.py.

Columns: dataset, target_llm, split, query_text, prompt_text, draws, correct. Scores are p̂ = correct / draws, and each
unique question counts once. Intervals are paired percentile bootstraps over unique questions (95 %), on the scale 0..1.
**1,127 of the 1,411 MAWPS questions are SVAMP rows too, with draws of their own, and the splits of the two cross.** So
every question to score is dropped from *all* rows that are fitted on, whatever data set they belong to (their number
goes to stderr). Without that a lookup of one data set's outcomes "gains" six points on the other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from askwell.policies.data.outcomes import OutcomeRow, PairOutcomes, merge, only_target, without
from askwell.policies.data.table import Table, table_of
from askwell.tasks.readers import read_records
from askwell.tasks.splits import normalize_question

DATA = Path(__file__).resolve().parent.parent.parent / "shared/data/recorded/math_prompts_llama2_7b_chat.parquet"
RESAMPLES = 5_000
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the recorded data."""

    dataset: str
    target: str
    split: str
    outcomes: OutcomeRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Scores of baseline prompt and policy on the same held-out questions; one entry per question."""

    baseline: np.ndarray
    policy: np.ndarray

    @property
    def gains(self) -> np.ndarray:
        return self.policy - self.baseline


def read_rows(path: Path, target: str | None) -> list[Row]:
    """Read one target model's rows of a file; exit if there are several models and none is named."""
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
            draws=int(str(values["draws"])),
            place=f"{path.name}: {record.location}",
        )
        split = str(values.get("split") or "")
        rows.append(Row(dataset=str(values["dataset"]), target=name, split=split, outcomes=outcomes))
    targets = {row.target for row in rows}
    if len(targets) != 1:
        sys.exit(f"{path}: rows of target models {sorted(targets)}; expected one, select it with --target-llm")
    return rows


def datasets(rows: Sequence[Row], requested: str | None) -> list[str]:
    """Return the names of the requested data set or of all, in order of appearance."""
    names = list(dict.fromkeys(row.dataset for row in rows))
    if requested is not None and requested not in names:
        sys.exit(f"no rows of data set {requested!r}; there are {names}")
    return [requested] if requested is not None else names


def split_rows(rows: Sequence[Row], seed: int, *, share: float = 1.0) -> tuple[list[Row], list[Row]]:
    """Hold out a fifth of the unique questions of all data sets: (rows to fit on, rows to score).

    `share` of the other questions are fitted on, sampled by the seed.
    """
    keys = {query: normalize_question(query) for query in {row.outcomes.query for row in rows}}
    unique = sorted(set(keys.values()))
    order = [unique[index] for index in np.random.default_rng(seed).permutation(len(unique)).tolist()]
    fifth = len(unique) // 5
    held_out, kept = set(order[:fifth]), set(order[fifth:][: round(share * (len(order) - fifth))])
    fit = [row for row in rows if keys[row.outcomes.query] in kept]
    return fit, [row for row in rows if keys[row.outcomes.query] in held_out]


def build_training_tables(
    rows: Sequence[Row], dataset: str, held_out: PairOutcomes, *, own: PairOutcomes | None = None
) -> tuple[Table, Table]:
    """Return the tables of all data sets with the same prompts and of this one alone, without held-out questions.

    The pool is the prompts for which the held-out rows have an outcome. For a data set without logged rows, all data
    sets with its prompts are used (transfer).
    """
    by_dataset = {row.dataset: frozenset[str]() for row in rows}
    for row in rows:
        by_dataset[row.dataset] |= {row.outcomes.prompt}
    if dataset in by_dataset:
        alike = {name for name in by_dataset if name != dataset and by_dataset[name] == by_dataset[dataset]}
    else:
        alike = {name for name in by_dataset if by_dataset[name] >= set(held_out.prompts)} or set(by_dataset)
    ours = own if own is not None else without(cells_of(r for r in rows if r.dataset == dataset), held_out.queries)
    others = cells_of(row for row in rows if row.dataset in alike)
    apart = without(others, held_out.queries)
    dropped = len(others.queries) - len(apart.queries)
    if dropped:
        log(f"{dataset}: {dropped} questions of {sorted(alike)} are to be scored here: dropped from the rows to fit on")
    both = merge([*to_rows(ours), *to_rows(apart)])
    shown = set(held_out.prompts)
    prompts = [prompt for prompt in both.prompts if prompt in shown]
    training = table_of(both, prompts=prompts)
    return training, table_of(ours if ours.cells else both, prompts=prompts)


def scored(test: Table, picks: np.ndarray, baseline: int) -> Scored:
    """Score both; a pick without an outcome becomes the baseline prompt, a question without that one is left out."""
    lines = np.arange(len(picks))
    picks = np.where(test.tried[lines, picks], picks, baseline)
    has_baseline = test.tried[:, baseline]
    rates = full_rates(test)
    if not has_baseline.all():
        log(f"{int((~has_baseline).sum())} questions have no outcome of the baseline prompt and are left out")
    return Scored(baseline=rates[lines, baseline][has_baseline], policy=rates[lines, picks][has_baseline])


def bootstrap(gains: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean, over questions."""
    rng = np.random.default_rng(SEED)
    means = [gains[rng.integers(0, len(gains), len(gains))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def format_gain(gains: np.ndarray) -> str:
    """Format the mean and its interval, in points."""
    low, high = bootstrap(gains)
    return f"{100 * gains.mean():+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def full_rates(table: Table) -> np.ndarray:
    """Return p̂, NaN for a pair that was never tried."""
    return np.where(table.tried, np.nan_to_num(table.rates()), np.nan)


def cells_of(rows: Iterable[Row]) -> PairOutcomes:
    """Merge rows."""
    return merge(row.outcomes for row in rows)


def sampled(cells: PairOutcomes, at_most: int, *, seed: int = SEED) -> PairOutcomes:
    """Keep at most this number of questions, sampled by the seed."""
    queries = sorted(cells.queries, key=normalize_question)
    if len(queries) <= at_most:
        return cells
    drawn = np.random.default_rng(seed).choice(len(queries), at_most, replace=False)
    return only_target(cells, [queries[index] for index in drawn.tolist()])


def log(text: str) -> None:
    """Print to stderr."""
    print(text, file=sys.stderr, flush=True)


def to_rows(cells: PairOutcomes) -> Iterator[OutcomeRow]:
    """Yield outcomes as rows, so that they can be merged again."""
    for cell in cells.cells:
        yield OutcomeRow(query=cell.query, prompt=cell.prompt, total=cell.total, draws=cell.draws)

"""Read, split and score the recorded outcomes, for qpo_recorded.py and qpo_recorded_lm.py.

Columns: dataset, target_llm, split, query_text, prompt_text, draws, correct. Scores are p̂ = correct / draws, and each
unique question counts once. Intervals are a paired percentile bootstrap over unique questions (95 %), on the scale
0..1.

**1,127 of the 1,411 MAWPS questions are SVAMP rows too, with separate draws, and the two data sets' splits overlap.**
Every question to be scored is therefore dropped from *all* training rows, of whatever data set (their number is printed
to stderr). Otherwise a lookup of one data set's outcomes "gains" six points on the other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from askwell.policies.data.outcomes import OutcomeRow, PairOutcomes, drop_queries, keep_queries, merge
from askwell.policies.data.table import OutcomeTable, build_table
from askwell.tasks.questions import normalize_question
from askwell.tasks.readers import read_records

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
    """Scores of baseline prompt and policy on the same held-out questions; one entry per question."""

    baseline: np.ndarray
    policy: np.ndarray

    @property
    def gains(self) -> np.ndarray:
        return self.policy - self.baseline


def read_rows(path: Path, target: str | None) -> list[Row]:
    """Read one target model's rows of a file; exits if there are several models and `target` is None."""
    rows: list[Row] = []
    wordings: dict[str, str] = {}
    for record in read_records(path):
        values = record.values
        name = str(values.get("target_llm") or "")
        if target is not None and name != target:
            continue
        outcomes = OutcomeRow(
            # One question of two data sets has several wordings; as different queries they would be in two splits.
            query=wordings.setdefault(normalize_question(str(values["query_text"])), str(values["query_text"])),
            prompt=str(values["prompt_text"]),
            total=float(str(values["correct"])),
            repeats=int(str(values["draws"])),
            source=f"{path.name}: {record.location}",
        )
        split = str(values.get("split") or "")
        rows.append(Row(dataset=str(values["dataset"]), target=name, split=split, outcomes=outcomes))
    targets = {row.target for row in rows}
    if len(targets) != 1:
        sys.exit(f"{path}: rows of target models {sorted(targets)}; choose one with --target-llm")
    return rows


def list_datasets(rows: Sequence[Row], selected: str | None) -> list[str]:
    """Return the selected data set, or all of them in order of appearance."""
    names = list(dict.fromkeys(row.dataset for row in rows))
    if selected is not None and selected not in names:
        sys.exit(f"no rows of data set {selected!r}; there are {names}")
    return [selected] if selected is not None else names


def split_rows(rows: Sequence[Row], seed: int, *, share: float = 1.0) -> tuple[list[Row], list[Row]]:
    """Hold out a fifth of all data sets' unique questions; return (training rows, rows to score).

    The training rows are of a random `share` of the other questions.
    """
    keys = {query: normalize_question(query) for query in {row.outcomes.query for row in rows}}
    unique = sorted(set(keys.values()))
    order = [unique[index] for index in np.random.default_rng(seed).permutation(len(unique)).tolist()]
    fifth = len(unique) // 5
    held_out, kept = set(order[:fifth]), set(order[fifth:][: round(share * (len(order) - fifth))])
    fit = [row for row in rows if keys[row.outcomes.query] in kept]
    return fit, [row for row in rows if keys[row.outcomes.query] in held_out]


def training_tables(
    rows: Sequence[Row], dataset: str, held_out: PairOutcomes, *, own: PairOutcomes | None = None
) -> tuple[OutcomeTable, OutcomeTable]:
    """Return the training table of all data sets with the same prompts, and of this data set; no held-out question.

    The pool is the prompts for which the held-out rows have an outcome. For a data set without training rows, the
    training rows are of all data sets that have its prompts (transfer).
    """
    by_dataset = {row.dataset: frozenset[str]() for row in rows}
    for row in rows:
        by_dataset[row.dataset] |= {row.outcomes.prompt}
    if dataset in by_dataset:
        alike = {name for name in by_dataset if name != dataset and by_dataset[name] == by_dataset[dataset]}
    else:
        alike = {name for name in by_dataset if by_dataset[name] >= set(held_out.prompts)} or set(by_dataset)
    ours = (
        own if own is not None else drop_queries(merge_rows(r for r in rows if r.dataset == dataset), held_out.queries)
    )
    others = merge_rows(row for row in rows if row.dataset in alike)
    transferred = drop_queries(others, held_out.queries)
    dropped = len(others.queries) - len(transferred.queries)
    if dropped:
        print_note(f"{dataset}: {dropped} questions of {sorted(alike)} are scored here: dropped from the training rows")
    both = merge([*as_rows(ours), *as_rows(transferred)])
    scored_prompts = set(held_out.prompts)
    prompts = [prompt for prompt in both.prompts if prompt in scored_prompts]
    return build_table(both, prompts=prompts), build_table(ours if ours.pairs else both, prompts=prompts)


def score_columns(test: OutcomeTable, columns: np.ndarray, baseline: int) -> Scored:
    """Return the rates of baseline prompt and policy.

    A selected prompt without an outcome counts as the baseline prompt; a question without an outcome of the
    baseline prompt is left out.
    """
    lines = np.arange(len(columns))
    columns = np.where(test.tried[lines, columns], columns, baseline)
    counted = test.tried[:, baseline]
    rates = full_rates(test)
    if not counted.all():
        print_note(f"{int((~counted).sum())} questions have no outcome of the baseline prompt and are left out")
    return Scored(baseline=rates[lines, baseline][counted], policy=rates[lines, columns][counted])


def bootstrap(gains: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean, over questions."""
    rng = np.random.default_rng(SEED)
    means = [gains[rng.integers(0, len(gains), len(gains))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def format_gain(gains: np.ndarray) -> str:
    """Format mean and interval, in points."""
    low, high = bootstrap(gains)
    return f"{100 * gains.mean():+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def full_rates(table: OutcomeTable) -> np.ndarray:
    """Return p̂; NaN for a pair that was never tried."""
    return np.where(table.tried, np.nan_to_num(table.rates()), np.nan)


def merge_rows(rows: Iterable[Row]) -> PairOutcomes:
    """Merge rows."""
    return merge(row.outcomes for row in rows)


def sample_queries(outcomes: PairOutcomes, at_most: int, *, seed: int = SEED) -> PairOutcomes:
    """Keep at most this many questions, sampled by the seed."""
    queries = sorted(outcomes.queries, key=normalize_question)
    if len(queries) <= at_most:
        return outcomes
    drawn = np.random.default_rng(seed).choice(len(queries), at_most, replace=False)
    return keep_queries(outcomes, [queries[index] for index in drawn.tolist()])


def print_note(text: str) -> None:
    """Print to stderr."""
    print(text, file=sys.stderr, flush=True)


def as_rows(outcomes: PairOutcomes) -> Iterator[OutcomeRow]:
    """Return pairs as rows, to be merged again."""
    for pair in outcomes.pairs:
        yield OutcomeRow(query=pair.query, prompt=pair.prompt, total=pair.total, repeats=pair.repeats)

"""Query-level selection on recorded outcomes: Llama-2-7b-chat on GSM8K, MAWPS and SVAMP, many prompts a question.

Deployed default, fitted on one file and scored on rows it has not seen, one JSON object a data set:

    python bench/qpo_recorded.py --fit A.parquet --score B.parquet [--dataset D] [--target-llm M]

All policies side by side, by nested cross-validation over unique questions (static prompt, scorer and margin are chosen
inside each outer fold; seed 0, 5 folds):

    python bench/qpo_recorded.py [--data ../shared/data/recorded/math_prompts_llama2_7b_chat.parquet] [--dataset D]
        [--policies multitask,knn,…] [--max-queries N]

Columns: dataset, target_llm, split, query_text, prompt_text, draws, correct. Scores are p̂ = correct / draws, each
unique question counting once; `low` and `high` are a paired percentile bootstrap over unique questions (95 %), all on
the scale 0..1. Data sets whose prompts are the same are learnt from together. **1,127 of the 1,411 MAWPS questions
are SVAMP rows too, with draws of their own, and the splits of the two cross**: every question to be scored is dropped
from *all* rows that are learnt from, whatever data set they belong to (their number goes to stderr). Without that a
lookup of one data set's outcomes "gains" six points on the other.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from askwell.qpo.data import Cells, Outcomes, merge, only, without
from askwell.qpo.guard import choose
from askwell.qpo.headroom import headroom
from askwell.qpo.scorer import fitter
from askwell.qpo.select import DEFAULT_SCORER, SelectionPolicy, fit_selection
from askwell.qpo.table import Table, static_prompt, table_of
from askwell.tasks.readers import read_records
from askwell.tasks.splits import normalise

DATA = Path(__file__).resolve().parent.parent.parent / "shared/data/recorded/math_prompts_llama2_7b_chat.parquet"
POLICIES = (
    "multitask",
    "kernel-ridge",
    "linear",
    "trees",
    "reward-model",
    "knn",
    "cluster",
    "ensemble",
    "embedding-ridge",
)
RESAMPLES = 5_000
SEED = 0
FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the recorded data."""

    dataset: str
    target: str
    outcomes: Outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Static prompt and policy on the same held-out questions; one entry a question."""

    static: np.ndarray
    policy: np.ndarray

    @property
    def gains(self) -> np.ndarray:
        return self.policy - self.static


def main() -> None:
    """Run one of the two modes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--score", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--dataset")
    parser.add_argument("--target-llm")
    parser.add_argument("--policies", default=",".join(POLICIES))
    parser.add_argument(
        "--max-queries", type=int, default=2_000, help="GSM8K has 7,473; the table mode samples so many"
    )
    arguments = parser.parse_args()
    if (arguments.fit is None) != (arguments.score is None):
        parser.error("--fit and --score belong together")
    if arguments.fit is not None:
        fit, score = (_rows(path, arguments.target_llm) for path in (arguments.fit, arguments.score))
        for dataset in _datasets(score, arguments.dataset):
            print(json.dumps(fit_and_score(fit, score, dataset)), flush=True)
    else:
        rows = _rows(arguments.data, arguments.target_llm)
        for dataset in _datasets(rows, arguments.dataset):
            compare(rows, dataset, arguments.policies.split(","), arguments.max_queries)


def fit_and_score(fit: Sequence[Row], score: Sequence[Row], dataset: str) -> dict[str, object]:
    """Learn the deployed default from `fit`, without any question of `score`'s data set; score it there."""
    began = time.monotonic()
    held_out = _cells(row for row in score if row.dataset == dataset)
    learnt, own = _learnt_from(fit, dataset, held_out)
    test = table_of(held_out, prompts=learnt.prompts)
    _say(f"{dataset}: {len(own.queries)} own questions, {len(learnt.queries)} in all, {len(test.queries)} to score")
    policy = fit_selection(learnt, seed=SEED, static=static_prompt(own))
    scored = _scored(test, np.array(policy.choices(test.queries)), policy.static)
    low, high = bootstrap(scored.gains)
    guard = policy.guard
    _say(
        f"{dataset}: {policy.name} (text only, no embedding model), margin {guard.margin:.3f}, cross-validated "
        f"gain {100 * guard.gain:+.2f} points, {guard.switched:.0%} switched; {time.monotonic() - began:.0f} s"
    )
    return {
        "dataset": dataset,
        "static": float(scored.static.mean()),
        "policy": float(scored.policy.mean()),
        "gain": float(scored.gains.mean()),
        "low": low,
        "high": high,
        "n": len(scored.gains),
    }


def compare(rows: Sequence[Row], dataset: str, names: Sequence[str], max_queries: int) -> None:
    """Print a table of all policies on one data set, by cross-validation over its unique questions."""
    own_cells = _cells(row for row in rows if row.dataset == dataset)
    own_cells = _sampled(own_cells, max_queries)
    table = table_of(own_cells)
    room = headroom(table, seed=SEED)
    luck = room.gain.estimate if room.gain.kind == "interval" else float("nan")
    print(f"\n{dataset}: {len(table.queries)} unique questions, {len(table.prompts)} prompts. {room.verdict}")
    print(f"{'policy':34s}{'score':>8s}  {'gain':>22s}  {'of headroom':>11s}")
    folds = list(_folds(rows, dataset, own_cells))
    plain = [(fold.test, np.full(len(fold.test.queries), fold.static), fold.static) for fold in folds]
    _line("best static (chosen on train)", _together(plain), luck)
    rates = np.vstack([_full_rates(fold.test) for fold in folds])
    print(f"{'random':34s}{np.nanmean(rates):8.3f}")
    print(f"{'naive oracle (mostly luck)':34s}{np.nanmean(np.nanmax(rates, axis=1)):8.3f}")
    for name in names:
        _line(name + ", no guard", _together(_outcomes(folds, _unguarded(name))), luck)
    _line(f"{DEFAULT_SCORER}, guarded: DEPLOYED", _together(_outcomes(folds, _deployed)), luck)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What one outer fold may learn from, and what it is scored on."""

    learnt: Table
    static: int
    test: Table


def _folds(rows: Sequence[Row], dataset: str, own: Cells) -> Iterator[Fold]:
    order = np.random.default_rng(SEED).permutation(len(own.queries))
    for part in range(FOLDS):
        held_out = only(own, [own.queries[place] for place in order[part::FOLDS].tolist()])
        inside = without(own, held_out.queries)
        learnt, _ = _learnt_from(rows, dataset, held_out, own=inside)
        best = static_prompt(table_of(inside, prompts=learnt.prompts))
        yield Fold(learnt=learnt, static=best, test=table_of(held_out, prompts=learnt.prompts))


def _learnt_from(
    rows: Sequence[Row], dataset: str, held_out: Cells, *, own: Cells | None = None
) -> tuple[Table, Table]:
    """Table of all data sets with the same prompts, less the held-out questions; and that of the data set alone.

    The pool is the prompts that the held-out rows have an outcome for. A data set that was never logged before is
    served from all that were (transfer).
    """
    by_dataset = {row.dataset: frozenset[str]() for row in rows}
    for row in rows:
        by_dataset[row.dataset] |= {row.outcomes.prompt}
    pool = by_dataset.get(dataset, frozenset(held_out.prompts))
    alike = {name for name, prompts in by_dataset.items() if name != dataset and prompts == pool}
    alike = alike or (set(by_dataset) if dataset not in by_dataset else set())
    ours = own if own is not None else without(_cells(r for r in rows if r.dataset == dataset), held_out.queries)
    others = _cells(row for row in rows if row.dataset in alike)
    apart = without(others, held_out.queries)
    dropped = len(others.queries) - len(apart.queries)
    if dropped:
        _say(
            f"{dataset}: {dropped} questions of {sorted(alike)} are to be scored here: dropped from what is learnt from"
        )
    both = merge([*_again(ours), *_again(apart)])
    shown = set(held_out.prompts)
    prompts = [prompt for prompt in both.prompts if prompt in shown]
    learnt = table_of(both, prompts=prompts)
    return learnt, table_of(ours if ours.cells else both, prompts=prompts)


def _unguarded(name: str) -> Callable[[Fold], np.ndarray]:
    def picks(fold: Fold) -> np.ndarray:
        scorer = fitter(name)(fold.learnt, static=fold.static, seed=SEED)
        return choose(scorer.advantages(fold.test.queries), static=fold.static, margin=0.0)

    return picks


def _deployed(fold: Fold) -> np.ndarray:
    policy: SelectionPolicy = fit_selection(fold.learnt, seed=SEED, static=fold.static)
    return np.array(policy.choices(fold.test.queries))


def _outcomes(folds: Sequence[Fold], picks: Callable[[Fold], np.ndarray]) -> list[tuple[Table, np.ndarray, int]]:
    return [(fold.test, picks(fold), fold.static) for fold in folds]


def _together(outcomes: Iterable[tuple[Table, np.ndarray, int]]) -> Scored:
    parts = [_scored(test, picks, static) for test, picks, static in outcomes]
    return Scored(
        static=np.concatenate([part.static for part in parts]), policy=np.concatenate([part.policy for part in parts])
    )


def _scored(test: Table, picks: np.ndarray, static: int) -> Scored:
    """Rates of both; a pick without an outcome becomes the static prompt, a question without that is left out."""
    lines = np.arange(len(picks))
    picks = np.where(test.tried[lines, picks], picks, static)
    known = test.tried[:, static]
    rates = _full_rates(test)
    if not known.all():
        _say(f"{int((~known).sum())} questions have no outcome of the static prompt and are left out")
    return Scored(static=rates[lines, static][known], policy=rates[lines, picks][known])


def bootstrap(gains: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of the mean, over questions."""
    rng = np.random.default_rng(SEED)
    means = [gains[rng.integers(0, len(gains), len(gains))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _line(name: str, scored: Scored, luck: float) -> None:
    low, high = bootstrap(scored.gains)
    gain = float(scored.gains.mean())
    share = f"{gain / luck:11.0%}" if luck > 0 else " " * 11
    spelt = f"{100 * gain:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"
    print(f"{name:34s}{scored.policy.mean():8.3f}  {spelt:>22s}  {share}", flush=True)


def _full_rates(table: Table) -> np.ndarray:
    return np.where(table.tried, np.nan_to_num(table.rates()), np.nan)


def _rows(path: Path, target: str | None) -> list[Row]:
    rows: list[Row] = []
    for record in read_records(path):
        values = record.values
        name = str(values.get("target_llm") or "")
        if target is not None and name != target:
            continue
        outcomes = Outcomes(
            query=str(values["query_text"]),
            prompt=str(values["prompt_text"]),
            total=float(str(values["correct"])),
            draws=int(str(values["draws"])),
            place=f"{path.name}: {record.place}",
        )
        rows.append(Row(dataset=str(values["dataset"]), target=name, outcomes=outcomes))
    targets = {row.target for row in rows}
    if len(targets) != 1:
        sys.exit(f"{path}: rows of target models {sorted(targets)}; choose one with --target-llm")
    return rows


def _datasets(rows: Sequence[Row], asked: str | None) -> list[str]:
    known = list(dict.fromkeys(row.dataset for row in rows))
    if asked is not None and asked not in known:
        sys.exit(f"no rows of data set {asked!r}; there are {known}")
    return [asked] if asked is not None else known


def _cells(rows: Iterable[Row]) -> Cells:
    return merge(row.outcomes for row in rows)


def _again(cells: Cells) -> Iterator[Outcomes]:
    for cell in cells.cells:
        yield Outcomes(query=cell.query, prompt=cell.prompt, total=cell.total, draws=cell.draws)


def _sampled(cells: Cells, at_most: int) -> Cells:
    queries = sorted(cells.queries, key=normalise)
    if len(queries) <= at_most:
        return cells
    drawn = np.random.default_rng(SEED).choice(len(queries), at_most, replace=False)
    return only(cells, [queries[place] for place in drawn.tolist()])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

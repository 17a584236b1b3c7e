"""Query-level selection on recorded outcomes: Llama-2-7b-chat on GSM8K, MAWPS and SVAMP, many prompts per question.

Command:  python bench/qpo_recorded.py --fit A.parquet --score B.parquet [--dataset D] [--target-llm M]
          python bench/qpo_recorded.py --splits 5 [--share 0.5] [--dataset D]
          python bench/qpo_recorded.py [--data F.parquet] [--dataset D] [--policies multitask,knn,…] [--max-queries N]
          python bench/qpo_recorded.py --lm [--questions N] [--epochs N] [--seeds N]

1. `--fit`: the deployed default, fitted on one file and scored on the rows of another. One JSON object per data set.
2. `--splits`: the same on a fifth of all unique questions, held out at random, for this number of seeds. `--share` of
   the others are fitted on: it shows how much more questions would bring.
3. Default: the scorers side by side, askwell's own and those of scorers.py, by nested cross-validation over unique
   questions (baseline prompt, scorer and threshold are selected inside each outer fold; seed 0, 5 folds).
4. `--lm`: language models with each objective, and QPO as published (qpo_recorded_lm.py).

The data are ../shared/data/recorded/math_prompts_llama2_7b_chat.parquet. recorded.py describes the columns, the scores,
and how questions that two data sets share are kept apart.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from askwell.policies.data.outcomes import PairOutcomes, only_target, without
from askwell.policies.data.table import Table, baseline_prompt, table_of
from askwell.policies.offline_eval.headroom import headroom
from askwell.policies.selection.guard import choose_above
from askwell.policies.selection.selection import DEFAULT_SCORER, SelectionPolicy, fit_selection
from recorded import (
    DATA,
    SEED,
    Row,
    Scored,
    bootstrap,
    build_training_tables,
    cells_of,
    datasets,
    format_gain,
    full_rates,
    log,
    read_rows,
    sampled,
    scored,
    split_rows,
)
from scorers import all_fitters

POLICIES = tuple(all_fitters())
FOLDS = 5


def main() -> None:
    """Run one of the four modes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--score", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--dataset")
    parser.add_argument("--target-llm")
    parser.add_argument("--policies", default=",".join(POLICIES))
    parser.add_argument(
        "--max-queries", type=int, default=2_000, help="questions sampled by the default mode; GSM8K has 7,473"
    )
    parser.add_argument(
        "--splits", type=int, default=0, help="hold out a fifth of the questions, for this number of seeds"
    )
    parser.add_argument("--share", type=float, default=1.0, help="--splits: share of the other questions to fit on")
    parser.add_argument("--lm", action="store_true", help="train language models instead")
    parser.add_argument("--questions", type=int, default=70, help="--lm: questions of each data set to train on")
    parser.add_argument("--epochs", type=int, default=4, help="--lm")
    parser.add_argument("--seeds", type=int, default=1, help="--lm")
    arguments = parser.parse_args()
    if (arguments.fit is None) != (arguments.score is None):
        parser.error("--fit and --score belong together")
    if arguments.fit is not None:
        fit, score = (read_rows(path, arguments.target_llm) for path in (arguments.fit, arguments.score))
        for dataset in datasets(score, arguments.dataset):
            print(json.dumps(fit_and_score(fit, score, dataset)), flush=True)
        return
    rows = read_rows(arguments.data, arguments.target_llm)
    if arguments.lm:
        from qpo_recorded_lm import compare_language_models

        compare_language_models(rows, questions=arguments.questions, epochs=arguments.epochs, seeds=arguments.seeds)
    elif arguments.splits:
        for seed in range(arguments.splits):
            fit, score = split_rows(rows, seed, share=arguments.share)
            for dataset in datasets(score, arguments.dataset):
                print(json.dumps({"seed": seed, **fit_and_score(fit, score, dataset)}), flush=True)
    else:
        for dataset in datasets(rows, arguments.dataset):
            compare(rows, dataset, arguments.policies.split(","), arguments.max_queries)


def fit_and_score(fit: Sequence[Row], score: Sequence[Row], dataset: str) -> dict[str, object]:
    """Fit the deployed default on `fit`, without the questions to score; score it on `score`'s data set."""
    began = time.monotonic()
    held_out = cells_of(row for row in score if row.dataset == dataset)
    training, own = build_training_tables(fit, dataset, held_out)
    test = table_of(held_out, prompts=training.prompts)
    log(f"{dataset}: {len(own.queries)} own questions, {len(training.queries)} in all, {len(test.queries)} to score")
    policy = fit_selection(training, seed=SEED, baseline=baseline_prompt(own))
    result = scored(test, np.array(policy.choices(test.queries)), policy.baseline)
    low, high = bootstrap(result.gains)
    guard = policy.guard
    log(
        f"{dataset}: {policy.name} (text only, no embedding model), margin {guard.margin:.3f}, cross-validated "
        f"gain {100 * guard.gain:+.2f} points, {guard.switch_rate:.0%} switched; {time.monotonic() - began:.0f} s"
    )
    return {
        "dataset": dataset,
        "static": float(result.baseline.mean()),
        "policy": float(result.policy.mean()),
        "gain": float(result.gains.mean()),
        "low": low,
        "high": high,
        "n": len(result.gains),
    }


def compare(rows: Sequence[Row], dataset: str, names: Sequence[str], max_queries: int) -> None:
    """Print a table of all policies on one data set, by cross-validation over its unique questions."""
    own_cells = cells_of(row for row in rows if row.dataset == dataset)
    own_cells = sampled(own_cells, max_queries)
    table = table_of(own_cells)
    room = headroom(table, seed=SEED)
    possible = room.gain.estimate if room.gain.kind == "interval" else float("nan")
    print(f"\n{dataset}: {len(table.queries)} unique questions, {len(table.prompts)} prompts. {room.verdict}")
    print(f"{'policy':34s}{'score':>8s}  {'gain':>22s}  {'of headroom':>11s}")
    folds = list(_folds(rows, dataset, own_cells))
    plain = [(fold.test, np.full(len(fold.test.queries), fold.baseline), fold.baseline) for fold in folds]
    _line("baseline prompt (selected on train)", _together(plain), possible)
    rates = np.vstack([full_rates(fold.test) for fold in folds])
    print(f"{'random':34s}{np.nanmean(rates):8.3f}")
    print(f"{'naive oracle (mostly chance)':34s}{np.nanmean(np.nanmax(rates, axis=1)):8.3f}")
    for name in names:
        _line(name + ", unguarded", _together(_outcomes(folds, _unguarded(name))), possible)
    _line(f"{DEFAULT_SCORER}, guarded: DEPLOYED", _together(_outcomes(folds, _deployed)), possible)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """The data that one outer fold is fitted on, and those it is scored on."""

    training: Table
    baseline: int
    test: Table


def _folds(rows: Sequence[Row], dataset: str, own: PairOutcomes) -> Iterator[Fold]:
    order = np.random.default_rng(SEED).permutation(len(own.queries))
    for part in range(FOLDS):
        held_out = only_target(own, [own.queries[index] for index in order[part::FOLDS].tolist()])
        inside = without(own, held_out.queries)
        training, _ = build_training_tables(rows, dataset, held_out, own=inside)
        best = baseline_prompt(table_of(inside, prompts=training.prompts))
        yield Fold(training=training, baseline=best, test=table_of(held_out, prompts=training.prompts))


def _unguarded(name: str) -> Callable[[Fold], np.ndarray]:
    def picks(fold: Fold) -> np.ndarray:
        scorer = all_fitters()[name](fold.training, baseline=fold.baseline, seed=SEED)
        return choose_above(scorer.advantages(fold.test.queries), baseline=fold.baseline, margin=0.0)

    return picks


def _deployed(fold: Fold) -> np.ndarray:
    policy: SelectionPolicy = fit_selection(fold.training, seed=SEED, baseline=fold.baseline)
    return np.array(policy.choices(fold.test.queries))


def _outcomes(folds: Sequence[Fold], picks: Callable[[Fold], np.ndarray]) -> list[tuple[Table, np.ndarray, int]]:
    return [(fold.test, picks(fold), fold.baseline) for fold in folds]


def _together(outcomes: Iterable[tuple[Table, np.ndarray, int]]) -> Scored:
    parts = [scored(test, picks, baseline) for test, picks, baseline in outcomes]
    return Scored(
        baseline=np.concatenate([part.baseline for part in parts]),
        policy=np.concatenate([part.policy for part in parts]),
    )


def _line(name: str, result: Scored, possible: float) -> None:
    share = f"{float(result.gains.mean()) / possible:11.0%}" if possible > 0 else " " * 11
    print(f"{name:34s}{result.policy.mean():8.3f}  {format_gain(result.gains):>22s}  {share}", flush=True)


if __name__ == "__main__":
    main()

"""Query-level selection on recorded outcomes: Llama-2-7b-chat on GSM8K, MAWPS and SVAMP, many prompts per question.

Fit the deployed default on one file and score it on the rows of another; prints one JSON object per data set:

    python bench/qpo_recorded.py --fit A.parquet --score B.parquet [--dataset D] [--target-llm M]

The same on a fifth of all unique questions, held out at random, once per seed; fitted on a share of the others (to see
how the gain grows with the number of questions):

    python bench/qpo_recorded.py --splits 5 [--share 0.5] [--dataset D]

Compare scorers, askwell's own and those of scorers.py, by nested cross-validation over unique questions (baseline
prompt, scorer and margin are chosen inside each outer fold; seed 0, 5 folds):

    python bench/qpo_recorded.py [--data ../shared/data/recorded/math_prompts_llama2_7b_chat.parquet] [--dataset D]
        [--policies multitask,knn,…] [--max-queries N]

Train language models with each objective, and QPO as published (qpo_recorded_lm.py):

    python bench/qpo_recorded.py --lm [--questions N] [--epochs N] [--seeds N]

recorded.py describes the columns and scores, and how it keeps apart the questions that two data sets share.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from askwell.policies.data.outcomes import PairOutcomes, drop_queries, keep_queries
from askwell.policies.data.table import OutcomeTable, build_table, find_baseline
from askwell.policies.offline_eval.headroom import measure_headroom
from askwell.policies.selection.fallback import select_above_margin
from askwell.policies.selection.selection import DEFAULT_SCORER, SelectionPolicy, fit_selection
from recorded import (
    DATA,
    SEED,
    Row,
    Scored,
    bootstrap,
    format_gain,
    full_rates,
    list_datasets,
    merge_rows,
    print_note,
    read_rows,
    sample_queries,
    score_columns,
    split_rows,
    training_tables,
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
        "--max-queries", type=int, default=2_000, help="GSM8K has 7,473; the comparison samples this many"
    )
    parser.add_argument("--splits", type=int, default=0, help="hold out a fifth of the questions, for this many seeds")
    parser.add_argument("--share", type=float, default=1.0, help="--splits: share of the other questions to fit on")
    parser.add_argument("--lm", action="store_true", help="train language models instead of scorers")
    parser.add_argument("--questions", type=int, default=70, help="--lm: questions of each data set to train on")
    parser.add_argument("--epochs", type=int, default=4, help="--lm")
    parser.add_argument("--seeds", type=int, default=1, help="--lm")
    arguments = parser.parse_args()
    if (arguments.fit is None) != (arguments.score is None):
        parser.error("--fit and --score belong together")
    if arguments.fit is not None:
        fit, score = (read_rows(path, arguments.target_llm) for path in (arguments.fit, arguments.score))
        for dataset in list_datasets(score, arguments.dataset):
            print(json.dumps(fit_and_score(fit, score, dataset)), flush=True)
        return
    rows = read_rows(arguments.data, arguments.target_llm)
    if arguments.lm:
        from qpo_recorded_lm import compare_language_models

        compare_language_models(rows, questions=arguments.questions, epochs=arguments.epochs, seeds=arguments.seeds)
    elif arguments.splits:
        for seed in range(arguments.splits):
            fit, score = split_rows(rows, seed, share=arguments.share)
            for dataset in list_datasets(score, arguments.dataset):
                print(json.dumps({"seed": seed, **fit_and_score(fit, score, dataset)}), flush=True)
    else:
        for dataset in list_datasets(rows, arguments.dataset):
            compare(rows, dataset, arguments.policies.split(","), arguments.max_queries)


def fit_and_score(fit: Sequence[Row], score: Sequence[Row], dataset: str) -> dict[str, object]:
    """Fit the deployed default on `fit`, without any question of `score`'s data set, and score it there."""
    began = time.monotonic()
    held_out = merge_rows(row for row in score if row.dataset == dataset)
    learnt, own = training_tables(fit, dataset, held_out)
    test = build_table(held_out, prompts=learnt.prompts)
    print_note(
        f"{dataset}: {len(own.queries)} own questions, {len(learnt.queries)} in all, {len(test.queries)} to score"
    )
    policy = fit_selection(learnt, seed=SEED, baseline=find_baseline(own))
    scores = score_columns(test, np.array(policy.select_columns(test.queries)), policy.baseline)
    low, high = bootstrap(scores.gains)
    fallback = policy.fallback
    print_note(
        f"{dataset}: {policy.name} (text only, no embedding model), margin {fallback.margin:.3f}, cross-validated "
        f"gain {100 * fallback.gain:+.2f} points, {fallback.switch_rate:.0%} switched; {time.monotonic() - began:.0f} s"
    )
    return {
        "dataset": dataset,
        "static": float(scores.baseline.mean()),
        "policy": float(scores.policy.mean()),
        "gain": float(scores.gains.mean()),
        "low": low,
        "high": high,
        "n": len(scores.gains),
    }


def compare(rows: Sequence[Row], dataset: str, names: Sequence[str], max_queries: int) -> None:
    """Print a table of all policies on one data set, by cross-validation over its unique questions."""
    own_outcomes = merge_rows(row for row in rows if row.dataset == dataset)
    own_outcomes = sample_queries(own_outcomes, max_queries)
    table = build_table(own_outcomes)
    report = measure_headroom(table, seed=SEED)
    corrected = report.gain.estimate if report.gain.kind == "interval" else float("nan")
    print(f"\n{dataset}: {len(table.queries)} unique questions, {len(table.prompts)} prompts. {report.verdict}")
    print(f"{'policy':34s}{'score':>8s}  {'gain':>22s}  {'of headroom':>11s}")
    folds = list(_folds(rows, dataset, own_outcomes))
    plain = [(fold.test, np.full(len(fold.test.queries), fold.baseline), fold.baseline) for fold in folds]
    _line("baseline prompt (chosen on train)", _together(plain), corrected)
    rates = np.vstack([full_rates(fold.test) for fold in folds])
    print(f"{'random':34s}{np.nanmean(rates):8.3f}")
    print(f"{'naive oracle (mostly luck)':34s}{np.nanmean(np.nanmax(rates, axis=1)):8.3f}")
    for name in names:
        _line(name + ", no guard", _together(_outcomes(folds, _unguarded(name))), corrected)
    _line(f"{DEFAULT_SCORER}, guarded: DEPLOYED", _together(_outcomes(folds, _deployed)), corrected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Training table, baseline column and held-out table of one outer fold."""

    learnt: OutcomeTable
    baseline: int
    test: OutcomeTable


def _folds(rows: Sequence[Row], dataset: str, own: PairOutcomes) -> Iterator[Fold]:
    order = np.random.default_rng(SEED).permutation(len(own.queries))
    for part in range(FOLDS):
        held_out = keep_queries(own, [own.queries[index] for index in order[part::FOLDS].tolist()])
        inside = drop_queries(own, held_out.queries)
        learnt, _ = training_tables(rows, dataset, held_out, own=inside)
        best = find_baseline(build_table(inside, prompts=learnt.prompts))
        yield Fold(learnt=learnt, baseline=best, test=build_table(held_out, prompts=learnt.prompts))


def _unguarded(name: str) -> Callable[[Fold], np.ndarray]:
    def picks(fold: Fold) -> np.ndarray:
        scorer = all_fitters()[name](fold.learnt, baseline=fold.baseline, seed=SEED)
        return select_above_margin(scorer.advantages(fold.test.queries), baseline=fold.baseline, margin=0.0)

    return picks


def _deployed(fold: Fold) -> np.ndarray:
    policy: SelectionPolicy = fit_selection(fold.learnt, seed=SEED, baseline=fold.baseline)
    return np.array(policy.select_columns(fold.test.queries))


def _outcomes(folds: Sequence[Fold], picks: Callable[[Fold], np.ndarray]) -> list[tuple[OutcomeTable, np.ndarray, int]]:
    return [(fold.test, picks(fold), fold.baseline) for fold in folds]


def _together(outcomes: Iterable[tuple[OutcomeTable, np.ndarray, int]]) -> Scored:
    parts = [score_columns(test, picks, baseline) for test, picks, baseline in outcomes]
    return Scored(
        baseline=np.concatenate([part.baseline for part in parts]),
        policy=np.concatenate([part.policy for part in parts]),
    )


def _line(name: str, scores: Scored, corrected: float) -> None:
    share = f"{float(scores.gains.mean()) / corrected:11.0%}" if corrected > 0 else " " * 11
    print(f"{name:34s}{scores.policy.mean():8.3f}  {format_gain(scores.gains):>22s}  {share}", flush=True)


if __name__ == "__main__":
    main()

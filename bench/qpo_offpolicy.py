"""Measure the coverage of off-policy intervals on the bundled tasks, where a policy's true score is known.

Commands of the figures in docs/algorithms/qpo_loops.md (about 3 minutes each on one idle core):

    python bench/qpo_offpolicy.py                                     # seeds 0-49: the intervals were designed on these
    python bench/qpo_offpolicy.py --first-seed 1000                   # fresh seeds, run once
    python bench/qpo_offpolicy.py --first-seed 1000 --bundle bool_trues+walk_direction+review_topic

The bundled model answers 360 mixed queries with 10 prompts each, which gives the true scores. A trial samples 120
queries: 60 train a selection policy, and on the other 60 four random prompts each are "logged". The scores of two
policies are estimated from that log alone: the trained one (near 100 % here, where intervals are hardest), and one that
sends each query a random prompt (in the middle). An interval covers if it contains the policy's mean score over all 300
queries on which the policy was not trained. Prints one line per policy and estimator: coverage with its 95 % interval
(Wilson), mean error and mean width in points.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from askwell.api.build_task import build_task
from askwell.api.config_file import parse_config
from askwell.core.stats import format_interval, mean_interval
from askwell.core.types import Prompt
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import TargetSetup
from askwell.engine.scores import scores_by_prompt
from askwell.models.bundled import MAX_REPLY_TOKENS
from askwell.models.bundled.pocket import pocket_model
from askwell.policies.data.table import OutcomeTable
from askwell.policies.offline_eval.off_policy import Estimate, estimate_off_policy
from askwell.policies.selection.selection import fit_selection
from askwell.runlog.store import MemoryStore
from askwell.runlog.writer import Journal
from askwell.tasks import bundled

QUERIES, TRAINED, ESTIMATED, LOGGED = 360, 60, 60, 4
ESTIMATORS = ("direct", "ips", "doubly_robust")
FIGURES = ("score", "error", "width")


def main() -> None:
    """Run the trials and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--bundle", default="numbers_max+words_first+review_sentiment")
    arguments = parser.parse_args()
    truth = asyncio.run(whole_truth(arguments.bundle))
    found: dict[tuple[str, str], list[Trial]] = {}
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.trials)
    for seed in seeds:
        for one in one_trial(truth, seed):
            found.setdefault((one.policy, one.estimator), []).append(one)
    print(f"{arguments.bundle}: seeds {seeds[0]} to {seeds[-1]}, {len(truth.prompts)} prompts")
    print(f"{'policy':8s}{'scores':>8s}  {'estimator':16s}{'covered':>24s}{'mean error':>12s}{'mean width':>12s}")
    for (policy, estimator), trials in found.items():
        coverage = format_interval(mean_interval([float(one.covered) for one in trials]))
        score, error, width = (100 * np.mean([getattr(one, name) for one in trials]) for name in FIGURES)
        print(f"{policy:8s}{score:8.1f}  {estimator:16s}{coverage:>24s}{error:12.1f}{width:12.1f}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One estimate beside the truth."""

    policy: str
    estimator: str
    score: float
    covered: bool
    error: float
    width: float


async def whole_truth(bundle: str) -> OutcomeTable:
    """Send every query with every prompt."""
    tree = {"task": {"data": f"pocket:{bundle}"}, "split": {"train": 1, "dev": 1, "test": QUERIES}}
    task = build_task(parse_config(tree))
    prompts = pool(bundle)
    async with Journal(MemoryStore()) as journal:
        target_setup = TargetSetup(task=task, model=pocket_model(), sampling=Sampling(max_tokens=MAX_REPLY_TOKENS))
        evaluator = target_setup.evaluator(journal)
        cells = evaluator.slots([Prompt(instruction=text) for text in prompts], split="test", step=0)
        async with contextlib.aclosing(evaluator.rollouts(cells)) as rollouts:
            scores = await scores_by_prompt(rollouts)
    examples = task.splits["test"]
    totals = np.array([[scores[Prompt(instruction=text)][one.id] for text in prompts] for one in examples])
    return OutcomeTable(
        queries=tuple(one.input for one in examples), prompts=prompts, totals=totals, repeats=np.ones_like(totals)
    )


def pool(bundle: str) -> tuple[str, ...]:
    """Return ten prompts: each task's best known prompt, two paraphrases held out of training, and a vague prompt."""
    texts = [bundled.vague_prompts()[0]]
    for task in bundled.members(bundle):
        texts += [bundled.best_known_prompt(task), *bundled.held_out(task)[:2]]
    return tuple(dict.fromkeys(texts))


def one_trial(truth: OutcomeTable, seed: int) -> Iterator[Trial]:
    """Train on some queries, log a few prompts on others, estimate, and compare with the true score."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(truth.queries))
    learnt = fit_selection(truth.select_rows(order[:TRAINED]), scorer="trees", seed=seed)
    unseen = truth.select_rows(order[TRAINED:])
    part = unseen.select_rows(np.arange(ESTIMATED))
    shown = np.argsort(rng.random(part.totals.shape), axis=1) < LOGGED
    log = OutcomeTable(
        queries=part.queries, prompts=part.prompts, totals=part.totals * shown, repeats=part.repeats * shown
    )
    choices: dict[str, list[int]] = {
        "learnt": learnt.select_columns(unseen.queries),
        "random": np.random.default_rng(50_000 + seed).integers(len(truth.prompts), size=len(unseen.queries)).tolist(),
    }
    for policy, chosen in choices.items():
        score = float(unseen.totals[np.arange(len(chosen)), chosen].mean())
        sent = [truth.prompts[place] for place in chosen[:ESTIMATED]]
        found = estimate_off_policy(log, sent, scorer="trees", seed=seed)
        for estimator in ESTIMATORS:
            one = getattr(found, estimator)
            assert isinstance(one, Estimate)
            yield Trial(
                policy=policy,
                estimator=estimator,
                score=score,
                covered=one.low <= score <= one.high,
                error=one.value - score,
                width=one.high - one.low,
            )


if __name__ == "__main__":
    main()

"""Do off-policy intervals cover what a policy really scores? On the bundled tasks the truth can be asked.

Command (about 3 minutes on one core; seeds 0 to 49):

    python bench/qpo_offpolicy.py [--trials 50] [--bundle numbers_max+words_first+review_sentiment]

The bundled model answers 360 mixed queries with 10 prompts each: the whole truth. A trial draws 120 of the queries; 60
train a selection policy, on the other 60 four prompts each are "logged" at random, and the policy's score is estimated
from that log alone. It is covered where the interval holds the policy's mean score over all 300 queries it was not
trained on. One line an estimator: coverage with its 95 % interval (Wilson), mean error and mean width in points.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

import numpy as np

from askwell import pocket
from askwell.build_task import build_task
from askwell.config import parse_config
from askwell.evaluation import Sampling, scores_by_prompt
from askwell.job import TargetSide
from askwell.journal import Journal
from askwell.pocket.model import pocket_model
from askwell.qpo.offpolicy import Estimate, off_policy
from askwell.qpo.select import fit_selection
from askwell.qpo.table import Table
from askwell.stats import format_interval, mean_interval
from askwell.store import MemoryStore
from askwell.types import Prompt

QUERIES, TRAINED, ESTIMATED, LOGGED = 360, 60, 60, 4
ESTIMATORS = ("direct", "ips", "doubly_robust")


def main() -> None:
    """Run the trials and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--bundle", default="numbers_max+words_first+review_sentiment")
    arguments = parser.parse_args()
    truth = asyncio.run(whole_truth(arguments.bundle))
    found: dict[str, list[tuple[bool, float, float]]] = {name: [] for name in ESTIMATORS}
    for trial in range(arguments.trials):
        for name, covered in one_trial(truth, trial).items():
            found[name].append(covered)
    print(f"{arguments.bundle}: {arguments.trials} trials, {len(truth.prompts)} prompts")
    print(f"{'estimator':16s}{'covered':>24s}{'mean error':>12s}{'mean width':>12s}")
    for name, results in found.items():
        covered, errors, widths = zip(*results, strict=True)
        spelt = format_interval(mean_interval([float(one) for one in covered]))
        print(f"{name:16s}{spelt:>24s}{100 * np.mean(errors):12.1f}{100 * np.mean(widths):12.1f}")


async def whole_truth(bundle: str) -> Table:
    """Ask every query with every prompt."""
    tree = {"task": {"data": f"pocket:{bundle}"}, "split": {"train": 1, "dev": 1, "test": QUERIES}}
    task = build_task(parse_config(tree))
    prompts = pool(bundle)
    async with Journal(MemoryStore()) as journal:
        side = TargetSide(task=task, model=pocket_model(), sampling=Sampling(max_tokens=pocket.MAX_REPLY_TOKENS))
        evaluator = side.evaluator(journal)
        cells = evaluator.cells([Prompt(instruction=text) for text in prompts], split="test", step=0)
        async with contextlib.aclosing(evaluator.rollouts(cells)) as rollouts:
            scores = await scores_by_prompt(rollouts)
    examples = task.splits["test"]
    totals = np.array([[scores[Prompt(instruction=text)][one.id] for text in prompts] for one in examples])
    return Table(
        queries=tuple(one.input for one in examples), prompts=prompts, totals=totals, draws=np.ones_like(totals)
    )


def pool(bundle: str) -> tuple[str, ...]:
    """Ten prompts: each task's best known one and two paraphrases nobody trained on, and a vague one."""
    texts = [pocket.vague_prompts()[0]]
    for task in pocket.members(bundle):
        texts += [pocket.best_known_prompt(task), *pocket.held_out(task)[:2]]
    return tuple(dict.fromkeys(texts))


def one_trial(truth: Table, trial: int) -> dict[str, tuple[bool, float, float]]:
    """Train on some queries, log a little on others, estimate, and look the truth up."""
    rng = np.random.default_rng(trial)
    order = rng.permutation(len(truth.queries))
    policy = fit_selection(truth.rows(order[:TRAINED]), scorer="trees", seed=trial)
    unseen = truth.rows(order[TRAINED:])
    chosen = np.array(policy.choices(unseen.queries))
    score = float(unseen.totals[np.arange(len(chosen)), chosen].mean())
    part = unseen.rows(np.arange(ESTIMATED))
    shown = np.argsort(rng.random(part.totals.shape), axis=1) < LOGGED
    log = Table(queries=part.queries, prompts=part.prompts, totals=part.totals * shown, draws=part.draws * shown)
    found = off_policy(log, policy.prompts_for(log.queries), scorer="trees", seed=trial)
    results: dict[str, tuple[bool, float, float]] = {}
    for name in ESTIMATORS:
        one = getattr(found, name)
        assert isinstance(one, Estimate)
        results[name] = (one.low <= score <= one.high, one.value - score, one.high - one.low)
    return results


if __name__ == "__main__":
    main()

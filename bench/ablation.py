"""Measure what each ingredient of the optimizer `askwell` is worth on the bundled tasks, at a small number of calls.

Command:  .venv/bin/python bench/ablation.py --out ablation.jsonl
          (default 8 tasks x 2 seeds x the whole optimizer, each ingredient switched off, and `gpo`; target `pocket`,
          optimizer model `editor`, 32 dev examples, 600 calls of both models per run besides the test; 15 minutes)

With many calls every optimizer comes near the most that the target can do, and no difference would show. Each row is
one variant: the mean test accuracy of its final prompt over tasks and seeds, the difference to the whole optimizer with
a 95 % interval (paired bootstrap over tasks, because seeds of one task are alike), and the steps per run. If an
interval contains 0, the ingredient has no measurable worth *here*: with a phrase search as the optimizer model, and
tasks of one kind. Results are appended to `--out` as they come, and a result that is there is not computed again.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from askwell.core.event_loop import run_blocking
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Prompt, Request
from askwell.engine.budget import Caps
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import OptimizeJob, TargetSetup, encode_header
from askwell.engine.loop import LoopSettings
from askwell.models.bundled import MAX_REPLY_TOKENS
from askwell.models.bundled.editor import EditorModel
from askwell.models.bundled.pocket import pocket_model
from askwell.models.request_key import request_key
from askwell.optimizers.gpo.presets import INGREDIENTS
from askwell.optimizers.presets import ConfiguredOptimizer, configure
from askwell.runlog.fold import fold, read_spend
from askwell.runlog.store import MemoryStore
from askwell.tasks import bundled
from askwell.tasks.task import Task
from optimizers import TASKS, task_of

WHOLE = "askwell"
STEPS = 60
"""More than the calls allow, so that the calls end the run."""


class Remembered:
    """The loaded model of this process. It is greedy, so several runs may share an answer; each run still counts it."""

    def __init__(self, model: ChatModel) -> None:
        self.inner = model
        self.name = model.name
        self.answers: dict[str, Completion] = {}

    async def complete(self, request: Request) -> Completion:
        key = request_key(self.name, request)
        if key not in self.answers:
            self.answers[key] = await self.inner.complete(request)
        return self.answers[key]

    async def aclose(self) -> None:
        return


def variants() -> dict[str, ConfiguredOptimizer]:
    """Return the whole optimizer, the optimizer without each ingredient, and the paper's."""
    off = {f"without {name}": configure(WHOLE, {"without": [name]}, defaults=DEFAULTS) for name in INGREDIENTS}
    return {WHOLE: configure(WHOLE, {}, defaults=DEFAULTS), **off, "gpo": configure("gpo", {}, defaults=DEFAULTS)}


DEFAULTS: Mapping[str, Any] = {"total_steps": 9}


def optimized(
    task: Task, target_setup: TargetSetup, chosen: ConfiguredOptimizer, *, calls: int, seed: int
) -> dict[str, object]:
    """Run one variant to its cap and return what its final prompt scores on the test split."""
    store = MemoryStore()

    job = OptimizeJob(
        header=encode_header({}, seed=seed, settings=None),
        initial=[Prompt(instruction=bundled.initial_prompt(task.name))],
        target_setup=target_setup,
        optimizer_model=EditorModel(seed),
        make_optimizer=chosen.factory(task),
        settings=LoopSettings(steps=STEPS, seed=seed),
        racing=chosen.racing,
        caps=Caps(max_calls=calls + target_setup.test_calls),
    )
    history = run_blocking(lambda stopper: job.execute(store, stopper, lambda _: None))
    best = history.best
    scores = fold(store).scores_of(best.prompt, "test")
    spent = read_spend(store)
    return {
        "prompt": best.prompt.instruction,
        "demos": len(best.prompt.demos),
        "dev": best.score,
        "test": statistics.fmean(scores.values()),
        "steps": history.next_step - 1,
        "calls": {role: usage.calls for role, usage in spent.items()},
    }


def difference(ours: Mapping[str, float], theirs: Mapping[str, float]) -> tuple[float, float, float]:
    """Return the mean over tasks of ours minus theirs, with a percentile bootstrap over tasks."""
    gaps, rng = [ours[task] - theirs[task] for task in ours], random.Random(0)
    means = sorted(statistics.fmean(rng.choices(gaps, k=len(gaps))) for _ in range(5_000))
    return statistics.fmean(gaps), means[125], means[4_874]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return one row per variant, the best first."""
    by_variant: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        by_variant.setdefault(row["variant"], {}).setdefault(row["task"], []).append(row)
    means = {
        variant: {task: statistics.fmean(row["test"] for row in of_task) for task, of_task in tasks.items()}
        for variant, tasks in by_variant.items()
    }
    lines = ["| variant | test accuracy | minus `askwell` [95 %] | steps per run |", "|---|---|---|---|"]
    for variant in sorted(means, key=lambda name: -statistics.fmean(means[name].values())):
        gap, low, high = difference(means[variant], means[WHOLE])
        against = "" if variant == WHOLE else f"{100 * gap:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
        steps = statistics.fmean(row["steps"] for of_task in by_variant[variant].values() for row in of_task)
        accuracy = 100 * statistics.fmean(means[variant].values())
        lines.append(f"| {variant} | {accuracy:.1f} | {against} | {steps:.1f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--variants", nargs="+", default=list(variants()))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--calls", type=int, default=600, help="calls of both models per run, without the final test")
    parser.add_argument("--dev", type=int, default=32)
    parser.add_argument("--test", type=int, default=150)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    done = {(row["task"], row["variant"], row["seed"]) for row in rows}
    target = Remembered(pocket_model(batch_size=128))
    tasks = {name: task_of(name, dev=given.dev, test=given.test) for name in given.tasks}
    sampling = Sampling(max_tokens=MAX_REPLY_TOKENS)
    cells: Sequence[tuple[int, str, str]] = [
        (seed, name, variant) for seed in range(given.seeds) for name in given.tasks for variant in given.variants
    ]
    for seed, name, variant in cells:
        if (name, variant, seed) in done:
            continue
        target_setup = TargetSetup(task=tasks[name], model=target, sampling=sampling, concurrency=64)
        found = optimized(tasks[name], target_setup, variants()[variant], calls=given.calls, seed=seed)
        rows.append({"task": name, "variant": variant, "seed": seed, **found})
        with given.out.open("a") as out:
            out.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()

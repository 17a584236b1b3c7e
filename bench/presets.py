"""What each optimizer preset finds on the bundled tasks, at the same number of steps, with the same rewriter.

Command:  .venv/bin/python bench/presets.py --out presets.json
          (28 tasks exist; default 8 tasks x 3 seeds x 7 presets, about 25 minutes on two quiet cores; test accuracy on
          200 examples a task; target `pocket`, optimizer `editor`, 9 steps of 8 candidates, 32 dev examples)

Each row is a preset: mean test accuracy of its final prompt over tasks and seeds, the paired difference to `gpo` with a
95 % interval (bootstrap over tasks, since seeds of one task are alike), and target calls a run (tests left out). The
references `empty` and `cot` are prompts nobody optimized. `control-random` and `control-shuffled` are `gpo` with its
direction taken away: what they lose is what the direction is worth here.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from askwell import pocket, views
from askwell.blocking import run_blocking
from askwell.build_task import answer_type_of
from askwell.evaluation import Sampling
from askwell.gpo.direction import Judge
from askwell.gpo.optimizer import GPO
from askwell.gpo.presets import preset
from askwell.job import EvaluateJob, OptimizeJob, TargetSide, header_body
from askwell.loop import LoopSettings
from askwell.models.base import ChatModel
from askwell.models.editor import EditorModel
from askwell.pocket.model import pocket_model
from askwell.store import MemoryStore
from askwell.tasks.base import Task
from askwell.tasks.metrics import metric
from askwell.tasks.render import Placed
from askwell.types import Completion, Prompt, Request

TASKS = (
    "numbers_even", "numbers_max", "words_animals", "words_longest",
    "review_sentiment", "review_topic", "bool_trues", "walk_turns",
)  # fmt: skip
PRESETS = ("gpo", "opro", "ape", "pe2", "control-random", "control-shuffled")
REFERENCES = {"empty": "", "cot": "Let's think step by step."}


class Kept:
    """The one loaded model of this process, which no run may close."""

    def __init__(self, model: ChatModel) -> None:
        self.inner = model
        self.name = model.name

    async def complete(self, request: Request) -> Completion:
        return await self.inner.complete(request)

    async def aclose(self) -> None:
        return


def task_of(name: str, *, dev: int, test: int) -> Task:
    sizes = {"train": 32, "dev": dev, "test": test}
    splits = {part: tuple(pocket.examples(name, part, size)) for part, size in sizes.items()}  # type: ignore[arg-type]
    return Task(name=name, splits=splits, render=Placed(), metric=metric(answer_type_of(splits["dev"])))  # type: ignore[arg-type]


def optimized(task: Task, side: TargetSide, name: str, *, steps: int, seed: int) -> dict[str, object]:
    settings = preset(name, total_steps=steps)
    store = MemoryStore()

    def make(model: ChatModel, judge: Judge) -> GPO:
        return GPO(model=model, train=task.splits["train"], render=task.render, settings=settings, judge=judge)

    job = OptimizeJob(
        header=header_body({}, seed=seed, settings=None),
        initial=[Prompt(instruction=pocket.initial_prompt(task.name))],
        side=side,
        optimizer_model=EditorModel(seed),
        make_optimizer=make,
        settings=LoopSettings(steps=steps, seed=seed),
    )
    history = run_blocking(lambda stopper: job.execute(store, stopper, lambda _: None))
    best = history.best.prompt
    scores = views.cell_scores(store.events(), split="test", prompts=[best])[best]
    on_test = sum(1 for rollout in views.rollouts(store.events(), split="test"))
    calls = views.spend(store.events())["target"].calls - on_test
    return {"prompt": best.instruction, "test": statistics.fmean(scores.values()), "calls": calls}


def reference(side: TargetSide, text: str) -> dict[str, object]:
    prompt = Prompt(instruction=text)
    job = EvaluateJob(header=header_body({}, seed=0, settings=None), prompts=[prompt], side=side)
    scores = run_blocking(lambda stopper: job.execute(MemoryStore(), stopper, lambda _: None))
    return {"prompt": text, "test": statistics.fmean(scores[prompt].values()), "calls": 0}


def difference(ours: Mapping[str, float], theirs: Mapping[str, float], *, seed: int = 0) -> tuple[float, float, float]:
    """Mean over tasks of ours minus theirs, with a percentile bootstrap over tasks."""
    gaps = [ours[task] - theirs[task] for task in ours]
    rng = random.Random(seed)
    means = sorted(statistics.fmean(rng.choices(gaps, k=len(gaps))) for _ in range(5_000))
    return statistics.fmean(gaps), means[125], means[4_874]


def table(rows: Sequence[Mapping[str, object]]) -> str:
    names = list(dict.fromkeys(str(row["preset"]) for row in rows))
    by_task: dict[str, dict[str, float]] = {}
    for name in names:
        found: dict[str, list[float]] = {}
        for row in rows:
            if row["preset"] == name:
                found.setdefault(str(row["task"]), []).append(float(row["test"]))  # type: ignore[arg-type]
        by_task[name] = {task: statistics.fmean(values) for task, values in found.items()}
    lines = ["| preset | test accuracy | minus gpo [95 %] | target calls a run |", "|---|---|---|---|"]
    for name in sorted(names, key=lambda one: -statistics.fmean(by_task[one].values())):
        calls = statistics.fmean(float(row["calls"]) for row in rows if row["preset"] == name)  # type: ignore[arg-type]
        gap, low, high = difference(by_task[name], by_task["gpo"])
        against = "" if name == "gpo" else f"{100 * gap:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
        lines.append(f"| {name} | {100 * statistics.fmean(by_task[name].values()):.1f} | {against} | {calls:,.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--dev", type=int, default=32)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    target = Kept(pocket_model(batch_size=128))
    rows: list[dict[str, object]] = []
    for name in arguments.tasks:
        task = task_of(name, dev=arguments.dev, test=arguments.test)
        sampling = Sampling(max_tokens=pocket.MAX_REPLY_TOKENS)
        side = TargetSide(task=task, model=target, sampling=sampling, concurrency=256)
        for label, text in REFERENCES.items():
            rows.append({"task": name, "preset": label, "seed": 0, **reference(side, text)})
        for preset_name in arguments.presets:
            for seed in range(arguments.seeds):
                begun = time.monotonic()
                found = optimized(task, side, preset_name, steps=arguments.steps, seed=seed)
                rows.append({"task": name, "preset": preset_name, "seed": seed, **found})
                print(json.dumps({**rows[-1], "seconds": round(time.monotonic() - begun, 1)}), flush=True)
    print(table(rows))
    if arguments.out:
        arguments.out.write_text(json.dumps({"arguments": vars(arguments) | {"out": None}, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()

"""Measure what each optimizer achieves on the bundled tasks with the same optimizer model and number of target calls.

Command:  .venv/bin/python bench/optimizers.py --out optimizers.jsonl
          (default 8 tasks x 5 seeds x every optimizer, 400 target calls per run; target `pocket`, optimizer model
          `editor`)

Every optimizer has its own defaults, starts from the same vague prompt and may make `--budgets` target calls, on
training and dev examples together; the schedules' T is what the largest budget pays for. One run to the largest budget
gives the result at all budgets: at each one, the best prompt that was by then scored on the whole dev split (score less
penalty), and its accuracy on test examples that no run sees. Other packages plan by their budget, so they get one run
for each.

The target is greedy, so its answers are kept for the whole process, across optimizers and seeds; a run's calls are
counted as if it had paid for them. Results are appended to `--out` as they come, and a result that is there is not
computed again; `--table` prints the results. Intervals are 95 % bootstraps over tasks, because seeds of one task are
alike.

`empty` and `cot` are prompts that were not optimized, `initial` is the prompt from which all start, `best known` is the
best of the four that the bundled model's card names. `control-random` and `control-shuffled` are `gpo` without its
direction.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from askwell.api.build_task import infer_answer_type
from askwell.core.event_loop import run_blocking
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Example, Prompt, Request, Split
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import OptimizeJob, TargetSetup, encode_header
from askwell.engine.loop import LoopSettings
from askwell.models.bundled import MAX_REPLY_TOKENS
from askwell.models.bundled.editor import EditorModel
from askwell.models.bundled.pocket import pocket_model
from askwell.models.request_key import request_key
from askwell.optimizers.presets import configure
from askwell.runlog.codec import decode_prompt, prompt_id
from askwell.runlog.fold import read_spend
from askwell.runlog.store import MemoryStore, RunStore
from askwell.tasks import bundled
from askwell.tasks.metrics import metric
from askwell.tasks.render import ChatRender
from askwell.tasks.task import Task

TASKS = (
    "numbers_even", "numbers_sort", "words_animals", "words_longest",
    "review_staff", "review_topic", "bool_trues", "walk_turns",
)  # fmt: skip
OPTIMIZERS = (
    "askwell", "gpo", "ape", "apo", "opro", "pe2", "sgdm", "evoprompt-ga", "evoprompt-de", "capo",
    "control-random", "control-shuffled",
)  # fmt: skip
PEERS = ("gepa", "dspy-mipro", "dspy-simba")
OURS = "askwell"
STEPS = 400
"""More than any budget allows, so that the calls end a run, or a perfect dev score."""
IDLE = 25
"""Steps without a better prompt after which a run ends: it may make no new call and so never reach its budget."""


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """The loaded model of this process, and all its answers."""

    inner: ChatModel
    answers: dict[str, Completion] = field(default_factory=dict[str, Completion])

    async def answer(self, key: str, request: Request) -> Completion:
        if key not in self.answers:
            self.answers[key] = await self.inner.complete(request)
        return self.answers[key]


class Rationed:
    """The target model of one run, limited to `most` calls; `paid` holds the number of the call that answered a key."""

    def __init__(self, model: Remembered, most: int) -> None:
        self.model = model
        self.name = model.inner.name
        self.most = most
        self.paid: dict[str, int] = {}

    async def complete(self, request: Request) -> Completion:
        key = request_key(self.name, request)
        if key not in self.paid:
            if len(self.paid) >= self.most:
                return Completion(
                    outcome="failed", fault="budget", error=f"all {self.most} target calls have been made"
                )
            self.paid[key] = len(self.paid) + 1
        return await self.model.answer(key, request)

    async def aclose(self) -> None:
        return


@dataclass(frozen=True, kw_only=True)
class BudgetResult:
    """The prompt that an optimizer would return after this number of target calls."""

    budget: int
    prompt: Prompt
    calls: int
    """Target calls made by then; fewer than the budget if the run had ended."""
    optimizer_calls: int
    """Of the whole run."""


Method = Callable[[Task, Rationed, ChatModel, Sequence[int], int], list[BudgetResult]]
"""(task without its test split, target, optimizer model, budgets, seed) -> the result at each budget."""


def askwell_method(name: str, changes: Mapping[str, Any]) -> Method:
    """Return an optimizer of askwell's as a method: one run, read at every budget."""

    def results_of(
        task: Task, target: Rationed, model: ChatModel, budgets: Sequence[int], seed: int
    ) -> list[BudgetResult]:
        steps = max(1, round(max(budgets) / (8 * len(task.splits["dev"]))))
        chosen = configure(name, changes, defaults={"total_steps": steps})
        store = MemoryStore()

        sampling = Sampling(max_tokens=MAX_REPLY_TOKENS)
        job = OptimizeJob(
            header=encode_header({}, seed=seed, settings=None),
            initial=[Prompt(instruction=bundled.initial_prompt(task.name))],
            target_setup=TargetSetup(task=task, model=target, sampling=sampling, concurrency=64),
            optimizer_model=model,
            make_optimizer=chosen.factory(task),
            settings=LoopSettings(steps=chosen.limit_steps(STEPS), patience=IDLE, seed=seed),
            racing=chosen.racing,
        )
        run_blocking(lambda stopper: job.execute(store, stopper, lambda _: None))
        spent = read_spend(store)
        optimizer_calls = spent["optimizer"].calls if "optimizer" in spent else 0
        return [
            BudgetResult(
                budget=budget,
                prompt=best_within(store, target.paid, budget, size=len(task.splits["dev"])),
                calls=min(budget, len(target.paid)),
                optimizer_calls=optimizer_calls,
            )
            for budget in budgets
        ]

    return results_of


def peer_method(name: str) -> Method:
    """Return another package's optimizer as a method: one run per budget, because it plans by its budget."""

    def results_of(
        task: Task, target: Rationed, model: ChatModel, budgets: Sequence[int], seed: int
    ) -> list[BudgetResult]:
        results: list[BudgetResult] = []
        for budget in budgets:
            ration = Rationed(target.model, budget)
            both_ends = 2 * len(task.splits["dev"])  # the loop scores the first prompt and the last
            changes = {"target_calls": max(1, budget - both_ends)}
            results += askwell_method(name, changes)(task, ration, model, [budget], seed)
        return results

    return results_of


METHODS: Mapping[str, Method] = {name: askwell_method(name, {}) for name in OPTIMIZERS} | {
    name: peer_method(name) for name in PEERS
}
"""Add a method here: any function of this type."""


def best_within(store: RunStore, paid: Mapping[str, int], budget: int, *, size: int) -> Prompt:
    """Return the best prompt whose dev calls were all answered within `budget` calls; of equals the earliest.

    Reads the log of one run. `size` is the length of the dev split. Returns the initial prompt if there is none.
    """
    texts: dict[str, Prompt] = {}
    penalties: dict[str, float] = {}
    scores: dict[str, dict[str, float]] = {}
    scored_at: dict[str, int] = {}
    for event in store.events():
        body: Any = event.body
        if event.kind == "prompt":
            texts.setdefault(body["id"], decode_prompt(body))
        elif event.kind == "proposals":
            penalties |= {proposal["prompt"]: proposal.get("penalty", 0.0) for proposal in body["proposals"]}
        elif event.kind == "rollout" and body["split"] == "dev" and paid[event.key] <= budget and body["score"]:
            scores.setdefault(body["prompt"], {})[body["example"]] = body["score"][0]
            scored_at[body["prompt"]] = max(paid[event.key], scored_at.get(body["prompt"], 0))
    full = {name: statistics.fmean(of.values()) for name, of in scores.items() if len(of) == size}
    if not full:
        return next(iter(texts.values()))
    return texts[max(full, key=lambda name: (full[name] - penalties.get(name, 0.0), -scored_at[name]))]


async def accuracy(task: Task, model: Remembered, prompt: Prompt) -> float:
    """Return a prompt's share of right answers on the task's test split."""

    async def score(example: Example) -> float:
        request = Request(messages=task.render(prompt, example), max_tokens=MAX_REPLY_TOKENS)
        completion = await model.answer(request_key(model.inner.name, request), request)
        return task.metric(completion.text, example).value

    return statistics.fmean(await asyncio.gather(*map(score, task.splits["test"])))


def task_of(name: str, *, dev: int, test: int) -> Task:
    def examples(part: Split, size: int) -> tuple[Example, ...]:
        return tuple(bundled.examples(name, part, size))

    splits: dict[Split, tuple[Example, ...]] = {
        "train": examples("train", 32), "dev": examples("dev", dev), "test": examples("test", test),
    }  # fmt: skip
    return Task(name=name, splits=splits, render=ChatRender(), metric=metric(infer_answer_type(splits["dev"])))


def without_test(task: Task) -> Task:
    splits: dict[Split, tuple[Example, ...]] = {part: task.splits[part] for part in ("train", "dev")}
    return Task(name=task.name, splits=splits, render=task.render, metric=task.metric)


def rows_of(task: Task, model: Remembered, name: str, budgets: Sequence[int], seed: int) -> list[dict[str, Any]]:
    """Run one method on one task and test its prompts."""
    results = METHODS[name](without_test(task), Rationed(model, max(budgets)), EditorModel(seed), budgets, seed)
    tested: dict[str, float] = {}
    for result in results:
        if prompt_id(result.prompt) not in tested:
            tested[prompt_id(result.prompt)] = asyncio.run(accuracy(task, model, result.prompt))
    return [
        {
            "task": task.name, "optimizer": name, "seed": seed, "budget": result.budget, "calls": result.calls,
            "optimizer_calls": result.optimizer_calls, "test": tested[prompt_id(result.prompt)],
            "prompt": result.prompt.instruction, "demos": len(result.prompt.demos),
        }
        for result in results
    ]  # fmt: skip


def references(task: Task, model: Remembered, budgets: Sequence[int]) -> list[dict[str, Any]]:
    prompts = {
        "empty": "",
        "cot": "Let's think step by step.",
        "initial": bundled.initial_prompt(task.name),
        "best known": bundled.best_known_prompt(task.name),
    }
    tested = {name: asyncio.run(accuracy(task, model, Prompt(instruction=text))) for name, text in prompts.items()}
    return [
        {"task": task.name, "optimizer": name, "seed": 0, "budget": budget, "calls": 0, "optimizer_calls": 0,
         "test": tested[name], "prompt": prompts[name], "demos": 0}
        for name in prompts for budget in budgets
    ]  # fmt: skip


def bootstrap(values: Sequence[float]) -> str:
    """Return the mean over tasks in points, with a percentile interval from 5,000 draws of tasks; "" for none."""
    if not values:
        return ""
    rng = random.Random(0)
    means = sorted(statistics.fmean(rng.choices(values, k=len(values))) for _ in range(5_000))
    return f"{100 * statistics.fmean(values):.1f} [{100 * means[125]:.1f}, {100 * means[4_874]:.1f}]"


def by_task(rows: Sequence[Mapping[str, Any]], optimizer: str, budget: int) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for row in rows:
        if row["optimizer"] == optimizer and row["budget"] == budget:
            scores.setdefault(row["task"], []).append(row["test"])
    return {task: statistics.fmean(values) for task, values in scores.items()}


def table(rows: Sequence[Mapping[str, Any]], *, against: str) -> str:
    """Return one row per optimizer, the best at the largest budget first."""
    budgets = sorted({row["budget"] for row in rows})
    names = list(dict.fromkeys(row["optimizer"] for row in rows))
    means = {name: {budget: by_task(rows, name, budget) for budget in budgets} for name in names}
    head = "| optimizer | " + " | ".join(f"{budget} calls" for budget in budgets)
    lines = [
        f"{head} | minus {against} at {budgets[-1]} | target, optimizer-model calls |",
        "|---" * (len(budgets) + 3) + "|",
    ]
    for name in sorted(names, key=lambda name: -statistics.fmean(means[name][budgets[-1]].values())):
        last = means[name][budgets[-1]]
        gaps = [value - means[against][budgets[-1]][task] for task, value in last.items()]
        of_last = [row for row in rows if row["optimizer"] == name and row["budget"] == budgets[-1]]
        calls, optimizer_calls = (
            statistics.fmean(row[kind] for row in of_last) for kind in ("calls", "optimizer_calls")
        )
        cells = [bootstrap(list(means[name][budget].values())) for budget in budgets]
        difference = "" if name == against else bootstrap(gaps)
        lines.append(f"| {name} | {' | '.join(cells)} | {difference} | {calls:,.0f}, {optimizer_calls:,.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--optimizers", nargs="+", default=list(OPTIMIZERS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budgets", nargs="+", type=int, default=[100, 200, 400], help="target calls, ascending")
    parser.add_argument("--dev", type=int, default=16)
    parser.add_argument("--test", type=int, default=100)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="run nothing, print the results in --out")
    parser.add_argument("--against", default=OURS, help="the optimizer that the others are compared with")
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    done = {(row["task"], row["optimizer"], row["seed"]) for row in rows}

    def keep(more: Sequence[dict[str, Any]]) -> None:
        rows.extend(more)
        with given.out.open("a") as out:
            out.writelines(json.dumps(row) + "\n" for row in more)

    model = Remembered(inner=pocket_model(batch_size=128))
    tasks = [] if given.table else [task_of(name, dev=given.dev, test=given.test) for name in given.tasks]
    for seed in range(given.seeds):
        for task in tasks:
            if (task.name, "empty", 0) not in done and not seed:
                keep(references(task, model, given.budgets))
            for optimizer in given.optimizers:
                if (task.name, optimizer, seed) not in done:
                    keep(rows_of(task, model, optimizer, given.budgets, seed))
    print(table(rows, against=given.against))


if __name__ == "__main__":
    main()

"""Compare QPO as published with askwell's default on the bundled mixture of tasks, at equal target calls.

Command:  OMP_NUM_THREADS=1 python bench/qpo_mixture.py --first-seed 5 --jobs 2 --methods askwell paper
          (the figures in docs/algorithms/qpo_loops.md; three processor hours, an hour with --paper-epochs 8)

For each seed, GPO searches one prompt for three mixed tasks on the bundled model (180 train, 60 dev, 300 test queries).
Its log is the offline data of all methods. Each method trains three times, without early stopping of its loops, and may
pay `--calls` target calls: 600 for the final test, and 400 before it, spread evenly over the loops. With these, the
paper's method labels its new prompts and measures its dev figures. Ours also labels the baseline prompt beside each new
one, and measures its starting point, the selector among logged prompts, on dev. `calls` are those paid before the test.
They fall short of 400 if the last loop writes prompts whose dev answers are known; the script fails if two methods of a
seed differ by more than 15 %.

Everything else is each method's own. `paper`: the paper's rewards as conditions, all logged pairs, one greedy prompt,
no fallback threshold, 100 passes over the log and 20 in later loops (or `--paper-epochs` in each). `paper-score`: the
same with the plain score as the reward. `askwell`: the default. There is one departure from the paper in its favour:
the loop that is best on dev queries is tested, not the last. `loops`: the tested loop / the last one (0: the selector).

The baseline prompt has the best score on all logged queries. Figures are on the 300 held-out queries, in points, with a
paired bootstrap-t interval over queries; the last rows are means over seeds with Student's interval. A finished seed is
read from its folder (`--runs`); a killed one continues: run the command again.
"""

from __future__ import annotations

import argparse
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from askwell.api.build_jobs import build_optimize_job
from askwell.api.build_training import build_train_job
from askwell.api.config import Config
from askwell.api.config_file import parse_config
from askwell.api.optimize import execute_optimization as optimize
from askwell.api.train import execute_training as train
from askwell.cli.demo import BUNDLE
from askwell.core.quantiles import student_quantile
from askwell.policies.data.offline import read_offline
from askwell.policies.training_figures import Figures
from askwell.policies.training_figures import read_figures as figures_of
from askwell.runlog import folders
from askwell.runlog.store import SqliteStore
from askwell.tasks import bundled

METHODS: dict[str, dict[str, Any]] = {
    "askwell": {"method": "askwell"},
    "paper": {"method": "qpo"},
    "paper-score": {"method": "qpo", "reward": "accuracy"},
}
"""Method -> its settings in [policy]."""
LOOPS = 3
ALLOWED = 0.15
"""Share by which the calls of two methods may differ: a dev answer that is known is not paid for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The settings of the command line."""

    folder: Path
    calls: int
    paper_epochs: int | None


def main() -> None:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--paper-epochs", type=int, default=None)
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--runs", type=Path, default=Path("runs/bench-mixture"))
    arguments = parser.parse_args()
    plan = Plan(folder=arguments.runs, calls=arguments.calls, paper_epochs=arguments.paper_epochs)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    tasks = [(seed, method) for seed in seeds for method in arguments.methods]
    gains: dict[str, list[float]] = {method: [] for method in arguments.methods}
    calls: dict[int, list[int]] = {}
    print(
        f"{'seed':>4s}  {'method':12s}{'baseline':>10s}{'policy':>8s}"
        f"  {'gain':>22s}{'switch':>8s}{'loops':>7s}{'calls':>7s}"
    )
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(searched, plan), seeds))
        for (seed, method), figures in zip(tasks, pool.map(partial(trained, plan), tasks), strict=True):
            gains[method].append(line(seed, method, figures))
            calls.setdefault(seed, []).append(figures.loops[-1].target_calls)
    for method, values in gains.items():
        print(f"mean  {method:12s}{spread(values)}")
    for method, values in gains.items():
        if "askwell" in gains and method != "askwell":
            differences = [ours - theirs for ours, theirs in zip(gains["askwell"], values, strict=True)]
            print(f"mean  askwell - {method}: {spread(differences)}")
    for seed, paid in calls.items():
        if max(paid) - min(paid) > ALLOWED * max(paid):
            raise SystemExit(
                f"seed {seed}: the methods paid {paid} target calls before the test; expected equal numbers"
            )


def config_of(plan: Plan, name: str, seed: int, **more: Any) -> Config:  # noqa: ANN401
    """Return the settings for the mixture on the bundled model; `more` are further sections."""
    return parse_config({
        "prompt": bundled.initial_prompt(BUNDLE),
        "task": {"data": f"pocket:{BUNDLE}"},
        "target": {"model": "pocket"},
        "optimizer_model": {"model": "editor"},
        "split": {"train": 180, "dev": 60, "test": 300, "seed": seed},
        "optimizer": {"name": "gpo"},
        "run": {"steps": 9, "seed": seed, "folder": str(plan.folder), "name": name},
        **more,
    })  # fmt: skip


def searched(plan: Plan, seed: int) -> None:
    """Search one prompt for the mixture; the run's log is the offline data."""
    folder = plan.folder / f"gpo-{seed}"
    optimize(build_optimize_job(config_of(plan, folder.name, seed)), folder, lambda _: None)


def trained(plan: Plan, task: tuple[int, str]) -> Figures:
    """Train one method on the log of a seed until its calls are used."""
    seed, method = task
    folder = plan.folder / f"{method}-{seed}"
    if (figures := finished(folder / folders.LOG)) is not None:
        return figures
    policy: dict[str, Any] = {
        **METHODS[method],
        "acquire": plan.calls,
        "loops": LOOPS,
        "patience": 0,
        "force": True,
    }
    if policy["method"] == "qpo" and plan.paper_epochs:
        policy["epochs"] = plan.paper_epochs
    config = config_of(plan, folder.name, seed, policy=policy, budget={"max_calls": plan.calls})
    outcomes = read_offline([str(plan.folder / f"gpo-{seed}" / folders.LOG)])
    return train(build_train_job(config, outcomes), folder, lambda stage, done, total: None).figures


def finished(log: Path) -> Figures | None:
    """Read a finished training; None if it has not finished."""
    if not log.is_file():
        return None
    with SqliteStore(log, read_only=True) as store:
        figures = figures_of(store)
    return figures if figures is not None and figures.finished else None


def line(seed: int, method: str, figures: Figures) -> float:
    """Print one training, and return its gain on the test queries; a kept baseline prompt gains 0."""
    tested, calls = figures.tested, figures.loops[-1].target_calls
    shown = f"{seed:4d}  {method:12s}"
    loops = f"{figures.best_loop:3d}/{figures.loops[-1].loop}{calls:7d}"
    if tested is None:
        print(f"{shown}{'':18s}  {'+0.0 (baseline kept)':>22s}{'':8s}  {loops}", flush=True)
        return 0.0
    gain = tested.gain
    interval = f"{100 * gain.estimate:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    baseline, policy = 100 * tested.baseline.estimate, 100 * tested.policy.estimate
    print(f"{shown}{baseline:10.1f}{policy:8.1f}  {interval:>22s}{tested.switch_rate:8.0%}  {loops}", flush=True)
    return gain.estimate


def spread(values: list[float]) -> str:
    """Format the mean in points, with Student's interval over seeds."""
    mean = 100 * statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:+.1f}"
    half = student_quantile(0.975, len(values) - 1) * 100 * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


if __name__ == "__main__":
    main()

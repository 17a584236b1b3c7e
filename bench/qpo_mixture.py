"""QPO as published and askwell's default side by side on the bundled mixture, at equal target calls.

Command (5 seeds; hours on two cores, as the paper's training makes 100 passes over every logged pair; --paper-epochs
cuts them, and the table says so):

    python bench/qpo_mixture.py [--seeds 5] [--paper-epochs N] [--calls 1100] [--runs FOLDER]

For each seed: GPO searches one prompt for three mixed tasks on the bundled model (180 train, 60 dev, 300 test queries);
its log is the offline data of both. Each may pay `--calls` target calls, the final test of 600 among them, which is
what ends the collecting. Best static: the prompt with the best score on the training queries of the log. Figures are on
the 300 held-out queries, in points; the last line is the mean over seeds with a t interval.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from askwell import pocket, runs
from askwell.api import execute as optimize
from askwell.build import optimize_job
from askwell.build_policy import train_job
from askwell.config import Config, parse_config
from askwell.demo_commands import BUNDLE, POLICY
from askwell.offline import read_offline
from askwell.quantiles import student_quantile
from askwell.train_job import Trained
from askwell.training import execute as train

COLLECT = {"askwell": 60, "paper": 100}
"""New pairs a loop: ours labels the static prompt beside them."""


def main() -> None:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--paper-epochs", type=int, default=None)
    parser.add_argument("--calls", type=int, default=1_100)
    parser.add_argument("--runs", type=Path, default=Path("runs/bench-mixture"))
    arguments = parser.parse_args()
    gains: dict[str, list[float]] = {"askwell": [], "paper": []}
    print(f"{'seed':>4s}  {'method':8s}{'static':>8s}{'policy':>8s}  {'gain':>22s}{'loops':>7s}{'calls':>7s}")
    for seed in range(arguments.seeds):
        log = searched(arguments.runs, seed)
        for method, values in gains.items():
            changes: dict[str, Any] = {**POLICY} if method == "askwell" else {}
            if method == "paper" and arguments.paper_epochs:
                changes["epochs"] = arguments.paper_epochs
            changes |= {"preset": method, "collect": COLLECT[method], "loops": 9, "force": True}
            found = trained(arguments.runs, log, seed, method, changes, arguments.calls)
            values.append(line(seed, method, found))
    for method, values in gains.items():
        print(f"mean  {method:8s}{spread(values)}")
    print(f"mean  askwell - paper: {spread([a - b for a, b in zip(*gains.values(), strict=True)])}")
    if arguments.paper_epochs:
        print(f"paper: {arguments.paper_epochs} epochs in place of its 100")


def config_of(folder: Path, name: str, seed: int, **more: Any) -> Config:  # noqa: ANN401
    return parse_config({
        "prompt": pocket.initial_prompt(BUNDLE),
        "task": {"data": f"pocket:{BUNDLE}"},
        "target": {"model": "pocket"},
        "optimizer": {"model": "editor"},
        "split": {"train": 180, "dev": 60, "test": 300, "seed": seed},
        "search": {"preset": "gpo"},
        "run": {"steps": 9, "seed": seed, "folder": str(folder), "name": name},
        **more,
    })  # fmt: skip


def searched(folder: Path, seed: int) -> Path:
    """Search one prompt for the mixture; the run's log is the offline data."""
    place = folder / f"gpo-{seed}"
    optimize(optimize_job(config_of(folder, place.name, seed)), place, lambda _: None)
    return place


def trained(folder: Path, log: Path, seed: int, method: str, policy: dict[str, Any], calls: int) -> Trained:
    """Train one method on that log."""
    name = f"{method}-{seed}"
    config = config_of(folder, name, seed, policy=policy, budget={"max_calls": calls})
    return train(train_job(config, read_offline([str(log / runs.LOG)])), folder / name, lambda *_: None)


def line(seed: int, method: str, found: Trained) -> float:
    """Print one training, and return its gain on the test queries; a kept static prompt gains nothing."""
    figures = found.figures
    tested, calls = figures.tested, figures.loops[-1].target_calls
    if tested is None:
        print(
            f"{seed:4d}  {method:8s}{'':8s}{'':8s}  {'+0.0 (static kept)':>22s}{len(figures.loops):7d}{calls:7d}",
            flush=True,
        )
        return 0.0
    gain = tested.gain
    spelt = f"{100 * gain.estimate:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    static, policy = 100 * tested.static.estimate, 100 * tested.policy.estimate
    print(
        f"{seed:4d}  {method:8s}{static:8.1f}{policy:8.1f}  {spelt:>22s}{len(figures.loops):7d}{calls:7d}", flush=True
    )
    return gain.estimate


def spread(values: list[float]) -> str:
    """Mean in points, with Student's interval over seeds."""
    mean = 100 * statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:+.1f}"
    half = student_quantile(0.975, len(values) - 1) * 100 * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


if __name__ == "__main__":
    main()

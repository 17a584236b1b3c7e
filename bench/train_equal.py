"""Run the same small trainings in an old checkout and in this one, and compare their logs and weights.

Command:  .venv/bin/python -m bench.train_equal --old PATH_OF_OLD_CHECKOUT
          (no network, 2 trainings of 2 loops on the bundled model, two minutes on one core)

Compared, to 1e-6: every event of the trainings' logs in order of position (selected pairs with their advantages,
rewards of labelled pairs, loop records, figures of the deployed policy on the test split), and every weight of every
saved model. A loss is not logged; equal weights after each loop are the stricter test. The exit status is 1 on a
difference.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from tests.golden.comparison import TOLERANCE, differences
from tests.golden.migration import Migration, read_tables

from askwell.core.types import Event
from askwell.runlog.upgrade import upgrade_event

ROOT = Path(__file__).parents[1]
MIGRATION = Migration(read_tables())
TASK = "pocket:numbers_max+words_first+review_sentiment"
SOURCE = (
    "optimize", "--data", TASK, "--prompt", "Do the task.", "--train", "30", "--dev", "36", "--test", "36", "--target",
    "pocket", "--racing", "full", "--candidates", "5", "--steps", "2", "--seed", "3", "--run", "source",
)  # fmt: skip
SMALL = ("--base", "pocket", "--loops", "2", "--collect", "40", "--epochs", "2", "--force", "--seed", "5")
SETTINGS = f"""
task.data = "{TASK}"
target.model = "pocket"
split = {{train = 30, dev = 36, test = 36}}
policy.patience = 0  # run the second loop even if the first brings no gain
"""
TRAININGS = ("default", "published")
COMMANDS = (
    SOURCE,
    ("train", "source", "--run", "default", "--config", "settings.toml", *SMALL, "--samples", "2"),
    ("train", "source", "--run", "published", "--preset", "paper", *SMALL),
    *(("log", "export", run, "-o", f"{run}.jsonl") for run in TRAININGS),
)
"""In the old names; the tables of docs/migration.md say what this checkout calls them."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    count: int
    difference: str
    """Empty if the two are equal."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--old", type=Path, required=True, help="checkout of the code to compare with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old", Path(folder) / "new"
        work(options.old.resolve(), old, COMMANDS)
        work(ROOT, new, [MIGRATION.arguments(command) for command in COMMANDS])
        rows = [row for run in TRAININGS for row in [*compare_events(run, old, new), *compare_weights(run, old, new)]]
    for row in rows:
        print(f"{row.name:44} {row.count:7,}  {row.difference or 'equal'}")
    return int(any(row.difference for row in rows))


def work(checkout: Path, folder: Path, commands: Sequence[Sequence[str]]) -> None:
    """Run the trainings with a checkout's code."""
    folder.mkdir()
    (folder / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "askwell", *command],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"askwell {' '.join(command)} in {checkout} ended with {done.returncode}:\n{done.stderr}")


def compare_events(run: str, old: Path, new: Path) -> Iterator[Row]:
    """Yield a row for each kind of event: how many there are, and the first difference."""
    expected, actual = read_events(old / f"{run}.jsonl", is_old=True), read_events(new / f"{run}.jsonl", is_old=False)
    kinds = dict.fromkeys(event["kind"] for event in [*expected, *actual])
    for kind in kinds:
        of_kind = [[event for event in events if event["kind"] == kind] for events in (expected, actual)]
        yield Row(
            name=f"{run}: events of kind {kind}",
            count=len(of_kind[0]),
            difference=next(differences(of_kind[0], of_kind[1]), ""),
        )


def read_events(path: Path, *, is_old: bool) -> list[dict[str, Any]]:
    """Read an exported log without its header and times, in the current format."""
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        event = Event(position=row["position"], kind=row["kind"], key=row["key"], body=row["body"])
        if event.kind != "run":
            event = upgrade_event(event) if is_old else event
            rows.append({"position": event.position, "kind": event.kind, "key": event.key, "body": event.body})
    return rows


def compare_weights(run: str, old: Path, new: Path) -> Iterator[Row]:
    """Yield a row for each saved model: its number of weights, and the largest difference if that is too large."""
    folders = old / "runs" / run, new / "runs" / run
    names = [sorted(path.relative_to(folder) for path in folder.rglob("*.safetensors")) for folder in folders]
    if names[0] != names[1]:
        yield Row(name=f"{run}: saved models", count=len(names[0]), difference=f"{names[0]} before, {names[1]} now")
    for name in names[0]:
        if name in names[1]:
            expected, actual = (load_file(folder / name) for folder in folders)
            yield Row(
                name=f"{run}: weights of {name}",
                count=sum(tensor.size for tensor in expected.values()),
                difference=weight_difference(expected, actual),
            )


def weight_difference(expected: dict[str, np.ndarray], actual: dict[str, np.ndarray]) -> str:
    """Describe how two models differ; empty if they are equal."""
    if {name: tensor.shape for name, tensor in expected.items()} != {
        name: tensor.shape for name, tensor in actual.items()
    }:
        return "other tensors"
    worst = max(float(np.abs(tensor - actual[name]).max(initial=0)) for name, tensor in expected.items())
    return f"by up to {worst:.2g}" if worst > TOLERANCE else ""


if __name__ == "__main__":
    sys.exit(main())

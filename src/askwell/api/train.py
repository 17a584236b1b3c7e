"""Train a policy from Python: logged outcomes and a task in, a policy with its figures out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Unpack

from askwell.api.arguments import TaskArguments, build_config, takes
from askwell.api.build_training import build_train_job
from askwell.core.errors import ConfigError
from askwell.core.event_loop import run_blocking
from askwell.engine.budget import Caps
from askwell.policies.data.offline import read_offline
from askwell.policies.data.outcomes import PairOutcomes
from askwell.policies.data.table import build_table
from askwell.policies.data.training_queries import write_training_queries
from askwell.policies.labelling import Show
from askwell.policies.offline_eval.train_or_not import drop_sparse_prompts
from askwell.policies.protocols import PromptWriter, Trainer
from askwell.policies.saved_policy import save_policy
from askwell.policies.selection.selection import DEFAULT_SCORER, SelectionPolicy, fit_selection
from askwell.policies.train_job import Trained, TrainJob
from askwell.report.live.terminal import showing
from askwell.runlog import folders
from askwell.runlog.store import SqliteStore


@takes(TaskArguments)
def train(
    sources: str | Sequence[str],
    *,
    policy: Mapping[str, Any] | None = None,
    seed: int = 0,
    caps: Caps | None = None,
    run: str | Path | None = None,
    trainer: Trainer | None = None,
    read_writer: Callable[[Path], PromptWriter] | None = None,
    show: Show | bool | None = True,
    **arguments: Unpack[TaskArguments],
) -> Trained:
    """Train a policy that writes one prompt per query; it keeps the baseline prompt if no gain is proven.

    `sources` are folders or names of finished runs and files of records; `data`, `target`, `metric` and `placement`
    define how new prompts are labelled, as in `optimize` (the runs' own data keeps its test split).
    `policy` holds settings of the [policy] section ({"loops": 3, "base": "gpt2"}). `run` is a folder for the log and
    the policy; an unfinished training of the same outcomes and settings in it is resumed. `trainer` replaces the
    language model, and `read_writer` loads what it saved.

    {"processes": 4} in `policy` runs each fit on four processes of this machine.

    A terminal shows each stage and what is done of it on standard error; `show=False` shows nothing, and a function
    `show(stage, done, total)` is called instead.

    Raises as `optimize` does.
    """
    names = [sources] if isinstance(sources, str) else list(sources)
    config = build_config(
        arguments,
        sections={
            "policy": {**(policy or {}), "sources": names},
            "run": {"seed": seed},
            **({} if caps is None else {"budget": asdict(caps)}),
        },
    )  # fmt: skip
    config = replace(config, objects=replace(config.objects, trainer=trainer))
    job = build_train_job(config, read_offline(names), read_writer=read_writer)
    name = f"{job.target_setup.task.name}-policy"
    folder = Path("runs") / folders.free_name(Path("runs"), name) if run is None else Path(run)
    with showing(show) as shown:
        return execute_training(job, folder, shown)


def execute_training(job: TrainJob, folder: Path, show: Show) -> Trained:
    """Run a training in a folder, new or with the unfinished training."""
    _check_single_process()
    store = SqliteStore(folder / folders.LOG)
    try:
        return run_blocking(lambda stopper: job.execute(store, folder, stopper, show))
    finally:
        store.close()


def _check_single_process() -> None:
    """Refuse to run as one of several ranks: each would pay for the same calls."""
    size = os.environ.get("WORLD_SIZE", "1")
    if "RANK" in os.environ and size != "1":
        raise ConfigError(
            f"the training was started as {size} processes (WORLD_SIZE={size!r}, set by torchrun or the like); start "
            f"it once, with --processes {size} (processes = {size} in [policy])"
        )


def train_selection(cells: PairOutcomes, folder: Path, *, seed: int, scorer: str = "") -> SelectionPolicy:
    """Train a policy that selects among the logged prompts; the target is not called."""
    policy = fit_selection(drop_sparse_prompts(build_table(cells)), seed=seed, scorer=scorer or DEFAULT_SCORER)
    save_policy(policy, folder / folders.POLICY)
    write_training_queries(folder / folders.POLICY, cells.queries)
    return policy

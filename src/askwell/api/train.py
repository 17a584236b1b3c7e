"""Train a policy from Python: logged outcomes and a task in, a policy with its figures out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from askwell.api.arguments import MetricLike, ModelLike, build_config
from askwell.api.build_training import build_train_job, load_language_writer
from askwell.api.config import DataLike
from askwell.api.logged import read_named_settings
from askwell.api.renamed import refuses_old_arguments
from askwell.core.errors import ConfigError, DataError
from askwell.core.event_loop import run_blocking
from askwell.core.protocols import Policy
from askwell.engine.budget import Caps
from askwell.engine.evaluator import Sampling
from askwell.policies import fallback_policy as policies
from askwell.policies.data.offline import find_run_log, is_record_file, read_offline
from askwell.policies.data.outcomes import PairOutcomes
from askwell.policies.data.table import build_table
from askwell.policies.data.training_queries import digest_query, read_training_queries, write_training_queries
from askwell.policies.fixed import FixedPolicy, NearestDemos
from askwell.policies.labelling import Show
from askwell.policies.offline_eval.train_or_not import drop_sparse_prompts
from askwell.policies.protocols import PromptWriter, Trainer
from askwell.policies.selection.selection import DEFAULT_SCORER, SelectionPolicy, fit_selection
from askwell.policies.train_job import Trained, TrainJob
from askwell.report import run_report
from askwell.runlog import folders
from askwell.runlog.fold import read_examples, read_header
from askwell.runlog.store import SqliteStore
from askwell.tasks.demos import NEAREST, decode_demos


@refuses_old_arguments
def train(
    sources: str | Sequence[str],
    *,
    data: DataLike,
    target: ModelLike,
    metric: MetricLike = "",
    placement: str = "",
    policy: Mapping[str, Any] | None = None,
    sampling: Sampling | None = None,
    concurrency: int = 16,
    seed: int = 0,
    caps: Caps | None = None,
    run: str | Path | None = None,
    trainer: Trainer | None = None,
    read_writer: Callable[[Path], PromptWriter] | None = None,
    show: Show = lambda stage, done, total: None,
) -> Trained:
    """Train a policy that writes one prompt per query; it keeps the baseline prompt if no gain is proven.

    `sources` are folders or names of finished runs and files of records; `data`, `target`, `metric` and `placement`
    define how new prompts are labelled, as in `optimize` (the runs' own data keeps its test split).
    `policy` holds settings of the [policy] section ({"loops": 3, "base": "gpt2"}). `run` is a folder for the log and
    the policy; an unfinished training of the same outcomes and settings in it is resumed. `trainer` replaces the
    language model, and `read_writer` loads what it saved.

    {"processes": 4} in `policy` runs each fit on four processes of this machine.

    Raises as `optimize` does.
    """
    names = [sources] if isinstance(sources, str) else list(sources)
    config = build_config(
        data=data, target=target, metric=metric, placement=placement, sampling=sampling, concurrency=concurrency,
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
    return execute_training(job, folder, show)


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
    policies.save_policy(policy, folder / folders.POLICY)
    write_training_queries(folder / folders.POLICY, cells.queries)
    return policy


def load_policy(
    run: str | Path, *, runs_folder: str | Path = "runs", read_writer: Callable[[Path], PromptWriter] | None = None
) -> Policy:
    """Load a run's policy: a trained policy, or the best prompt of an optimization as a fixed policy.

    `run` is a run's name or folder, or a policy's own folder. Raises `ConfigError` if there is neither, `StoreError` or
    `DataError` if the run is not finished.
    """
    policy_folder = find_policy_folder(run, runs_folder)
    if policy_folder is not None:
        return policies.load_policy(policy_folder, read_writer=read_writer or load_language_writer)
    with SqliteStore(find_run_log(str(run), Path(runs_folder)), read_only=True) as store:
        header = read_header(store)
        if folders.is_training(header):
            raise DataError(f"the training {str(run)!r} is not finished; resume it by askwell train --resume")
        report = run_report.build_report(store)
        train = read_examples(store).get("train", ())
    if report is None:
        raise ConfigError(f"the run {str(run)!r} has not scored its first prompt yet; look again later, or resume it")
    demos = decode_demos(cast("Mapping[str, object]", header["config"]))
    if demos.choice == NEAREST:
        return NearestDemos(prompt=report.best.prompt, train=train, demos=demos)
    return FixedPolicy(prompt=report.best.prompt)


def read_training_digests(run: str | Path, *, runs_folder: str | Path = "runs") -> frozenset[str] | None:
    """Return the digests (`policies.data.training_queries`) of a policy's training queries; None if not saved.

    `run` as in `load_policy`. For an optimization, they are those of its train and dev examples.
    """
    policy_folder = find_policy_folder(run, runs_folder)
    if policy_folder is not None:
        return read_training_queries(policy_folder)
    with SqliteStore(find_run_log(str(run), Path(runs_folder)), read_only=True) as store:
        splits = read_examples(store)
    return frozenset(
        digest_query(example.input) for name, members in splits.items() if name != "test" for example in members
    )


def has_log(run: str | Path, runs_folder: str | Path = "runs") -> bool:
    """Return whether a run has a log; a policy that only selects has none."""
    policy_folder = find_policy_folder(run, runs_folder)
    return policy_folder is None or any(
        (folder / folders.LOG).is_file() for folder in (policy_folder, policy_folder.parent)
    )


def find_policy_folder(run: str | Path, runs_folder: str | Path) -> Path | None:
    """Return the folder of a saved policy: `run` itself, or inside the run's folder; None if there is none."""
    options = (Path(run), Path(run) / folders.POLICY, Path(runs_folder) / str(run) / folders.POLICY)
    return next((folder for folder in options if (folder / policies.FILE).is_file()), None)


def read_source_settings(sources: Sequence[str], folder: Path) -> dict[str, Any]:
    """Return the settings of the first run among the sources: a training labels prompts with its task and target.

    Empty if all sources are files. Raises `ConfigError` for a run whose task or target has no name.
    """
    named = [source for source in sources if not is_record_file(source)]
    if not named:
        return {}
    with SqliteStore(find_run_log(named[0], folder), read_only=True) as store:
        header = read_header(store)
    advice = "call askwell.train from Python, or name them with --config or with --data, --metric and --target"
    return read_named_settings(header, named[0], parts=("data", "metric", "target"), advice=advice)

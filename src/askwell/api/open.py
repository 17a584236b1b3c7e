"""Open what a run left without a call: its results, or its policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from askwell.api.optimize import Result, read_optimization_result
from askwell.core.errors import ConfigError, DataError
from askwell.core.protocols import Policy
from askwell.core.types import Example, Prompt, Split
from askwell.policies import saved_policy
from askwell.policies.data.offline import find_run_log
from askwell.policies.data.training_queries import digest_query, read_training_queries
from askwell.policies.fixed import FixedPolicy, NearestDemos
from askwell.policies.protocols import PromptWriter
from askwell.report import run_report
from askwell.report.evaluation import Evaluation, read_evaluation
from askwell.runlog import folders
from askwell.runlog.fold import read_examples, read_header
from askwell.runlog.store import SqliteStore
from askwell.tasks.demos import NEAREST, decode_demos
from askwell.tasks.prompt_fields import collect_field_names, fill_field_names

if TYPE_CHECKING:
    from askwell.policies.train_job import Trained


def open(  # noqa: A001 - read as askwell.open
    run: str | Path, *, runs_folder: str | Path = "runs", read_writer: Callable[[Path], PromptWriter] | None = None
) -> Result | list[Evaluation] | Trained:
    """Open a run by its name or folder, finished or running, as the call that made it returns it. No model is called.

    An optimization is a `Result` (`finished` says whether it has ended; until then its score is that on dev), an
    evaluation a list with an `Evaluation` per prompt, a finished training a `Trained`. `read_writer` loads what a
    trainer object saved.

    Raises `ConfigError` for an unknown run and for one without a scored prompt, `DataError` for an unfinished training,
    `StoreError` for a damaged log.
    """
    log = find_run_log(str(run), Path(runs_folder))
    with SqliteStore(log, read_only=True) as store:
        header = read_header(store)
        if folders.is_training(header):
            from askwell.policies.train_job import read_trained  # needs numpy

            return read_trained(store, log.parent, read_writer=read_writer or load_language_writer)
        if folders.is_evaluation(header):
            return _read_evaluations(store)
        return read_optimization_result(store, log.parent)


def _read_evaluations(store: SqliteStore) -> list[Evaluation]:
    evaluated = read_evaluation(store)
    if evaluated is None:
        raise ConfigError("the evaluation has no scored prompt yet; look again later, or run it again with its run=")
    return list(evaluated.evaluations)


def load_language_writer(folder: Path) -> PromptWriter:
    """Load a trained language model. Raises `ConfigError` if PyTorch is missing."""
    from askwell.policies.lm.writer import load_writer

    return load_writer(folder)


def load_policy(
    run: str | Path, *, runs_folder: str | Path = "runs", read_writer: Callable[[Path], PromptWriter] | None = None
) -> Policy:
    """Load a run's policy: a trained policy, or the best prompt of an optimization as a fixed policy.

    `run` is a run's name or folder, or a policy's own folder. Raises `ConfigError` if there is neither, or if the
    prompt holds a placeholder that names a field of the data other than the question; `StoreError` or `DataError` if
    the run is not finished.
    """
    policy_folder = find_policy_folder(run, runs_folder)
    if policy_folder is not None:
        return saved_policy.load_policy(policy_folder, read_writer=read_writer or load_language_writer)
    with SqliteStore(find_run_log(str(run), Path(runs_folder)), read_only=True) as store:
        header = read_header(store)
        if folders.is_training(header):
            raise DataError(f"the training {str(run)!r} is not finished; resume it by askwell train --resume")
        report = run_report.build_report(store)
        splits = read_examples(store)
    if report is None:
        raise ConfigError(f"the run {str(run)!r} has not scored its first prompt yet; look again later, or resume it")
    prompt = _fill_field_names(report.best.prompt, splits)
    demos = decode_demos(cast("Mapping[str, object]", header["config"]))
    if demos.choice == NEAREST:
        return NearestDemos(prompt=prompt, train=splits.get("train", ()), demos=demos)
    return FixedPolicy(prompt=prompt)


def _fill_field_names(prompt: Prompt, splits: Mapping[Split, Sequence[Example]]) -> Prompt:
    """Fill the names of the question in a prompt of an older run, which was logged as it was given."""
    names = collect_field_names([example for members in splits.values() for example in members])
    return replace(prompt, instruction=fill_field_names(prompt.instruction, names))


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
    return next((folder for folder in options if (folder / saved_policy.FILE).is_file()), None)

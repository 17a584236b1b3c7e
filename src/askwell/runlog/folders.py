"""Run folders: `<folder>/<name>/log.db`. Naming, finding and listing them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from askwell.core.errors import ConfigError, StoreError, nearest
from askwell.report.run_report import run_report
from askwell.runlog import views
from askwell.runlog.codec import Body
from askwell.runlog.store import RunStore, SqliteStore

LOG = "log.db"
POLICY = "policy"
"""Folder of a training's deployed policy, inside that of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of `askwell runs`. `problem` says why a log could not be read, and is empty otherwise."""

    name: str
    task: str = ""
    finished: bool = False
    step: int = 0
    dev: float | None = None
    test: float | None = None
    target_calls: int = 0
    problem: str = ""


def log_path(folder: Path, name: str) -> Path:
    """Return where the log of a run stands. Raises `ConfigError` for a name that is not one folder's name."""
    if not name or name in {".", ".."} or Path(name).name != name:
        raise ConfigError(f"run name {name!r} is not a folder name; use letters, digits, '-' and '_'")
    return folder / name / LOG


def free_name(folder: Path, task_name: str) -> str:
    """Return the first free name made from a task's name: `sums-1`, then `sums-2` and so on."""
    stem = re.sub(r"[^a-z0-9]+", "-", task_name.lower()).strip("-") or "run"
    number = 1
    while (folder / f"{stem}-{number}").exists():
        number += 1
    return f"{stem}-{number}"


def find_run(folder: Path, name: str) -> Path:
    """Return the log of an existing run. Raises `ConfigError` naming the nearest one.

    It also raises it for a policy that only chooses among logged prompts: nothing was asked for it.
    """
    path = log_path(folder, name)
    if not path.is_file():
        if name in choosers(folder):
            raise ConfigError(
                f"{name!r} chooses among logged prompts: nothing was asked for it, so it has no log; "
                f"askwell policy show {name} says what was measured"
            )
        known = run_names(folder)
        hint = nearest(name, known) if known else f"there are no runs in {str(folder)!r} yet"
        raise ConfigError(f"no run {name!r}; {hint}")
    return path


def is_begun(folder: Path, name: str) -> bool:
    """Whether a run has its first event; one that was killed before it may be begun again under its name."""
    path = log_path(folder, name)
    if not path.is_file():
        return False
    with SqliteStore(path, read_only=True) as store:
        return next(store.events(kinds=["run"]), None) is not None


def run_names(folder: Path) -> list[str]:
    """Return the names of all runs in a folder, sorted."""
    return sorted(path.parent.name for path in folder.glob(f"*/{LOG}"))


def choosers(folder: Path) -> set[str]:
    """Return the names of the policies in a folder that have no log: they only choose among logged prompts."""
    return {path.parent.name for path in folder.glob(f"*/{POLICY}")} - set(run_names(folder))


def summaries(folder: Path) -> list[RunSummary]:
    """Summarise every run in a folder, by name; one that cannot be read is listed with its problem.

    A policy that only chooses among logged prompts asked for nothing and has no log: it is listed as finished.
    """
    found = [_summary(folder, name) for name in run_names(folder)]
    found += [
        RunSummary(name=name, task="policy that chooses among logged prompts", finished=True)
        for name in choosers(folder)
    ]
    return sorted(found, key=lambda one: one.name)


def is_training(header: Body) -> bool:
    """Whether a run's first event is that of `askwell train`."""
    return cast("Body", header["config"]).get("kind") == "policy"


def _training_summary(name: str, store: RunStore) -> RunSummary:
    """A training's line: dev and test are its policy's, where one was found."""
    header = views.header(store.events(kinds=["run"]))
    loops = [event.body for event in store.events(kinds=["loop"])]
    result = views.result(store.events(kinds=["result"]))
    tested = cast("Body | None", result["tested"]) if result else None
    dev = [cast("float", cast("Body", loops[-1][part])["estimate"]) for part in ("static", "guarded") if loops]
    return RunSummary(
        name=name,
        task=f"policy for {cast('Body', header['config']).get('name', '')}",
        finished=result is not None,
        step=len(loops),
        dev=sum(dev) if dev else None,
        test=cast("float", cast("Body", tested["policy"])["estimate"]) if tested else None,
        target_calls=views.spend(store.events(kinds=["rollout"]))["target"].calls,
    )


def _summary(folder: Path, name: str) -> RunSummary:
    try:
        with SqliteStore(log_path(folder, name), read_only=True) as store:
            header = views.header(store.events(kinds=["run"]))
            found = run_report.report(store)
            training = _training_summary(name, store) if is_training(header) else None
    except StoreError as error:
        return RunSummary(name=name, problem=str(error))
    task = str(cast("Body", header["config"]).get("name", ""))
    if training is not None:
        return training
    if found is None:
        return RunSummary(name=name, task=task)
    return RunSummary(
        name=name,
        task=task,
        finished=found.finished,
        step=found.curve[-1].step if found.curve else 0,
        dev=found.best.dev.estimate if found.best.dev else None,
        test=found.best.test.estimate if found.best.test else None,
        target_calls=found.spend["target"].calls,
    )

"""Run folders: `<folder>/<name>/log.db`. Naming and finding them."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from askwell.core.errors import ConfigError, DataError, ModelError, nearest
from askwell.runlog.codec import Body
from askwell.runlog.store import RunStore, SqliteStore

LOG = "log.db"
POLICY = "policy"
"""Folder of a training's deployed policy, inside that of the run."""
LOOPS = "loops"
"""Folder of what each loop of a training saved, inside that of the run."""


def log_path(folder: Path, name: str) -> Path:
    """Return the path of a run's log. Raises `ConfigError` for a name that is not one folder's name."""
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

    It is raised for a policy that only selects among logged prompts too, because that has no log.
    """
    _refuse_path(folder, name)
    path = log_path(folder, name)
    if not path.is_file():
        if name in selection_policies(folder):
            raise ConfigError(
                f"{name!r} selects among logged prompts: it called no model, so it has no log; "
                f"askwell policy show {name} shows what was measured"
            )
        names = run_names(folder)
        hint = nearest(name, names) if names else f"there are no runs in {str(folder)!r} yet"
        raise ConfigError(f"no run {name!r}; {hint}")
    return path


def _refuse_path(folder: Path, name: str) -> None:
    """Raise `ConfigError` for what is no run of the folder but the path of a run: it says how to name that run."""
    given = Path(name)
    if not (given / LOG).is_file() or (given.name == name and (folder / name / LOG).is_file()):
        return
    where, run = given.resolve().parent, given.resolve().name
    if where == folder.resolve():
        raise ConfigError(f"{name!r} is the path of a run, and its name is expected: give {run}")
    raise ConfigError(
        f"no run {name!r} in {str(folder)!r}; the folder {name!r} holds a run: give its name {run}, and --runs {where}"
    )


def is_begun(folder: Path, name: str) -> bool:
    """Return whether a run has its first event; one that was killed before it may be started again under its name."""
    path = log_path(folder, name)
    if not path.is_file():
        return False
    with SqliteStore(path, read_only=True) as store:
        return next(store.events(kinds=["run"]), None) is not None


@contextmanager
def discards_unpaid(store: RunStore) -> Generator[None]:
    """Remove the run that this block began, if an error ends the block before any call was paid for.

    Such a run would only stand in the list of runs. The check of a model is no call in this sense.
    """
    is_new = next(store.events(kinds=["run"]), None) is None
    try:
        yield
    except (ConfigError, DataError, ModelError):
        answers = (event for event in store.events(kinds=["rollout", "call"]) if not event.body.get("check"))
        is_unpaid = is_new and next(answers, None) is None
        store.close()
        if is_unpaid and isinstance(store, SqliteStore):
            _remove_log(store.path)
        raise


def _remove_log(log: Path) -> None:
    """Remove a log with the files beside it, and its folder if nothing else is in it."""
    for file in (log, *(log.with_name(log.name + suffix) for suffix in ("-wal", "-shm")), log.with_suffix(".lock")):
        file.unlink(missing_ok=True)
    with suppress(OSError):
        log.parent.rmdir()


def run_names(folder: Path) -> list[str]:
    """Return the names of all runs in a folder, sorted."""
    return sorted(path.parent.name for path in folder.glob(f"*/{LOG}"))


def selection_policies(folder: Path) -> set[str]:
    """Return the names of the policies in a folder that have no log: they only select among logged prompts."""
    return {path.parent.name for path in folder.glob(f"*/{POLICY}")} - set(run_names(folder))


def is_training(header: Body) -> bool:
    """Return whether a run's first event is that of `askwell train`."""
    return cast("Body", header["config"]).get("kind") == "policy"


def is_evaluation(header: Body) -> bool:
    """Return whether a run's first event is that of `askwell evaluate`, which has a list of prompts."""
    return isinstance(cast("Body", header["config"]).get("prompt"), list)


def read_target_name(header: Body) -> str:
    """Return the name of the target model in a run's first event."""
    target = cast("Body", header["config"]).get("target", "")
    return str(cast("Body", target).get("model", "")) if isinstance(target, Mapping) else str(target)

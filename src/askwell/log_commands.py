"""`askwell log`: a run's log as a file, and a file as a run."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from askwell.errors import ConfigError
from askwell.runlog import folders, transfer
from askwell.runlog.store import SqliteStore


def export(folder: Path, name: str, *, form: str, table: str, output: Path | None) -> None:
    """Write a run's events or rollouts to a file."""
    path = output or Path(f"{name}.{form}" if table == "events" else f"{name}-{table}.{form}")
    with SqliteStore(folders.find_run(folder, name), read_only=True) as store:
        count = transfer.write(store, path, form=form, table=table)
    _say(f"{count:,} {table} written to {path}")


def load(folder: Path, source: Path, name: str) -> None:
    """Make a run of an exported log, or of another run (by its folder, log or name), in the current format."""
    log = folders.log_path(folder, name)
    path = source if source.exists() else _named_run(folder, source)
    if log.exists():
        raise ConfigError(f"the run {name!r} exists; choose another --run")
    count = transfer.load(path, log)
    _say(f"{count:,} events read; see askwell show {name}{'' if folder == Path('runs') else f' --runs {folder}'}")


def mlflow(folder: Path, name: str, *, experiment: str, tracking_uri: str | None) -> None:
    """Write a run to an MLflow server."""
    from askwell.mlflow_log import record

    with SqliteStore(folders.find_run(folder, name), read_only=True) as store:
        run_id = record(store, name, experiment=experiment, tracking_uri=tracking_uri)
    _say(f"written to MLflow's experiment {experiment!r} as run {run_id}")


def _named_run(folder: Path, source: Path) -> Path:
    is_run = source.name == str(source) and (folder / source / folders.LOG).is_file()
    return folder / source if is_run else source


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)

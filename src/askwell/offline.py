"""Offline data by name: run logs and record files, read as one, merged, and kept apart from what is held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from askwell.errors import ConfigError
from askwell.qpo.data import Cells, Outcomes, from_rollouts, join_cells, merge, one_target
from askwell.qpo.sources import read_outcomes
from askwell.runlog import folders
from askwell.runlog.fold import read_header, read_rollouts
from askwell.runlog.store import SqliteStore
from askwell.tasks.readers import READERS

SUFFIXES = (*READERS, ".json")


def read_offline(
    sources: Sequence[str],
    *,
    folder: Path = Path("runs"),
    columns: Mapping[str, str] | None = None,
    target: str | None = None,
) -> Cells:
    """Read and merge sources: names (or folders) of runs, and files of records.

    A run's test split is never read. `target` keeps one target model's outcomes; rows that name none are taken to be
    of it. Raises `ConfigError` for a source given twice, an unknown run, or several targets with none chosen.
    """
    _refuse_repeats(sources, folder)
    rows = (row for source in sources for row in _rows(source, folder, columns))
    if target is not None:
        rows = (replace(row, target=row.target or target) for row in rows)
    return one_target(merge(rows), target)


def refuse_overlap(data: Cells, held_out: Cells) -> None:
    """Raise `DataError` where a held-out query is among the data (equal after `normalise`)."""
    join_cells({"train": data, "test": held_out})


def is_file(source: str) -> bool:
    """Whether a source is meant as a file of records (by its suffix), not as a run."""
    return Path(source).suffix.lower() in SUFFIXES


def run_log(source: str, folder: Path) -> Path:
    """Return the log of a run named by its name, its folder or its log. Raises `ConfigError` where there is none."""
    path = Path(source)
    for place in (path, path / folders.LOG):
        if place.name == folders.LOG and place.is_file():
            return place
    return folders.find_run(folder, source)


def run_target(config: Mapping[str, object]) -> str:
    """Return the name of the target model in a run's settings."""
    target = config.get("target", "")
    if isinstance(target, Mapping):
        return str(cast("Mapping[str, object]", target).get("model", ""))
    return str(target)


def _rows(source: str, folder: Path, columns: Mapping[str, str] | None) -> Iterator[Outcomes]:
    if is_file(source):
        yield from read_outcomes(Path(source), columns=columns)
        return
    with SqliteStore(run_log(source, folder), read_only=True) as store:
        header = read_header(store)
        target = run_target(cast("Mapping[str, object]", header["config"]))
        yield from from_rollouts(read_rollouts(store), target=target)


def _refuse_repeats(sources: Sequence[str], folder: Path) -> None:
    if not sources:
        raise ConfigError("no source: give a run's name, or a .jsonl, .csv or .parquet file with queries and outcomes")
    files = [Path(source) for source in sources if is_file(source)]
    logs = [run_log(source, folder).resolve() for source in sources if not is_file(source)]
    resolved = [*(path.resolve() for path in files), *logs]
    for place, path in enumerate(resolved):
        if path in resolved[:place]:
            raise ConfigError(f"{str(path)!r} is given twice; name each source once")

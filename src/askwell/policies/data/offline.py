"""Read offline data by name: run logs and files of records, merged, and checked against held-out queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from askwell.core.errors import ConfigError
from askwell.policies.data.outcomes import OutcomeRow, PairOutcomes, from_rollouts, join_cells, merge, one_target
from askwell.policies.data.record_files import read_outcomes
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
) -> PairOutcomes:
    """Read and merge sources: names (or folders) of runs, and files of records.

    A run's test split is never read. `target` keeps one target model's outcomes; rows that name none are taken to be
    of it. Raises `ConfigError` for a source given twice, an unknown run, or several targets with none chosen.
    """
    rows = (row for path in _resolve(sources, folder) for row in _rows(path, columns))
    if target is not None:
        rows = (replace(row, target=row.target or target) for row in rows)
    return one_target(merge(rows), target)


def refuse_overlap(data: PairOutcomes, held_out: PairOutcomes) -> None:
    """Raise `DataError` where a held-out query is among the data (equal after `normalize_question`)."""
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


def _resolve(sources: Sequence[str], folder: Path) -> list[Path]:
    """Return the file or the run log that each source names."""
    if not sources:
        raise ConfigError("no source: give a run's name, or a .jsonl, .csv or .parquet file with queries and outcomes")
    paths = [Path(source) if is_file(source) else run_log(source, folder) for source in sources]
    seen: set[Path] = set()
    for path in (path.resolve() for path in paths):
        if path in seen:
            raise ConfigError(f"{str(path)!r} is given twice; name each source once")
        seen.add(path)
    return paths


def _rows(path: Path, columns: Mapping[str, str] | None) -> Iterator[OutcomeRow]:
    if path.name != folders.LOG:
        yield from read_outcomes(path, columns=columns)
        return
    with SqliteStore(path, read_only=True) as store:
        target = run_target(cast("Mapping[str, object]", read_header(store)["config"]))
        yield from from_rollouts(read_rollouts(store), target=target)

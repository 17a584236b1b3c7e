"""Read offline data by name: merge run logs and files of records, and check them against held-out queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from askwell.core.errors import ConfigError
from askwell.policies.data.outcomes import (
    OutcomeRow,
    PairOutcomes,
    check_splits,
    convert_rollouts,
    merge,
    select_target,
)
from askwell.policies.data.record_files import read_outcomes
from askwell.runlog import folders
from askwell.runlog.fold import read_header, read_rollouts
from askwell.runlog.store import SqliteStore
from askwell.tasks.readers import READERS
from askwell.tasks.records.text_files import content_suffix

SUFFIXES = (*READERS, ".json")


def read_offline(
    sources: Sequence[str],
    *,
    folder: Path = Path("runs"),
    columns: Mapping[str, str] | None = None,
    target: str | None = None,
) -> PairOutcomes:
    """Read and merge sources: names (or folders) of runs, and files of records.

    The test split of an optimization or a training is never read; an evaluation holds nothing out. `target` keeps the
    outcomes of one target model; rows that name no model count as this model's. Raises
    `ConfigError` for a source given twice, an unknown run, or several targets if `target` is None.
    """
    rows = (row for path in _resolve(sources, folder) for row in _read_rows(path, columns))
    if target is not None:
        rows = (replace(row, target=row.target or target) for row in rows)
    return select_target(merge(rows), target)


def refuse_overlap(data: PairOutcomes, held_out: PairOutcomes) -> None:
    """Raise `DataError` if the data contain a held-out query (equal after `identify_question`)."""
    check_splits({"train": data, "test": held_out})


def is_record_file(source: str) -> bool:
    """Return whether a source names a file of records (by its suffix), not a run."""
    return content_suffix(Path(source)) in SUFFIXES


def find_run_log(source: str, folder: Path) -> Path:
    """Return the log of a run given by its name, its folder or its log. Raises `ConfigError` if there is none."""
    path = Path(source)
    for log in (path, path / folders.LOG):
        if log.name == folders.LOG and log.is_file():
            return log
    return folders.find_run(folder, source)


def _resolve(sources: Sequence[str], folder: Path) -> list[Path]:
    """Return the file or the run log that each source names."""
    if not sources:
        raise ConfigError("no source: give a run's name, or a .jsonl, .csv or .parquet file with queries and outcomes")
    paths = [Path(source) if is_record_file(source) else find_run_log(source, folder) for source in sources]
    seen: set[Path] = set()
    for path in (path.resolve() for path in paths):
        if path in seen:
            raise ConfigError(f"{str(path)!r} is given twice; name each source once")
        seen.add(path)
    return paths


def _read_rows(path: Path, columns: Mapping[str, str] | None) -> Iterator[OutcomeRow]:
    if path.name != folders.LOG:
        yield from read_outcomes(path, columns=columns)
        return
    with SqliteStore(path, read_only=True) as store:
        header = read_header(store)
        yield from convert_rollouts(
            read_rollouts(store), target=folders.read_target_name(header), with_test=folders.is_evaluation(header)
        )

"""Find a benchmark by name, read it from the hub or from local files, and split it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example, Split
from askwell.tasks.benchmarks import BENCHMARKS, Benchmark, BenchmarkSource, Sizes
from askwell.tasks.examples import load_examples
from askwell.tasks.hub import read_hub
from askwell.tasks.readers import Record
from askwell.tasks.splits import split

__all__ = ["BENCHMARKS", "Benchmark", "find_benchmark", "load_benchmark", "read_benchmark"]


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark by name; raise `ConfigError` with the nearest names if it is unknown."""
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    members = [member for member, entry in BENCHMARKS.items() if entry.suite == name]
    if members:
        raise ConfigError(f"{name!r} is a suite of {len(members)} benchmarks; name one of them, like {members[0]!r}")
    tails = [full for full in BENCHMARKS if full.split("/")[-1] == name]
    close = tails or difflib.get_close_matches(name.lower(), BENCHMARKS, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    suites = sorted({entry.suite for entry in BENCHMARKS.values()})
    raise ConfigError(f"unknown benchmark {name!r}; {hint}the suites are {suites}")


def load_benchmark(
    name: str, folder: Path | str | None = None, *, seed: int = 0, sizes: Sizes | None = None
) -> Mapping[Split, tuple[Example, ...]]:
    """Read a benchmark from `folder` (files in their source format) or, without one, from the hub, and split it.

    `sizes` replaces the benchmark's default sizes. Raises `DataError` if files are missing, broken or too small.
    """
    train, dev, test = sizes or find_benchmark(name).sizes
    return split(read_benchmark(name, folder), train=train, dev=dev, test=test, seed=seed)


def read_benchmark(name: str, folder: Path | str | None = None) -> tuple[Example, ...]:
    """Read all examples of a benchmark from `folder` or, without one, from the hub."""
    entry = find_benchmark(name)
    records = _from_folder(entry, Path(folder)) if folder is not None else _from_hub(entry)
    return load_examples(records, name=name)


def _from_hub(entry: Benchmark) -> list[dict[str, object]]:
    return [_shaped(record, entry.hub, entry.hub.path) for record in read_hub(entry.hub.path)]


def _from_folder(entry: Benchmark, folder: Path) -> list[dict[str, object]]:
    for source in entry.local:
        files = sorted(folder.glob(source.path)) or sorted(_inside(folder, source.path))
        if files:
            return [_shaped(record, source, path.name) for path in files for record in source.read(path)]
    wanted = " or ".join(repr(source.path) for source in entry.local)
    raise DataError(f"no files of {entry.name!r} under {str(folder)!r}; expected {wanted}")


def _inside(folder: Path, path: str) -> Iterator[Path]:
    """Find a benchmark's files if `folder` is the benchmark's own folder."""
    own, _, pattern = path.partition("/")
    # A pattern that starts with "*" matches files in any folder, so it requires the folder's own name.
    return folder.glob(pattern) if folder.name == own or not pattern.startswith("*") else iter(())


def _shaped(record: Record, source: BenchmarkSource, source_name: str) -> dict[str, object]:
    try:
        return source.shape(record.values)
    except (DataError, TypeError) as error:
        raise DataError(f"{source_name}: {record.location}: {error}") from error

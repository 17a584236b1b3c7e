"""Read a Hugging Face data set by name with the `datasets` package (extra `data`), which is imported on first use."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportMissingImports=false
# (datasets is an optional package with partial types)
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from askwell.core.errors import ConfigError, DataError, nearest
from askwell.tasks.readers import Record

HUB_PREFIX = "hf:"
PARQUET_EXPORT = "refs/convert/parquet"
"""The hub's branch with Parquet files, for data sets whose main branch is a loading script."""
SPLIT_NAMES = frozenset({"train", "validation", "valid", "val", "dev", "test"})
"""A single name after the data set is a split if it consists of these names, otherwise a config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubName:
    """A data set on the hub, or a local folder that `datasets` can read. An empty field selects the only choice."""

    path: str
    revision: str = ""
    config: str = ""
    split: str = ""


def parse_hub_name(source: str) -> HubName:
    """Parse "hf:owner/name[@revision][:config][:split]".

    An empty config ("hf:owner/name::test") gives a split only. A split may be a slice or a sum ("test[:100]",
    "train+test").
    """
    match = re.fullmatch(
        r"hf:([^:@\s]+)(?:@([^:\s]+))?(?::([^:\[\s]*))?(?::([^:\[\s]+(?:\[[^\]]*\])?)|(\[[^\]]*\]))?", source
    )
    if match is None:
        raise ConfigError(f"bad data set name {source!r}; expected 'hf:owner/name', 'hf:owner/name:config:split'")
    path, revision, middle, split, bare_slice = match.groups(default="")
    if not split and (SPLIT_NAMES.issuperset(middle.split("+")) or bare_slice):
        return HubName(path=path, revision=revision, split=middle + bare_slice)
    return HubName(path=path, revision=revision, config=middle, split=split)


def read_hub(source: str) -> Iterator[Record]:
    """Yield the records of a data set; a label column (`ClassLabel`) gives names, not numbers.

    Raises `ConfigError` if the package is missing, `DataError` if the data set or the hub is unavailable.
    """
    name = parse_hub_name(source)
    try:
        import datasets
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise ConfigError(f"{source!r} needs the datasets package: pip install 'askwell[data]'") from error
    if name.revision == PARQUET_EXPORT and not name.split:
        raise ConfigError(f"{source!r} must name its split: '{source}:SPLIT'")
    config, revision = name.config or None, name.revision or None
    # In the Parquet export a config is only a folder.
    config_name, folder = (None, config) if revision == PARQUET_EXPORT else (config, None)
    try:
        split = name.split or _only_split(
            datasets.get_dataset_split_names(name.path, config_name, revision=revision), source
        )
        table = cast(
            "_Table", datasets.load_dataset(name.path, config_name, data_dir=folder, split=split, revision=revision)
        )
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise DataError(f"can't load {source!r}: {_first_line(error)}") from error
    return _records(table)


class _Labels(Protocol):
    names: list[str]


class _Table(Protocol):
    features: dict[str, object]

    def __iter__(self) -> Iterator[dict[str, object]]: ...


def _records(table: _Table) -> Iterator[Record]:
    labels = {key: cast("_Labels", kind).names for key, kind in table.features.items() if hasattr(kind, "int2str")}
    for number, row in enumerate(table, start=1):
        for key, names in labels.items():
            index = row[key]
            if isinstance(index, int):  # the hub writes -1 for a hidden label
                row[key] = names[index] if 0 <= index < len(names) else None
        yield Record(location=f"row {number}", values=row)


def _only_split(names: list[str], source: str) -> str:
    if len(names) == 1:
        return names[0]
    raise DataError(f"{source!r} has several splits; add one as '{source}:SPLIT': {nearest('test', names)}")


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)

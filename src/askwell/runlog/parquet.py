"""Write rows to a Parquet file and read them back, one row group at a time."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from askwell.core.errors import ConfigError, DataError
from askwell.runlog.store import serialize_json

_ROW_GROUP = 16_384

EVENTS: Mapping[str, str] = MappingProxyType({
    "position": "int64", "kind": "string", "key": "string", "at": "double", "seconds": "double", "body": "string",
})  # fmt: skip
ROLLOUTS: Mapping[str, str] = MappingProxyType({
    "position": "int64", "step": "int32", "split": "string", "prompt_id": "string", "prompt": "string",
    "demos": "int32", "example_id": "string", "input": "string", "target": "string", "target_model": "string",
    "sample_index": "int32", "response": "string", "outcome": "string", "fault": "string", "error": "string",
    "score": "double", "answer": "string", "note": "string", "prompt_tokens": "int64", "completion_tokens": "int64",
    "reasoning_tokens": "int64", "cost_usd": "double", "seconds": "double", "cached": "bool", "at": "double",
})  # fmt: skip
"""Column -> Arrow type. A body is JSON text."""


def write_parquet(path: Path, rows: Iterable[Mapping[str, object]], *, columns: Mapping[str, str]) -> int:
    """Write rows and return how many there were."""
    arrow, parquet = _pyarrow()
    schema = arrow.schema([(name, arrow.type_for_alias(kind)) for name, kind in columns.items()])
    count, left = 0, iter(rows)
    with parquet.ParquetWriter(path, schema, compression="zstd") as file:
        while group := list(islice(left, _ROW_GROUP)):
            data = {name: [_cell(row[name]) for row in group] for name in columns}
            file.write_table(arrow.table(data, schema=schema), row_group_size=_ROW_GROUP)
            count += len(group)
    return count


def read_parquet(path: Path) -> Iterator[dict[str, object]]:
    """Yield the events of a file; a body comes back as values."""
    arrow, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROW_GROUP):
                for row in cast("list[dict[str, object]]", batch.to_pylist()):
                    if isinstance(row.get("body"), str):
                        row["body"] = json.loads(cast("str", row["body"]))
                    yield row
    except (arrow.ArrowException, ValueError) as error:
        raise DataError(f"cannot read {str(path)!r} as Parquet: {error}") from error


def _cell(value: object) -> object:
    """Encode a body as JSON; a lone surrogate, which UTF-8 can't hold, becomes a question mark in plain texts."""
    if isinstance(value, Mapping):
        return serialize_json(cast("Mapping[str, object]", value))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigError('Parquet needs pyarrow: pip install "askwell[data]"; or choose --format jsonl') from error

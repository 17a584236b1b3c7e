"""Export a run log to a file for other tools, as events or as a flat table of rollouts, and import logs of any format.

Events are written one by one, so that a log of any length takes the same memory. An imported log equals the exported
one event by event, times included; one of an older format is converted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from askwell.core.errors import ConfigError, DataError, StoreError, nearest
from askwell.core.files import replacing
from askwell.core.types import Event, EventKind
from askwell.runlog.codec import Body, decode_completion, decode_score, flatten_outcome
from askwell.runlog.fold import examples_by_id, read_examples, read_header, read_prompts
from askwell.runlog.folders import LOG, LOOPS, POLICY, read_target_name
from askwell.runlog.reading import check_event, located, read_events
from askwell.runlog.store import RunStore, SqliteStore, serialize_json
from askwell.runlog.upgrade import upgrade_events

FORMATS = ("parquet", "jsonl")
TABLES = ("events", "rollouts")
_BATCH = 4096
_SQLITE = b"SQLite format 3\0"

Row = dict[str, object]


class _Line(TypedDict):
    """An event in a file. The kind may be an older log's."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]  pydantic's own way

    position: int
    kind: EventKind | Literal["learnt"]
    key: str
    at: float
    seconds: float
    body: dict[str, object]


_LINE = TypeAdapter(_Line)


def export_log(store: RunStore, path: Path, *, form: str, table: str = "events") -> int:
    """Write a log's events, or its rollouts as a table, and return how many rows that is.

    Raises `ConfigError` for an unknown form or table, for a missing extra, and where the file can't be written.
    """
    _check_name(form, FORMATS, "format")
    _check_name(table, TABLES, "table")
    rows = _event_rows(store) if table == "events" else rollout_rows(store)
    try:
        with replacing(path) as draft:
            if form == "parquet":
                from askwell.runlog import parquet

                columns = parquet.EVENTS if table == "events" else parquet.ROLLOUTS
                return parquet.write_parquet(draft, rows, columns=columns)
            return _write_lines(draft, rows)
    except OSError as error:
        raise ConfigError(f"cannot write {str(path)!r}: {error.strerror or error}; give another -o") from error


def read_log(path: Path) -> Iterator[Event]:
    """Yield the events of an exported file, a run's folder or a `log.db`, unchanged.

    The first bytes of the file show its format. Raises `DataError` with the row that is not an event.
    """
    try:
        path = path / LOG if path.is_dir() else path
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
        if start == _SQLITE:
            with SqliteStore(path, read_only=True, any_format=True) as store:
                yield from store.events()
            return
        rows: Iterable[object] = _parquet_rows(path) if start[:4] == b"PAR1" else _read_lines(path)
        for number, row in enumerate(rows, 1):
            yield _event(row, path, number)
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


def import_log(path: Path, log: Path) -> int:
    """Make a run log of what `read_log` accepts, in the current format, and return how many events it has.

    The log appears when it is complete. A run's folder brings its policy along, without symbolic links: they may lead
    to any file of this machine. Raises `DataError` with the position and the field of an event that is not askwell's,
    and if the log's first event is missing.
    """
    draft = log.with_name("import.db")
    _clear(draft)
    try:
        count = _fill(draft, path)
        for folder in (path / name for name in (POLICY, LOOPS)):
            if folder.is_dir() and not folder.is_symlink():
                shutil.copytree(folder, log.parent / folder.name, dirs_exist_ok=True, ignore=_symbolic_links)
        draft.replace(log)
    finally:
        _clear(draft)
    return count


def _fill(draft: Path, path: Path) -> int:
    count = 0
    events = upgrade_events(read_log(path))
    with SqliteStore(draft) as store:
        while batch := list(islice(events, _BATCH)):
            for event in batch:
                _check(event, path)
            store.append(batch)
            count += len(batch)
        is_whole = next(store.events(kinds=["run"]), None) is not None
    if not is_whole:
        raise DataError(f"{str(path)!r} holds {count} events but not a run's first one; export the whole log")
    return count


def _check(event: Event, path: Path) -> None:
    try:
        check_event(event)
    except StoreError as error:
        where = f"{str(path)!r}, position {event.position} ({event.kind})"
        raise DataError(f"{where}: {error}; nothing was imported") from error


def _symbolic_links(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_symlink()]


def _clear(draft: Path) -> None:
    for stale in draft.parent.glob(f"{draft.stem}.*"):
        stale.unlink()


def rollout_rows(store: RunStore) -> Iterator[Row]:
    """Yield the rollouts as flat rows: one call a row, with the texts of prompt and example."""
    prompts, examples = read_prompts(store), examples_by_id(read_examples(store))
    model = read_target_name(read_header(store))
    for event in read_events(store, kinds=["rollout"]):
        body = event.body
        completion, score = decode_completion(cast("Body", body["completion"])), decode_score(body["score"])
        with located(store, event.position):
            prompt, example = prompts[cast("str", body["prompt"])], examples[cast("str", body["example"])]
        target = example.target
        yield {
            "position": event.position,
            "step": body["step"],
            "split": body["split"],
            "prompt_id": body["prompt"],
            "prompt": prompt.instruction,
            "demos": len(prompt.demos),
            "example_id": example.id,
            "input": example.input,
            "target": target if isinstance(target, str) else json.dumps(target, ensure_ascii=False),
            "target_model": model,
            "sample_index": body.get("sample_index", 0),
            **flatten_outcome(completion, score),
            "seconds": event.seconds,
            "cached": bool(body.get("cached")),
            "at": event.at,
        }


def _event_rows(store: RunStore) -> Iterator[Row]:
    for event in store.events():
        yield {
            "position": event.position,
            "kind": event.kind,
            "key": event.key,
            "at": event.at,
            "seconds": event.seconds,
            "body": event.body,
        }


def _write_lines(path: Path, rows: Iterable[Row]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(serialize_json(row) + "\n")
            count += 1
    return count


def _read_lines(path: Path) -> Iterator[object]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{str(path)!r}, row {number}: not JSON ({error}); expected an exported log") from error


def _parquet_rows(path: Path) -> Iterator[object]:
    from askwell.runlog import parquet

    return parquet.read_parquet(path)


def _event(row: object, path: Path, number: int) -> Event:
    try:
        line = _LINE.validate_python(row)
    except ValidationError as error:
        problem = error.errors()[0]
        path_in_row = ".".join(str(part) for part in problem["loc"])
        raise DataError(
            f"{str(path)!r}, row {number}: {path_in_row or 'the row'}: {problem['msg']}; is it an exported log?"
        ) from error
    return Event(**cast("Any", line))  # an older kind passes here, and is renamed by `upgrade_events`


def _check_name(name: str, valid: tuple[str, ...], kind: str) -> None:
    if name not in valid:
        raise ConfigError(f"unknown {kind} {name!r}; {nearest(name, valid)}")

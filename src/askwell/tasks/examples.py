"""Load examples from a data file, a Hugging Face data set or a list; every error names the row."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, cast

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example
from askwell.tasks.fields import JSON_LIST, FieldMap, collect_meta, find_options, lookup, resolve_fields
from askwell.tasks.hub import HUB_PREFIX, read_hub
from askwell.tasks.readers import Record, read_records
from askwell.tasks.records.cells import repair_surrogates, show_value, to_plain, to_text

ExampleSource: TypeAlias = str | Path | Iterable[Mapping[str, object]] | Iterable[Example]
"""A file name, "hf:owner/name[:config][:split]", records, or examples."""


def load_examples(
    source: ExampleSource,
    *,
    fields: Mapping[str, str] | None = None,
    records: str | None = None,
    limit: int | None = None,
    name: str | None = None,
) -> tuple[Example, ...]:
    """Load examples from a file, a data set on the hub, records or examples (see `tasks.load.load`)."""
    check_limit(limit)
    source_name = name or _name_of(source)
    if isinstance(source, (str, Path)):
        examples = _from_records(_open(str(source), records), fields, source_name, limit)
    else:
        examples = _from_values(source, fields, source_name, limit)
    if not examples:
        raise DataError(f"{source_name}: contains no records; expected at least one example")
    return examples


def check_limit(limit: int | None) -> None:
    """Raise `ConfigError` unless the limit is None or at least 1."""
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit!r}; expected a whole number of at least 1, or None for all")


def _open(source: str, records: str | None) -> Iterator[Record]:
    if source.startswith(HUB_PREFIX):
        return read_hub(source)
    return read_records(Path(source), records=records)


def _from_values(
    source: Iterable[Mapping[str, object]] | Iterable[Example],
    fields: Mapping[str, str] | None,
    source_name: str,
    limit: int | None,
) -> tuple[Example, ...]:
    values = cast("list[object]", list(itertools.islice(source, limit)))
    examples = [value for value in values if isinstance(value, Example)]
    if examples and len(examples) == len(values):
        ids = _Ids(source_name)
        for number, example in enumerate(examples, start=1):
            _check_example(example, f"{source_name}: row {number}")
            ids.take(example.id, f"row {number}")
        return tuple(examples)
    return _from_records(_as_records(values, source_name), fields, source_name, None)


def _as_records(values: Iterable[object], source_name: str) -> Iterator[Record]:
    for number, value in enumerate(values, start=1):
        if not isinstance(value, Mapping):
            raise DataError(
                f"{source_name}: row {number}: expected a dict (or examples only), got {type(value).__name__}; "
                "a data frame passes as frame.to_dict('records')"
            )
        record = cast("Mapping[object, object]", value)
        for key in record:
            if not isinstance(key, str):
                raise DataError(
                    f"{source_name}: row {number}: field name {key!r} is {type(key).__name__}; expected text"
                )
        yield Record(location=f"row {number}", values=cast("Mapping[str, object]", record))


def _check_example(example: Example, where: str) -> None:
    """Raise `DataError` unless an example that was made in Python holds texts, as its types demand."""
    target: object = example.target
    texts: tuple[object, ...] = cast("tuple[object, ...]", target) if isinstance(target, tuple) else (target,)
    for name, value in (("id", example.id), ("input", example.input), *(("target", text) for text in texts)):
        if not isinstance(value, str) or not value.strip():
            raise DataError(f"{where}: {name} is {value!r:.80}; expected a text that is not empty")
    if not texts:
        raise DataError(f"{where}: target is an empty tuple; expected at least one right answer")


def _from_records(
    records: Iterator[Record], fields: Mapping[str, str] | None, source_name: str, limit: int | None
) -> tuple[Example, ...]:
    examples: list[Example] = []
    ids = _Ids(source_name)
    chosen: FieldMap | None = None
    used: frozenset[str] = frozenset()
    for record in itertools.islice(records, limit):
        if chosen is None:
            chosen = resolve_fields(fields, record.values, source_name)
            used = chosen.used()
        examples.append(_example(record, chosen, used, ids, source_name))
    return tuple(examples)


def _example(record: Record, chosen: FieldMap, used: frozenset[str], ids: _Ids, source_name: str) -> Example:
    where = f"{source_name}: {record.location}"
    text = _input(lookup(record.values, chosen.input, where), chosen.input, where)
    target = _target(_indexed(record, chosen, where), chosen.target, where)
    if chosen.id:
        identity = _id(lookup(record.values, chosen.id, where), chosen.id, where)
        ids.take(identity, record.location)
    else:
        identity = ids.make(text, target)
    return Example(id=identity, input=text, target=target, meta=collect_meta(record.values, used))


def _indexed(record: Record, chosen: FieldMap, where: str) -> object:
    """Return the target; an index of the options that the input shows becomes the letter of its line."""
    value = _target_value(record, chosen.target, where)
    options = find_options(record.values, chosen.input)
    if options is None:
        return value
    try:
        label = options.label_of(value)
    except TypeError:  # a list or the like
        return value
    except DataError as error:
        raise DataError(f"{where}: target field {chosen.target!r} {error}") from error
    return value if label is None else label


def _target_value(record: Record, source: str, where: str) -> object:
    if not source.endswith(JSON_LIST) or source in record.values:
        return lookup(record.values, source, where)
    value = lookup(record.values, source.removesuffix(JSON_LIST), where)
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise DataError(
            f'{where}: target field {source!r} is {value!r:.80}, not a JSON list; write ["first", "second"]'
        ) from error


def _input(value: object, source: str, where: str) -> str:
    try:
        plain = to_plain(value)
    except TypeError as error:
        raise DataError(f"{where}: input field {source!r} is a {error}; expected text") from error
    is_missing = plain is None or plain != plain  # NaN
    if not is_missing and not isinstance(plain, str):
        kind = f"{type(plain).__name__} {show_value(plain, 60)}"
        raise DataError(f"{where}: input field {source!r} is {kind}, not text; {_advice(plain, source)}")
    text = repair_surrogates(plain) if isinstance(plain, str) else ""
    if not text.strip():
        raise DataError(f"{where}: input field {source!r} is empty or missing")
    return text


def _advice(value: object, source: str) -> str:
    """Return what to do about an input that is no text."""
    if isinstance(value, int | float):
        return f'a template turns a number into text: fields={{"input": "{{{source}}}"}}'
    if isinstance(value, (list, tuple)) and _is_chat(cast("list[object]", value)):
        return (
            "chats of several messages can't be loaded yet: give each row one question, such as the last user "
            "message, in a field of its own"
        )
    return "give the dotted path to a text in it, such as FIELD.NAME, or write one text per row into a field of its own"


def _is_chat(values: Sequence[object]) -> bool:
    return bool(values) and all(
        isinstance(value, dict) and bool({"role", "from"} & cast("dict[str, object]", value).keys()) for value in values
    )


def _target(value: object, source: str, where: str) -> str | tuple[str, ...]:
    try:
        plain = to_plain(value)
        items = cast("list[object]", plain) if isinstance(plain, (list, tuple)) else [plain]
        texts = tuple(to_text(item) for item in items)
    except TypeError as error:
        raise DataError(
            f"{where}: target field {source!r} is a {error}; expected text, a number, a boolean or a list of those"
        ) from error
    if not texts or not all(text.strip() for text in texts):
        raise DataError(f"{where}: target field {source!r} is empty or missing")
    return texts if isinstance(plain, (list, tuple)) else texts[0]


def _id(value: object, source: str, where: str) -> str:
    try:
        identity = to_text(value).strip()
    except TypeError as error:
        raise DataError(f"{where}: id field {source!r} is a {error}; expected text or a number") from error
    if not identity:
        raise DataError(f"{where}: id field {source!r} is empty or missing")
    return identity


class _Ids:
    """The ids used so far: rejects a duplicate id, and makes ids from the content if none are given."""

    def __init__(self, source_name: str) -> None:
        self._source_name = source_name
        self._locations: dict[str, str] = {}

    def take(self, identity: str, location: str) -> None:
        if identity in self._locations:
            raise DataError(
                f"{self._source_name}: {self._locations[identity]} and {location} have the same id {identity!r}; "
                'ids must be unique (fields={"id": ""} makes ids from the content)'
            )
        self._locations[identity] = location

    def make(self, text: str, target: str | tuple[str, ...]) -> str:
        content = "\x1f".join((text, target) if isinstance(target, str) else (text, *target))
        digest = hashlib.blake2b(content.encode(), digest_size=6).hexdigest()
        for copy in itertools.count(1):
            identity = digest if copy == 1 else f"{digest}-{copy}"
            if identity not in self._locations:
                self._locations[identity] = identity
                return identity
        raise AssertionError("count() does not end")


def _name_of(source: ExampleSource) -> str:
    match source:
        case Path():
            return source.name
        case str():
            return source if source.startswith(HUB_PREFIX) else Path(source).name
        case _:
            return "data"

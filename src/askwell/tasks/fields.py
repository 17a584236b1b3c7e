"""Map the fields of a record to input, target and id: by name or template, or by guess if only one field fits."""

from __future__ import annotations

import json
import math
import string
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from askwell.core.errors import ConfigError, DataError, nearest

EXAMPLE_FIELDS = ("input", "target", "id")

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "input": ("input", "question", "query", "prompt", "text", "sentence", "problem"),
    "target": ("target", "answer", "label", "output", "completion", "response", "gold"),
    "id": ("id", "uid"),
}
"""Field names that are recognized if a record has exactly one of them."""

CONTEXT = frozenset(
    {"passage", "context", "choices", "options", "premise", "hypothesis", "document", "instruction", "body"}
)
"""Fields without which a question cannot be understood: if a record has one of them, the input is not guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """The source of each part of an example: a field name, a dotted path, or a template ("{passage} {question}").

    `id` is empty if ids are made from the content.
    """

    input: str
    target: str
    id: str = ""

    def used(self) -> frozenset[str]:
        """Return the top-level field names that are part of the example; the other fields become its meta."""
        names: set[str] = set()
        for source in (self.input, self.target, self.id):
            for name in _template_names(source) if is_template(source) else [source]:
                names |= {name, name.split(".")[0]}
        return frozenset(names)


def resolve_fields(fields: Mapping[str, str] | None, record: Mapping[str, object], name: str) -> FieldMap:
    """Determine the field map from a data set's first record.

    Raises `ConfigError` if the map names an unknown example field, `DataError` if the record lacks a field or the
    guess is ambiguous.
    """
    given = dict(fields or {})
    for key, source in given.items():
        if key not in EXAMPLE_FIELDS:
            raise ConfigError(f"unknown example field {key!r} in the field map; {nearest(key, EXAMPLE_FIELDS)}")
        if source or key != "id":
            _check_source(source, record, f"{name}: fields {key}={source!r}")
    chosen = FieldMap(
        input=given.get("input") or _guess("input", record, name),
        target=given.get("target") or _guess("target", record, name),
        id=given["id"] if "id" in given else _guess_id(record),
    )
    if chosen.input == chosen.target:
        raise DataError(f"{name}: {chosen.input!r} can't be both input and target")
    return chosen


def is_template(source: str) -> bool:
    """Return whether a field source is a template with placeholders."""
    return "{" in source


def lookup(record: Mapping[str, object], source: str, location: str) -> object:
    """Return the value of a field name, dotted path or template in a record; None if it is absent."""
    if not is_template(source):
        return _value(record, source)
    return "".join(_filled(record, source, location))


def to_text(value: object) -> str:
    """Convert a scalar to text: 51.0 is "51", True is "True", None and NaN are "" (missing).

    Raises `TypeError` for lists and objects.
    """
    match value:
        case None:
            return ""
        case str():
            return repair_surrogates(value)
        case bool() | int():
            return str(value)
        case float():
            return "" if math.isnan(value) else str(int(value)) if value.is_integer() else repr(value)
        case dict() | list() | tuple():
            raise TypeError(type(cast("object", value)).__name__)
        case _:
            return str(value)  # dates and decimals from Parquet columns


def collect_meta(record: Mapping[str, object], used: Collection[str]) -> dict[str, str]:
    """Return the unused fields as text, without the empty ones."""
    meta: dict[str, str] = {}
    for key, value in record.items():
        if key in used or value is None:
            continue
        try:
            meta[repair_surrogates(key)] = to_text(value)
        except TypeError:
            meta[repair_surrogates(key)] = repair_surrogates(json.dumps(value, ensure_ascii=False, default=str))
    return meta


def repair_surrogates(text: str) -> str:
    """Join surrogate pairs and replace unpaired surrogates: JSON can contain them, UTF-8 cannot."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _check_source(source: str, record: Mapping[str, object], where: str) -> None:
    if not source:
        raise ConfigError(f"{where}: give the name of a field; the record has {sorted(record)}")
    for name in _template_names(source) if is_template(source) else [source]:
        if not _has(record, name):
            raise DataError(f"{where}: no field {name!r}; {nearest(name, record)}")


def _template_names(source: str) -> list[str]:
    try:
        parts = list(string.Formatter().parse(source))
    except ValueError as error:
        raise ConfigError(f"bad template {source!r}: {error}; write a literal brace twice") from error
    names = [name for _, name, _, _ in parts if name is not None]
    if not names or not all(names) or any(spec or conversion for _, _, spec, conversion in parts):
        raise ConfigError(f"bad template {source!r}; expected field names in braces, like '{{passage}}\\n{{question}}'")
    return names


def _filled(record: Mapping[str, object], source: str, location: str) -> Iterator[str]:
    for literal, name, _, _ in string.Formatter().parse(source):
        yield literal.replace("\\n", "\n")  # a shell passes "\n" as two characters
        if name is None:
            continue
        try:
            text = to_text(_value(record, name))
        except TypeError as error:
            raise DataError(
                f"{location}: field {name!r} of the template is a {error}; expected text or a number"
            ) from error
        if not text:
            raise DataError(f"{location}: field {name!r} of the template is empty or missing")
        yield text


def _value(record: Mapping[str, object], name: str) -> object:
    if name in record:
        return record[name]
    head, _, rest = name.partition(".")
    inner = record.get(head)
    return _value(cast("dict[str, object]", inner), rest) if rest and isinstance(inner, dict) else None


def _has(record: Mapping[str, object], name: str) -> bool:
    return name in record or ("." in name and _value(record, name) is not None)


def _guess(part: str, record: Mapping[str, object], name: str) -> str:
    if {"input", "target"} <= record.keys():
        return part
    names = {key.lower(): key for key in record}
    candidates = [names[synonym] for synonym in SYNONYMS[part] if synonym in names]
    blocked = sorted(CONTEXT & names.keys()) if part == "input" else []
    if len(candidates) == 1 and not blocked:
        return candidates[0]
    if blocked and candidates:
        why = f"{candidates[0]!r} may need {blocked} to be understood"
        hint = f'"{{{names[blocked[0]]}}}\\n{{{candidates[0]}}}"'
    else:
        why = f"several may be it: {candidates}" if candidates else "none has a usual name"
        hint = '"FIELD"'
    raise DataError(
        f"{name}: can't tell which field is the {part} ({why}); the record has {sorted(record)}. "
        f"Say which: fields={{'{part}': {hint}}}, on the command line --field {part}={hint}"
    )


def _guess_id(record: Mapping[str, object]) -> str:
    names = {key.lower(): key for key in record}
    return next((names[synonym] for synonym in SYNONYMS["id"] if synonym in names), "")

"""Map the fields of a record to input, target and id: by name or template, or by guess if only one field fits."""

from __future__ import annotations

import json
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

from askwell.core.errors import ConfigError, DataError, nearest
from askwell.tasks.records.cells import repair_surrogates, show_value, to_plain, to_text
from askwell.tasks.records.options import Options, read_options

JSON_LIST = "[]"
"""The end of a target's source whose text is a JSON list."""
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

    A target "answers[]" is a field whose text is a JSON list, as a CSV cell may hold it. `id` is empty if ids are made
    from the content.
    """

    input: str
    target: str
    id: str = ""

    def used(self) -> frozenset[str]:
        """Return the top-level field names that are part of the example; the other fields become its meta."""
        names: set[str] = set()
        for source in (self.input, self.target.removesuffix(JSON_LIST), self.id):
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
            field = source.removesuffix(JSON_LIST) if key == "target" else source
            _check_source(field, record, f"{name}: fields {key}={source!r}")
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
    return fill(record, source, location) if is_template(source) else _value(record, source)


def fill(record: Mapping[str, object], template: str, location: str) -> str:
    """Fill a template's placeholders with the record's fields; a list of options becomes lines "(A) …".

    A field may be empty if another one has text: the white space around it at the template's ends is then removed.
    Raises `DataError` for a missing field, and where all are empty.
    """
    parts: list[str] = []
    empty: list[str] = []
    names = 0
    for literal, name, _, _ in string.Formatter().parse(template):
        parts.append(literal.replace("\\n", "\n"))  # a shell passes "\n" as two characters
        if name is None:
            continue
        names += 1
        text = _filling(_value(record, name), name, location)
        parts.append(text)
        if not text.strip():
            empty.append(name)
    if len(empty) == names:
        raise DataError(f"{location}: field {empty[0]!r} of the template is empty or missing")
    filled = "".join(parts)
    return filled.strip() if empty else filled


def find_options(record: Mapping[str, object], source: str) -> Options | None:
    """Return the options that a template shows; None if it shows no list of them, or several."""
    names = _template_names(source) if is_template(source) else []
    lists = [options for name in names if (options := read_options(_value(record, name), name)) is not None]
    return lists[0] if len(lists) == 1 else None


def collect_meta(record: Mapping[str, object], used: Collection[str]) -> dict[str, str]:
    """Return the unused fields as text, without the empty ones."""
    meta: dict[str, str] = {}
    for key, value in record.items():
        if key in used or value is None:
            continue
        try:
            meta[repair_surrogates(key)] = to_text(value)
        except TypeError:
            meta[repair_surrogates(key)] = repair_surrogates(_as_json(value))
    return meta


def _as_json(value: object) -> str:
    """Return JSON, or, for what JSON can't hold, Python's own notation; meta is shown, never graded."""
    try:
        return json.dumps(to_plain(value), ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return show_value(value, 1000)


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


def _filling(value: object, name: str, location: str) -> str:
    """Return the text of a placeholder's field."""
    try:
        plain = to_plain(value)
        if plain is None:
            raise DataError(f"{location}: field {name!r} of the template is empty or missing")
        options = read_options(plain, name)
        return to_text(plain) if options is None else options.format()
    except TypeError as error:
        raise DataError(
            f"{location}: field {name!r} of the template is a {error}; expected text, a number or a list of options"
        ) from error


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
    candidates = [key for synonym in SYNONYMS[part] for key in record if key.lower() == synonym]
    blocked = sorted(key for key in record if key.lower() in CONTEXT) if part == "input" else []
    if len(candidates) == 1 and not blocked:
        return candidates[0]
    if blocked and candidates:
        why = f"{candidates[0]!r} may need {blocked} to be understood"
        hint = f'"{_template_of(blocked[0], candidates[0])}"'
    else:
        why = f"several may be it: {candidates}" if candidates else "none has a usual name"
        hint = '"FIELD"'
    raise DataError(
        f"{name}: can't tell which field is the {part} ({why}); the record has {sorted(record)}. "
        f"Say which: fields={{'{part}': {hint}}}, on the command line --field {part}={hint}"
    )


def _template_of(context: str, question: str) -> str:
    """Return the usual template of a question and its context: options follow the question, a passage precedes it."""
    order = (question, context) if context.lower() in {"choices", "options"} else (context, question)
    return "\\n".join(f"{{{name}}}" for name in order)


def _guess_id(record: Mapping[str, object]) -> str:
    return next((key for synonym in SYNONYMS["id"] for key in record if key.lower() == synonym), "")

"""Placeholders of a prompt that name fields of the data: the question's becomes `{input}`, others are refused."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from askwell.core.errors import ConfigError, DataError
from askwell.core.placeholders import INPUT, INPUT_NAMES, find_placeholders, is_named, replace_placeholders
from askwell.core.types import Example
from askwell.tasks.examples import ExampleSource
from askwell.tasks.fields import SYNONYMS, FieldMap, is_template, resolve_fields
from askwell.tasks.readers import read_records


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldNames:
    """The names of a data set's fields, by what they are to an example."""

    question: frozenset[str] = INPUT_NAMES
    """Names that mean the question, which a prompt may hold."""
    target: frozenset[str] = frozenset({"target"})
    others: frozenset[str] = frozenset()
    """Fields that are no part of a request, or one part of a question that is made of several."""

    @property
    def every(self) -> frozenset[str]:
        return self.question | self.target | self.others


def fill_field_names(prompt: str, names: FieldNames) -> str:
    """Write every placeholder that means the question as `{input}`.

    Raises `ConfigError` for a placeholder that names another field: it would be sent as it stands.
    """
    for placeholder in find_placeholders(prompt, names.every):
        held = f"the prompt holds {placeholder.text!r}, which names"
        if is_named(placeholder, names.question):
            continue
        if is_named(placeholder, names.target):
            raise ConfigError(
                f"{held} the field of the right answer; a prompt can't show it: write {INPUT} for the question, or the "
                "word without braces"
            )
        if is_named(placeholder, names.others):
            raise ConfigError(
                f"{held} a field of the data that is not the whole question; write {INPUT} for the question, make the "
                f'field a part of it (--field \'input={{{placeholder.name}}} …\', fields={{"input": "…"}} in Python), '
                "or write the word without braces"
            )
    return replace_placeholders(prompt, names.question, INPUT)


def find_unknown_names(prompt: str, names: FieldNames) -> list[str]:
    """Return the placeholders that name no field, as they stand in the prompt: they are sent so."""
    unknown = [placeholder.text for placeholder in find_placeholders(prompt) if not is_named(placeholder, names.every)]
    return list(dict.fromkeys(unknown))


def collect_field_names(
    examples: Sequence[Example],
    source: ExampleSource | None = None,
    *,
    fields: Mapping[str, str] | None = None,
    records: str | None = None,
) -> FieldNames:
    """Collect the names of a data set's fields from its examples and, where it can be read again, its first record.

    Without a record, every usual name of a question that no other field has means the question.
    """
    meta = frozenset(itertools.chain.from_iterable(example.meta for example in examples))
    with suppress(DataError):  # the loader may have read a form whose records have no fields of their own
        record = _first_record(source, records)
        if record is not None:
            return _named_by_record(resolve_fields(fields, record, "the data"), meta)
    given = FieldMap(input=(fields or {}).get("input", ""), target=(fields or {}).get("target", ""))
    if given.input:
        return _named_by_record(given, meta)
    usual = frozenset(SYNONYMS["input"]) | INPUT_NAMES
    return FieldNames(question=(usual - meta) | {"input"}, target=frozenset({"target"}) - meta, others=meta)


def _named_by_record(chosen: FieldMap, meta: frozenset[str]) -> FieldNames:
    parts = FieldMap(input=chosen.input, target="", id=chosen.id).used() - {""}
    own = frozenset[str]() if is_template(chosen.input) else frozenset({chosen.input, chosen.input.rpartition(".")[2]})
    target = frozenset[str]() if is_template(chosen.target) else frozenset({chosen.target, "target"})
    others = (meta | parts) - own - {"input"}
    return FieldNames(
        question=(own | INPUT_NAMES) - (others - own) - (target - own) | {"input"},
        target=target - own - {"input", ""},
        others=others,
    )


def _first_record(source: ExampleSource | None, records: str | None) -> Mapping[str, object] | None:
    """Return the first record of a file or a list of records; None for what can't be read a second time."""
    if isinstance(source, str | Path):
        path = Path(source)
        first = next(read_records(path, records=records), None) if path.is_file() else None
        return None if first is None else first.values
    if isinstance(source, Sequence) and source and isinstance(source[0], Mapping):
        return source[0]
    return None

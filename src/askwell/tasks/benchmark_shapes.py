"""Convert a benchmark's records to a question and an answer, with one function per kind of task."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, cast

from askwell.core.errors import DataError
from askwell.tasks.fields import lookup
from askwell.tasks.records.cells import to_text

Fields: TypeAlias = Mapping[str, object]

Shape: TypeAlias = Callable[[Fields], dict[str, object]]
"""Convert a record of the source to the fields `input`, `target` and, if the record has an id, `id`.

Raises `DataError` for a record of another kind; the caller adds the location.
"""


def columns(question: str, answer: str) -> Shape:
    """Use two fields unchanged as question and answer (`question` may be a template)."""
    return lambda record: {"input": _field(record, question), "target": record.get(answer)}


def multiple_choice(question: str, options: str | Sequence[str], answer: str) -> Shape:
    """Show the question and one line per option, "(A) …"; the target is the letter in brackets.

    `options` is the field that lists the options, or one field per option. The answer is an index from 0 or a letter.
    """

    def shape(record: Fields) -> dict[str, object]:
        texts = _options(record, options)
        letters = string.ascii_uppercase[: len(texts)]
        lines = [f"({letter}) {text}" for letter, text in zip(letters, texts, strict=True)]
        right = to_text(_field(record, answer)).strip().upper()
        if right.isdecimal() and int(right) < len(texts):
            right = letters[int(right)]
        if right not in letters or len(right) != 1:
            raise DataError(f"answer {right!r} is none of the {len(texts)} options")
        stem = to_text(_field(record, question)).strip()
        return {"input": "\n".join([stem, *lines]), "target": f"({right})"}

    return shape


def classification(text: str, label: str, names: Mapping[str, str]) -> Shape:
    """Show the text and the list of label names. `names` maps the labels of the source to the names shown."""
    listed = "\n".join(f"- {name}" for name in dict.fromkeys(names.values()))

    def shape(record: Fields) -> dict[str, object]:
        value = to_text(_field(record, label)).strip()
        if value not in names:
            raise DataError(f"label {value!r} is none of {sorted(names)}")
        return {"input": f"{to_text(_field(record, text)).strip()}\nOptions:\n{listed}", "target": names[value]}

    return shape


def worked_solution(record: Fields) -> dict[str, object]:
    """Convert GSM8K: the number after "####" is the answer; the worked solution becomes meta."""
    solution = to_text(_field(record, "answer"))
    _, mark, answer = solution.rpartition("####")
    if not mark:
        raise DataError("the answer has no '####' followed by the final number")
    return {"input": _field(record, "question"), "target": answer.strip().replace(",", ""), "solution": solution}


def story_problem(record: Fields) -> dict[str, object]:
    """Convert SVAMP: a story, a question, and a number."""
    story = to_text(_field(record, "Body")).strip().rstrip(".,")
    number = to_text(_field(record, "Answer"))
    try:
        answer = to_text(float(number))
    except ValueError as error:
        raise DataError(f"answer {number!r} is not a number") from error
    return {
        "input": f"{story}. {to_text(_field(record, 'Question')).strip()}",
        "target": answer,
        "id": record.get("ID"),
    }


def passage_question(record: Fields) -> dict[str, object]:
    """Convert BoolQ: a passage, a yes-or-no question, and a truth value."""
    question = to_text(_field(record, "question")).strip().rstrip("?")
    answer = _field(record, "answer")
    if not isinstance(answer, bool):
        raise DataError(f"answer {answer!r} is not true or false")
    passage = to_text(_field(record, "passage")).strip()
    return {"input": f"{passage}\n{question[:1].upper()}{question[1:]}?", "target": "yes" if answer else "no"}


def pronoun(record: Fields) -> dict[str, object]:
    """Convert WSC: a sentence, a pronoun in it, and two candidate antecedents."""
    sentence, word = to_text(_field(record, "text")).strip(), to_text(_field(record, "pronoun"))
    question = f'{sentence} What does the pronoun "{word}" refer to?'
    return multiple_choice("question", "options", "label")({**record, "question": question})


def triples(record: Fields) -> dict[str, object]:
    """Convert WebNLG: triples "subject | relation | object" to be verbalized, with several references."""
    listed = "\n".join(_texts(record, "input"))
    references = _texts(record, "references") or [to_text(_field(record, "target"))]
    return {"input": f"Write the following triples as fluent English text.\n\nTriples:\n{listed}", "target": references}


def _field(record: Fields, source: str) -> object:
    value = lookup(record, source, "the record")
    if value is None:
        raise DataError(f"no field {source!r} in {sorted(record)}")
    return value


def _texts(record: Fields, name: str) -> list[str]:
    values = _field(record, name)
    if not isinstance(values, list):
        raise DataError(f"field {name!r} is {type(values).__name__}, not a list")
    return [to_text(value).strip() for value in cast("list[object]", values)]


def _options(record: Fields, options: str | Sequence[str]) -> list[str]:
    if isinstance(options, str):
        return _texts(record, options)
    return [to_text(_field(record, name)).strip() for name in options]

"""Placeholders of a prompt that name fields of the data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from askwell.core.errors import ConfigError
from askwell.core.types import Example
from askwell.tasks.examples import ExampleSource
from askwell.tasks.load import load
from askwell.tasks.prompt_fields import collect_field_names, fill_field_names, find_unknown_names

TICKET = {"Ticket text": "It burns.", "label": "fire", "priority": "high", "id": "7"}
FIELDS = {"input": "Ticket text", "target": "label"}


def filled(
    prompt: str,
    source: ExampleSource,
    fields: dict[str, str] | None = None,
    examples: tuple[Example, ...] | None = None,
) -> str:
    loaded = load(source, fields=fields) if examples is None else examples
    return fill_field_names(prompt, collect_field_names(loaded, source, fields=fields))


@pytest.mark.parametrize(
    ("record", "fields", "prompt", "expected"),
    [
        ({"text": "a", "label": "b"}, None, "Classify {text} now", "Classify {input} now"),
        ({"text": "a", "label": "b"}, None, "{{ Text }} / {input} / {question}", "{input} / {input} / {input}"),
        ({"question": "a", "answer": "b"}, None, "Q: {question}\nA:", "Q: {input}\nA:"),
        ({"question": "a", "answer": "b"}, None, "{{item.question}}", "{input}"),
        (TICKET, FIELDS, "{Ticket text}, {ticket_text}, {{ticket-text}}", "{input}, {input}, {input}"),
        ({"d": {"body": "a"}, "y": "b"}, {"input": "d.body", "target": "y"}, "{d.body} {body}", "{input} {input}"),
        ({"input": "a", "target": "b"}, None, "No braces.", "No braces."),
        ({"text": "a", "label": "b"}, None, "\\boxed{label} \\text{text}", "\\boxed{label} \\text{text}"),
        ({"text": "a", "label": "b"}, None, '{"label": "…"}', '{"label": "…"}'),
        ({"text": "a", "label": "b"}, None, "{tone}", "{tone}"),
    ],
)
def test_names_of_the_question_become_the_input(
    record: dict[str, object], fields: dict[str, str] | None, prompt: str, expected: str
):
    assert filled(prompt, [record], fields) == expected


@pytest.mark.parametrize(
    ("record", "fields", "prompt", "names"),
    [
        ({"text": "a", "label": "b"}, None, "{text} is {label}", "'{label}', which names the field of the right"),
        ({"text": "a", "label": "b"}, None, "{{target}}", "'{{target}}', which names the field of the right"),
        (TICKET, FIELDS, "{{ priority }}", "'{{ priority }}', which names a field of the data that is not"),
        (TICKET, FIELDS, "{id}", "'{id}', which names a field"),
        (
            {"passage": "a", "question": "b", "answer": "c"},
            {"input": "{passage}\n{question}"},
            "{passage}: {question}",
            "'{passage}', which names a field",
        ),
        (
            {"question": "a", "body": "b", "answer": "c"}, {"input": "body"}, "{question}", "'{question}', which names",
        ),
    ],
)  # fmt: skip
def test_names_of_other_fields_are_refused(
    record: dict[str, object], fields: dict[str, str] | None, prompt: str, names: str
):
    with pytest.raises(ConfigError) as refused:
        filled(prompt, [record], fields)
    assert names in str(refused.value)
    assert "{input}" in str(refused.value)


def test_the_names_of_a_file_are_those_of_its_first_record(tmp_path: Path):
    file = tmp_path / "tickets.jsonl"
    file.write_text(json.dumps({"text": "a", "label": "b"}) + "\n", encoding="utf-8")
    assert filled("{text}", str(file)) == "{input}"
    with pytest.raises(ConfigError, match="right answer"):
        filled("{label}", file)


def test_without_a_record_usual_names_mean_the_question_unless_another_field_has_them():
    examples = (Example(id="1", input="a", target="b", meta={"text": "c"}),)
    names = collect_field_names(examples)
    assert fill_field_names("{query} {sentence}", names) == "{input} {input}"
    with pytest.raises(ConfigError, match=r"'\{text\}'"):
        fill_field_names("{text}", names)
    assert fill_field_names("{body}", collect_field_names(examples, fields={"input": "body"})) == "{input}"


def test_names_of_no_field_are_told_apart():
    names = collect_field_names((), [{"text": "a", "label": "b"}])
    assert find_unknown_names("{tone} {text} {{tone}} \\boxed{x} {tone}", names) == ["{tone}", "{{tone}}"]

"""Which braces of a prompt are placeholders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.placeholders import INPUT, INPUT_NAMES, find_placeholders, replace_placeholders

FOUND = [
    ("Q: {input}\nA:", ["input"]),
    ("Q: {{input}}\nA:", ["input"]),
    ("{{{input}}}", ["input"]),
    ("Q: { input }", ["input"]),
    ("Q: {{ question }}", ["question"]),
    ("{Input} {QUESTION}", ["Input", "QUESTION"]),
    ("{passage}{question}", ["passage", "question"]),
    ("${question}", ["question"]),
    ("{{ question | trim }}", ["question"]),
    ("{{row.text}} {{item.question}}", ["row.text", "item.question"]),
    ('Reply as {"question": "{question}"}', ["question"]),
    ("Compare {a} with {b_2} and {1}.", ["a", "b_2"]),
    ("Read this:\\n{input}\\n", ["input"]),
    ("Костюм {вопрос}", ["вопрос"]),
    ("Put it in \\boxed{answer}, for {question}.", ["question"]),
    ("After $x^{2}$: {text}", ["text"]),
]
NOT_FOUND = [
    "Use \\boxed{answer} for it.",
    "Use \\boxed {answer}? No: \\boxed{{answer}}.",
    "$\\frac{1}{2}$ and \\frac{numerator}{denominator}",
    "\\frac{\\sqrt{a}}{b}",
    "\\sqrt[3]{x} and \\text{input} and \\textbf{question}",
    "\\begin{align} x_{i} + y^{n} = a_{max} \\end{align}",
    "the set \\{a\\} and \\{input\\}",
    'Reply as {"answer": "…", "why": {"input": 1}}.',
    "Reply as {answer: string, reason: string}.",
    "{}",
    "{ }",
    "{yes, no}",
    "{1}",
    "{unclosed",
    "closed}",
    "if (a) { return a; }",
    "Answer yes or no.",
    "",
]


@pytest.mark.parametrize(("text", "names"), FOUND)
def test_placeholders_are_found(text: str, names: list[str]):
    assert [found.name for found in find_placeholders(text)] == names
    for found in find_placeholders(text):
        assert text[found.start : found.end] == found.text


@pytest.mark.parametrize("text", NOT_FOUND)
def test_other_braces_are_no_placeholders(text: str):
    assert find_placeholders(text) == []


def test_a_column_name_with_blanks_is_a_name_if_it_is_given():
    assert find_placeholders("{Ticket text}") == []
    assert [found.name for found in find_placeholders("{ticket text}", ["Ticket text"])] == ["ticket text"]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Q: {{input}}\nA:", "Q: {input}\nA:"),
        ("{ Question }? ${input}! {{item.question}}", "{input}? {input}! {input}"),
        ("{tone}: {question}", "{tone}: {input}"),
        ("\\boxed{input} of {input}", "\\boxed{input} of {input}"),
        ("nothing", "nothing"),
    ],
)
def test_spellings_of_the_question_become_one(text: str, filled: str):
    assert replace_placeholders(text, INPUT_NAMES, INPUT) == filled


@given(st.text(alphabet="{}\\$ab_^ |.\n"))
def test_any_text_is_read(text: str):
    for found in find_placeholders(text):
        assert text[found.start : found.end] == found.text
    assert replace_placeholders(text, (), INPUT) == text

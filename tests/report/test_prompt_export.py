"""Exported prompts, read back by the tools they are for."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.core.errors import ConfigError
from askwell.core.types import Example, Prompt
from askwell.report.prompt_export import FORMATS, ExportedPrompt, export_prompt
from askwell.report.run_report import PromptScores, Report
from askwell.tasks.render import ChatRender

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
NASTY = ["", "plain", 'say "{yes}" {{or}} {% no %}', "new\nline\\ 'quoted' ≤ 🙂", "{input} {question}"]


def found(text: str, *, demos: Sequence[Example] = (), placement: str = "Q_end") -> ExportedPrompt:
    standing = PromptScores(prompt=Prompt(instruction=text, demos=tuple(demos)), dev=None, test=None)
    report = Report(
        finished=True,
        reason="",
        initial=standing,
        best=standing,
        gain=None,
        optimism=None,
        curve=(),
        spend={},
        missing=0,
    )
    return ExportedPrompt(report=report, render=ChatRender(placement=placement))


@given(TEXTS)
def test_text_is_the_prompt_and_nothing_else(text: str) -> None:
    assert export_prompt(found(text), "text") == text
    assert json.loads(export_prompt(found(text), "json"))["prompt"] == text


@pytest.mark.parametrize("text", NASTY)
def test_dspy_loads_it(text: str, tmp_path: Path) -> None:
    dspy: Any = pytest.importorskip("dspy")
    path = tmp_path / "program.json"
    demo = Example(id="d", input="2 + 2", target=("4", "four"))
    path.write_text(export_prompt(found(text, demos=[demo]), "dspy"), encoding="utf-8")
    program = dspy.Predict("input -> output")
    program.load(str(path))
    assert program.signature.instructions == text
    assert [(one["input"], one["output"]) for one in program.demos] == [("2 + 2", "4")]


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(NASTY) | TEXTS, st.sampled_from(["Q_end", "system", "before_Q", "A_begin"]), TEXTS.filter(bool))
def test_langchain_sends_what_askwell_sends(text: str, placement: str, question: str) -> None:
    pytest.importorskip("langchain_core")
    one = found(text, placement=placement, demos=[Example(id="d", input="in {x}", target="{out}")])
    names: dict[str, Any] = {}
    exec(export_prompt(one, "langchain"), names)
    if "{input}" in text:  # askwell's own template mark
        return
    sent = one.render(one.prompt, Example(id="", input=question, target=""))
    roles = {"human": "user", "ai": "assistant", "system": "system"}
    messages = names["prompt"].invoke({"input": question}).to_messages()
    assert [(roles[message.type], message.content) for message in messages] == [(m.role, m.content) for m in sent]


CODE = [
    'A {% endraw %}{{ range.constructor("return 6*7")() }}{% raw %}.',
    "A {% endraw %}{{ 7*7 }}",
    "{{ 7 * 7 }}",
    "{# a comment #}",
    "{% set x = 1 %}{{ x }}",
    '"}} {{ 7*7 }}',
    '\\" }} {{ 7*7 }}',
    "exec:./evil.sh",
    "file:///etc/passwd",
    "python:evil.py",
    "Use {{ env.HOME }} and env.HOME and env['HOME'].",
    "{",
    "}",
    "{{",
    "%}",
    "{{input}}",
    "{{ input.constructor.constructor('return 1')() }}",
]
"""Prompts whose text is code for a template engine, or a command for the tool that reads the file."""
EXPRESSION = (
    r'\{\{ (?:input|[(]?"(?:[^"\\]|\\[\\"nrt])*"(?: \+ (?:input|"(?:[^"\\]|\\[\\"nrt])*"))*[)]?(?: \| dump)?) \}\}'
)


@settings(deadline=None)
@given(
    st.sampled_from([*CODE, *NASTY])
    | st.lists(st.sampled_from(["{{", "}}", "{%", "%}", "{", "}", '"', "\\", "a", "env."])).map("".join),
    st.sampled_from(["Q_end", "Q_begin", "system", "before_Q", "A_begin"]),
)
def test_promptfoo_gets_no_expression_but_literals_and_the_question(text: str, placement: str) -> None:
    [prompt] = json.loads(export_prompt(found(text, placement=placement), "promptfoo"))["prompts"]
    raw = prompt["raw"]
    assert not re.match(r"\s*(exec|file|python|package):", raw)
    outside = re.sub(EXPRESSION, "", raw)
    if not raw.startswith('[{"role'):
        assert not re.search("[{}]", outside)
    assert not re.search(r"\{[{%#]|[}%#]\}", outside)
    assert not any(re.search(r"\benv\.|env\[", found[0]) for found in re.finditer(EXPRESSION, raw))


@pytest.mark.parametrize("text", CODE)
@pytest.mark.parametrize("placement", ["Q_end", "Q_begin", "system", "before_Q", "A_begin"])
@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"promptfoo", "langchain"}))
def test_other_formats_hold_the_text_as_data(text: str, placement: str, form: str) -> None:
    exported = export_prompt(found(text, placement=placement), form)
    if form == "text":
        assert exported == text
    else:
        assert text in list(texts_in(json.loads(exported)))


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    parts: Iterable[Any] = ()
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value).values()
    elif isinstance(value, list):
        parts = cast("list[Any]", value)
    for part in parts:
        yield from texts_in(part)


@pytest.mark.parametrize("text", CODE)
def test_langchain_runs_nothing_of_a_prompt(text: str) -> None:
    tree = ast.parse(export_prompt(found(text), "langchain"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [ast.unparse(call.func) for call in calls] == ["ChatPromptTemplate.from_messages"]
    [messages] = calls[0].args
    assert all(isinstance(node, ast.List | ast.Tuple | ast.Constant | ast.expr_context) for node in ast.walk(messages))


@pytest.mark.parametrize("placement", ["Q_end", "system"])
@pytest.mark.parametrize("text", [*NASTY, *CODE])
def test_promptfoo_renders_what_askwell_sends(text: str, placement: str) -> None:
    jinja2: Any = pytest.importorskip("jinja2")  # whose syntax promptfoo's nunjucks takes
    one = found(text, placement=placement)
    [prompt] = json.loads(export_prompt(one, "promptfoo"))["prompts"]
    environment = jinja2.Environment(keep_trailing_newline=True)
    environment.filters["dump"] = json.dumps  # a nunjucks filter
    question = 'What is "2 + 2"?\nThink {{hard}}.'
    rendered = environment.from_string(prompt["raw"]).render(input=question)
    sent = one.render(one.prompt, Example(id="", input=question, target=""))
    if len(sent) == 1:
        assert rendered == sent[0].content
    else:
        assert json.loads(rendered) == [{"role": message.role, "content": message.content} for message in sent]


def test_an_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'dspy'"):
        export_prompt(found("x"), "dsp")
    assert set(FORMATS) == {"text", "json", "dspy", "promptfoo", "langchain"}
    assert replace(found("x"), render=ChatRender(placement="system")).messages[0].role == "system"

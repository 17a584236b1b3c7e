"""Export a run's best prompt in the formats of other tools. The instruction's bytes are never changed.

A mark stands for the question in a rendered request. Each format replaces the mark by its own variable, `input`, and
escapes text that the other tool would read as a variable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from askwell.core.errors import ConfigError, nearest
from askwell.core.protocols import Render
from askwell.core.types import Example, Message, Prompt
from askwell.report import run_report as reports
from askwell.report.nunjucks import nunjucks
from askwell.report.run_report import Report
from askwell.tasks.demos import WithNearest

_MARK = "\x00the question\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedPrompt:
    """A run's report, and how the run renders a prompt with a question."""

    report: Report
    render: Render

    @property
    def prompt(self) -> Prompt:
        return self.report.best.prompt

    @property
    def messages(self) -> tuple[Message, ...]:
        """The request, with `_MARK` instead of the question."""
        return self.render(self.prompt, Example(id="", input=_MARK, target=""))


def export_prompt(exported: ExportedPrompt, form: str) -> str:
    """Return the text of a file. Raises `ConfigError` naming the nearest form."""
    if form not in FORMATS:
        raise ConfigError(f"unknown format {form!r}; {nearest(form, FORMATS)}")
    if form != "text" and isinstance(exported.render, WithNearest):
        raise ConfigError(
            f"format {form!r} cannot hold this run's demonstrations, which are selected per question; export the "
            "instruction alone with --format text"
        )
    return FORMATS[form](exported)


def _text(exported: ExportedPrompt) -> str:
    return reports.format_prompt(exported.prompt)


def _json(exported: ExportedPrompt) -> str:
    body = {
        "prompt": exported.prompt.instruction,
        "demos": [{"input": demo.input, "target": demo.target} for demo in exported.prompt.demos],
        "messages": _with_variable(exported, "{input}", lambda text: text),
        **reports.report_json(exported.report),
    }
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def _dspy(exported: ExportedPrompt) -> str:
    """Return the state that `dspy.Predict("input -> output").load(path)` reads."""
    fields = [
        {"prefix": "Input:", "description": "${input}"},
        {"prefix": "Output:", "description": "${output}"},
    ]
    demos = [{"input": demo.input, "output": _demo_output(demo)} for demo in exported.prompt.demos]
    signature = {"instructions": exported.prompt.instruction, "fields": fields}
    state: dict[str, object] = {"traces": [], "train": [], "demos": demos, "signature": signature, "lm": None}
    state["metadata"] = {"dependency_versions": {}}  # dspy warns if these differ from the installed versions
    return json.dumps(state, ensure_ascii=False, indent=2) + "\n"


def _promptfoo(exported: ExportedPrompt) -> str:
    """Return a promptfoo configuration (JSON is valid YAML); the user adds `providers` and `tests`."""
    config = {
        "description": "Made by askwell",
        "prompts": [{"label": "askwell", "raw": nunjucks(exported.messages, _MARK)}],
    }
    return json.dumps(config, ensure_ascii=False, indent=2) + "\n"


def _langchain(exported: ExportedPrompt) -> str:
    """Return a Python module with a `ChatPromptTemplate` named `prompt`."""
    turns = _with_variable(exported, "{input}", lambda text: text.replace("{", "{{").replace("}", "}}"))
    lines = "".join(f"        ({turn['role']!r}, {turn['content']!r}),\n" for turn in turns)
    return (
        '"""Made by askwell: prompt.invoke({"input": question}) is what the run sent."""\n\n'
        "from langchain_core.prompts import ChatPromptTemplate\n\n"
        f"prompt = ChatPromptTemplate.from_messages(\n    [\n{lines}    ]\n)\n"
    )


FORMATS: Mapping[str, Callable[[ExportedPrompt], str]] = MappingProxyType(
    {"text": _text, "json": _json, "dspy": _dspy, "promptfoo": _promptfoo, "langchain": _langchain}
)
"""Add a format here."""


def _with_variable(exported: ExportedPrompt, variable: str, escape: Callable[[str], str]) -> list[dict[str, str]]:
    return [
        {"role": message.role, "content": variable.join(escape(part) for part in message.content.split(_MARK))}
        for message in exported.messages
    ]


def _demo_output(demo: Example) -> str:
    return demo.target if isinstance(demo.target, str) else demo.target[0]

"""The prompt a run found, in the form that other tools take. The instruction's bytes are never changed.

The question's place is marked in a rendered request, and the mark is replaced by each tool's own variable, `input`;
whatever in the prompt would look like a variable to that tool is escaped.
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
from askwell.report.run_report import Report
from askwell.tasks.demos import WithNearest

_MARK = "\x00the question\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedPrompt:
    """What there is to export: a run's report, and how its questions are put."""

    report: Report
    render: Render

    @property
    def prompt(self) -> Prompt:
        return self.report.best.prompt

    @property
    def messages(self) -> tuple[Message, ...]:
        """The request, with `_MARK` for the question."""
        return self.render(self.prompt, Example(id="", input=_MARK, target=""))


def export_prompt(found: ExportedPrompt, form: str) -> str:
    """Return the text of a file. Raises `ConfigError` naming the nearest form."""
    if form not in FORMATS:
        raise ConfigError(f"unknown format {form!r}; {nearest(form, FORMATS)}")
    if form != "text" and isinstance(found.render, WithNearest):
        raise ConfigError(
            f"format {form!r} can't hold this run's demonstrations, which are chosen for each question; export the "
            "instruction alone with --format text"
        )
    return FORMATS[form](found)


def _text(found: ExportedPrompt) -> str:
    return reports.format_prompt(found.prompt)


def _json(found: ExportedPrompt) -> str:
    body = {
        "prompt": found.prompt.instruction,
        "demos": [{"input": demo.input, "target": demo.target} for demo in found.prompt.demos],
        "messages": _with_variable(found, "{input}", lambda text: text),
        **reports.report_json(found.report),
    }
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def _dspy(found: ExportedPrompt) -> str:
    """The state that `dspy.Predict("input -> output").load(path)` reads."""
    fields = [
        {"prefix": "Input:", "description": "${input}"},
        {"prefix": "Output:", "description": "${output}"},
    ]
    demos = [{"input": demo.input, "output": _demo_output(demo)} for demo in found.prompt.demos]
    signature = {"instructions": found.prompt.instruction, "fields": fields}
    state: dict[str, object] = {"traces": [], "train": [], "demos": demos, "signature": signature, "lm": None}
    state["metadata"] = {"dependency_versions": {}}  # of whoever saved it; dspy warns of other ones
    return json.dumps(state, ensure_ascii=False, indent=2) + "\n"


def _promptfoo(found: ExportedPrompt) -> str:
    """A promptfoo configuration; JSON is YAML. Add `providers` and `tests`."""
    messages = found.messages
    if len(messages) == 1 and messages[0].role == "user":
        raw = _nunjucks(messages[0].content)
    else:
        raw = f"[{', '.join(_nunjucks_message(message) for message in messages)}]"
    config = {"description": "Made by askwell", "prompts": [{"label": "askwell", "raw": raw}]}
    return json.dumps(config, ensure_ascii=False, indent=2) + "\n"


def _langchain(found: ExportedPrompt) -> str:
    """A Python module with a `ChatPromptTemplate` named `prompt`."""
    turns = _with_variable(found, "{input}", lambda text: text.replace("{", "{{").replace("}", "}}"))
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


def _with_variable(found: ExportedPrompt, variable: str, escape: Callable[[str], str]) -> list[dict[str, str]]:
    return [
        {"role": one.role, "content": variable.join(escape(part) for part in one.content.split(_MARK))}
        for one in found.messages
    ]


def _nunjucks_message(message: Message) -> str:
    """Write a chat message as JSON; the template itself has to quote the question."""
    if _MARK not in message.content:
        return _escape_template(json.dumps({"role": message.role, "content": message.content}, ensure_ascii=False))
    parts = [json.dumps(part, ensure_ascii=False) for part in message.content.split(_MARK)]
    content = "{{ (" + " + input + ".join(parts) + ") | dump }}"
    return f'{{"role": "{message.role}", "content": {content} }}'


def _nunjucks(text: str) -> str:
    return "{{ input }}".join(_escape_template(part) for part in text.split(_MARK))


def _escape_template(text: str) -> str:
    """Keep a template engine's hands off a text that holds its marks."""
    return f"{{% raw %}}{text}{{% endraw %}}" if any(mark in text for mark in ("{{", "{%", "{#")) else text


def _demo_output(demo: Example) -> str:
    return demo.target if isinstance(demo.target, str) else demo.target[0]

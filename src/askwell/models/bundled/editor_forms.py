"""Forms of other optimizers: sections to read (`[[ ## name ## ]]`, headings, records) and sections to fill in.

DSPy's optimizers send forms: each input field is a section, and the reply must have the output fields as sections. The
bundled rewriter makes the same moves for all optimizers; this module only parses and fills in forms.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

SectionKind = Literal["prompt", "advice", "note"]

_MARKER = re.compile(r"^\[\[ ## (\w+) ## \]\][ \t]*\n?", re.MULTILINE)
_ASKED = re.compile(r"starting with the field (`\[\[ ## .*?), and then ending with the marker", re.DOTALL)
_ASKED_FIELD = re.compile(r"`\[\[ ## (\w+) ## \]\]`(?: \(must be formatted as a valid Python (\w+))?")
_PROMPT_NAME = re.compile(r"(?:^|_)(?:instructions?|prompts?)(?:_doc)?$", re.IGNORECASE)
_ADVICE_NAME = re.compile(r"(?:^|_)(?:advice|rules?|hints?)$", re.IGNORECASE)
_ORIGINAL = re.compile(r"Original Instructions:[ \t]*\n((?:\t\t.*(?:\n|\Z))+)")

_RECORD = re.compile(r"""(["'])(?:question|input|query|text|problem)\1\s*:\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_HEADING = re.compile(
    r"^#{1,6} (?:Inputs?|Questions?|Query)[ \t]*\n(.+?)(?=^#{1,6} |^```|\Z)", re.MULTILINE | re.DOTALL
)
_LINE = re.compile(r"^(?:Question|Input|Query|Problem|Text):[ \t]*(\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A request whose reply must have named sections."""

    given: Mapping[str, str]
    asked: tuple[str, ...]
    mappings: frozenset[str]
    """Requested sections that must be a JSON object."""

    @property
    def current(self) -> str:
        """Return the prompt to improve; empty if no section holds one."""
        for name, value in self.given.items():
            if _PROMPT_NAME.search(name):
                return value
        original = next((match for value in self.given.values() if (match := _ORIGINAL.search(value))), None)
        return "" if original is None else "\n".join(line.strip() for line in original[1].splitlines()).strip()

    @property
    def keys(self) -> list[str]:
        """Return the names of the modules that need advice."""
        listed = next((value for name, value in self.given.items() if name.endswith("names")), "[]")
        try:
            names: object = json.loads(listed)
        except json.JSONDecodeError:
            return []
        return [str(name) for name in cast("list[object]", names)] if isinstance(names, list) else []


def parse_form(text: str) -> Form | None:
    """Parse a request that is a form; None if it is none. A template of the form before the filled one is skipped."""
    asked = _ASKED.search(text)
    if asked is None:
        return None
    fields = _ASKED_FIELD.findall(asked[1])
    marks = list(_MARKER.finditer(text, 0, asked.start()))
    ends = [mark.start() for mark in marks[1:]] + [asked.start()]
    sections = {
        mark[1]: text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)
    }  # of equal names the last counts
    fill_form = {name: _without_closing(value) for name, value in sections.items()}
    return Form(
        given={name: value for name, value in fill_form.items() if not value.startswith(f"{{{name}}}")},
        asked=tuple(name for name, _ in fields),
        mappings=frozenset(name for name, kind in fields if kind == "dict"),
    )


def classify_section(name: str) -> SectionKind:
    """Return the kind of content of a requested section, by its name."""
    if _PROMPT_NAME.search(name):
        return "prompt"
    return "advice" if _ADVICE_NAME.search(name) else "note"


def fill_form(form: Form, values: Mapping[str, str]) -> str:
    """Return the reply: the requested sections in their order, and the closing marker."""
    sections: list[str] = []
    for name in form.asked:
        value = values[name]
        if name in form.mappings:
            value = json.dumps(dict.fromkeys(form.keys, value), ensure_ascii=False)
        sections.append(f"[[ ## {name} ## ]]\n{value}")
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])


def extract_questions(text: str) -> tuple[str, ...]:
    """Return the texts labelled "question", "input" etc. in records, headings and lines. No answers."""
    records = [str(ast.literal_eval(match[2])) for match in _RECORD.finditer(text) if _is_literal(match[2])]
    others = [match[1].strip() for pattern in (_HEADING, _LINE) for match in pattern.finditer(text)]
    return tuple(dict.fromkeys(question for question in (*records, *others) if question))


def _is_literal(quoted: str) -> bool:
    try:
        ast.literal_eval(quoted)
    except (ValueError, SyntaxError):
        return False
    return True


def _without_closing(value: str) -> str:
    return value.strip().removesuffix("Respond with the corresponding output fields,").strip()

"""Forms that other optimizers send: sections to read (`[[ ## name ## ]]`, headings, records) and sections to fill in.

DSPy's optimizers ask by form: each input field is a section, and the reply has to hold the output fields in the same
way. The bundled rewriter makes the same moves for everybody; here is only how such a request is read and answered.
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
    """A request whose reply is to be filled into named sections."""

    given: Mapping[str, str]
    asked: tuple[str, ...]
    mappings: frozenset[str]
    """Asked sections that have to be a JSON object."""

    @property
    def current(self) -> str:
        """The prompt that is to be improved, as far as a section holds one."""
        for name, value in self.given.items():
            if _PROMPT_NAME.search(name):
                return value
        original = next((found for value in self.given.values() if (found := _ORIGINAL.search(value))), None)
        return "" if original is None else "\n".join(line.strip() for line in original[1].splitlines()).strip()

    @property
    def keys(self) -> list[str]:
        """Names of the modules that advice is wanted for."""
        listed = next((value for name, value in self.given.items() if name.endswith("names")), "[]")
        try:
            found: object = json.loads(listed)
        except json.JSONDecodeError:
            return []
        return [str(one) for one in cast("list[object]", found)] if isinstance(found, list) else []


def parse_form(text: str) -> Form | None:
    """Return the form that a request is, or None. A template of the form ahead of the filled one is skipped."""
    asked = _ASKED.search(text)
    if asked is None:
        return None
    fields = _ASKED_FIELD.findall(asked[1])
    marks = list(_MARKER.finditer(text, 0, asked.start()))
    ends = [mark.start() for mark in marks[1:]] + [asked.start()]
    sections = {
        mark[1]: text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)
    }  # the last one counts
    fill_form = {name: _without_closing(value) for name, value in sections.items()}
    return Form(
        given={name: value for name, value in fill_form.items() if not value.startswith(f"{{{name}}}")},
        asked=tuple(name for name, _ in fields),
        mappings=frozenset(name for name, kind in fields if kind == "dict"),
    )


def classify_section(name: str) -> SectionKind:
    """Tell from its name what an asked section is to hold."""
    if _PROMPT_NAME.search(name):
        return "prompt"
    return "advice" if _ADVICE_NAME.search(name) else "note"


def fill_form(form: Form, values: Mapping[str, str]) -> str:
    """Return the reply: the asked sections in their order, and the closing marker."""
    sections: list[str] = []
    for name in form.asked:
        value = values[name]
        if name in form.mappings:
            value = json.dumps(dict.fromkeys(form.keys, value), ensure_ascii=False)
        sections.append(f"[[ ## {name} ## ]]\n{value}")
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])


def extract_questions(text: str) -> tuple[str, ...]:
    """Return what stands beside words such as "question" or "input": records, headings, labelled lines. No answers."""
    records = [str(ast.literal_eval(found[2])) for found in _RECORD.finditer(text) if _is_literal(found[2])]
    others = [found[1].strip() for pattern in (_HEADING, _LINE) for found in pattern.finditer(text)]
    return tuple(dict.fromkeys(one for one in (*records, *others) if one))


def _is_literal(quoted: str) -> bool:
    try:
        ast.literal_eval(quoted)
    except (ValueError, SyntaxError):
        return False
    return True


def _without_closing(value: str) -> str:
    return value.strip().removesuffix("Respond with the corresponding output fields,").strip()

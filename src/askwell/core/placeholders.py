"""Find placeholders in a prompt: `{name}`, `{{name}}`, `{ name }`, `${name}`. Braces of LaTeX and JSON are none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

INPUT = "{input}"
"""The placeholder that the question replaces, as askwell writes it."""
INPUT_NAMES = frozenset({"input", "question"})
"""Names, in any case, that mean the question in every prompt."""

_NAME = re.compile(r"[^\W\d]\w*(?:[.-]\w+)*")
_LATEX_BEFORE = re.compile(r"(?:\\(?![nrt]\Z)[A-Za-z]+\*?(?:\[[^\[\]]*\])* ?|[\w)\]}|][\^_]|\\)\Z")
"""A command with its optional arguments, a superscript or subscript, or the backslash of an escaped brace. A shell
passes a new line as the characters "\\n", which are no command."""
_FILTER = re.compile(r"\s*\|.*", re.DOTALL)
"""A Jinja filter: "question | trim"."""
_MOST_LATEX = 60
"""Characters before a brace that are searched for a LaTeX command: more than the longest with its optional argument."""
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """A placeholder and its position in the text."""

    text: str
    """With its braces, as it stands in the prompt."""
    name: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def find_placeholders(text: str, names: Collection[str] = ()) -> list[Placeholder]:
    """Return the placeholders of a text in order.

    A name is an identifier, possibly dotted. `names` are further names, such as those of columns with blanks.
    """
    return list(_find(text, frozenset(map(fold_name, names))))


def fold_name(name: str) -> str:
    """Return the form in which names are compared: lower case, with one underscore for blanks and hyphens."""
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def is_named(placeholder: Placeholder, names: Collection[str]) -> bool:
    """Return whether a placeholder has one of these names; `{{row.text}}` also has the name `text`."""
    own = {fold_name(placeholder.name), fold_name(placeholder.name.rpartition(".")[2])}
    return any(fold_name(name) in own for name in names)


def replace_placeholders(text: str, names: Collection[str], new: str) -> str:
    """Replace every placeholder that has one of these names."""
    return new.join(split_at_placeholders(text, frozenset(names)))


@lru_cache(maxsize=256)  # a prompt is rendered once per example
def split_at_placeholders(text: str, names: frozenset[str] = INPUT_NAMES) -> tuple[str, ...]:
    """Return the parts of a text between the placeholders with these names; one part if it has none."""
    if "{" not in text:
        return (text,)
    parts: list[str] = []
    begin = 0
    for placeholder in find_placeholders(text, names):
        if is_named(placeholder, names):
            parts.append(text[begin : placeholder.start])
            begin = placeholder.end
    return (*parts, text[begin:])


def _find(text: str, names: Collection[str]) -> Iterator[Placeholder]:
    """Yield placeholders; doubled braces around a name are one placeholder."""
    groups = _match_braces(text)
    latex = _find_latex(text, groups)
    for start, end in sorted(groups.items()):
        content = text[start + 1 : end - 1]
        name = _FILTER.sub("", content).strip()
        is_name = len(name) <= _LONGEST_NAME and (_NAME.fullmatch(name) or fold_name(name) in names)
        if start in latex or not is_name:
            continue
        doubled = 0
        while groups.get(start - doubled - 1) == end + doubled + 1:
            doubled += 1
        first = start - doubled
        first -= text[first - 1 : first] == "$"
        yield Placeholder(text=text[first : end + doubled], name=name, start=first)


def _match_braces(text: str) -> dict[int, int]:
    """Return start -> end of each pair of braces."""
    open_at: list[int] = []
    groups: dict[int, int] = {}
    for match in re.finditer(r"[{}]", text):
        if match[0] == "{":
            open_at.append(match.start())
        elif open_at:
            groups[open_at.pop()] = match.end()
    return groups


def _find_latex(text: str, groups: dict[int, int]) -> frozenset[int]:
    """Return the starts of the groups that belong to LaTeX: arguments of commands, exponents, and what is in them."""
    latex: set[int] = set()
    ends: set[int] = set()
    inside_until = 0
    for start, end in sorted(groups.items()):
        is_argument = _LATEX_BEFORE.search(text[max(0, start - _MOST_LATEX) : start]) is not None
        if start < inside_until or is_argument or start in ends:  # `\frac{1}{2}`: an argument follows another
            latex.add(start)
            ends.add(end)
            inside_until = max(inside_until, end)
    return frozenset(latex)

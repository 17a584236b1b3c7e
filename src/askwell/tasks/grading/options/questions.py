"""Read the options that a question lists: lettered, numbered or bulleted lines, or in a line ("A. x B. y")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from askwell.core.errors import DataError
from askwell.tasks.grading.normalize import normalize_answer, visible_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a question."""

    mark: str
    """Its letter or number ("B", "2"); empty for a bullet."""
    text: str


_LETTER_LINE = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+)?(?:\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Z])[.):,]|([a-z])[.)])[ \t]*(\S[^\n]*)", re.MULTILINE
)
_INLINE = re.compile(r"(?<![\w(\[])(?:\(([A-Z])\)|\[([A-Z])\]|([A-Z])[.):])[ \t]*(?=\S)")
_ITEM = re.compile(
    r"^[ \t]*(?:(?:[-*•·–][ \t]*)?(?:\(([A-Za-z]|\d{1,2})\)|\[([A-Za-z]|\d{1,2})\]|([A-Za-z]|\d{1,2})[.):])[ \t]+|"
    r"[-*•·–][ \t]+)(\S[^\n]*)$"
)
_HEADER = re.compile(
    r"^[ \t]*(?:[\w'’]+[ ]){0,4}?(?:options?|choices|labels?|categories|classes|candidates|answers|choose (?:from|"
    r"one of)|"
    r"one of|opciones|etiquetas|categorías|optionen|kategorien|étiquettes|catégories|opções|opzioni|варианты|"
    r"категории|"
    r"选项|選項|类别|標籤|标签|選択肢|カテゴリ|보기|선택지|ตัวเลือก)(?:[ ][^\n:]{0,40})?[ ]*:[ \t]*([^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_SEPARATOR = re.compile(
    r"[ ]*[,;|，；][ ]*(?:(?:or|and|o|y|ou|et|oder|und|или|и)[ ])?|[ ]+(?:or|oder|ou|или|和|或)[ ]+"
)


def lettered_options(question: str) -> tuple[Option, ...]:
    """Return the options with letters: the lettered lines, else "A. x B. y" in a line; empty if a letter repeats."""
    text = visible_text(question)
    lines = [Option(mark="".join(match[:4]).upper(), text=match[4].strip()) for match in _LETTER_LINE.findall(text)]
    options = tuple(_without_inner(lines) if len(lines) > 1 else _inline(text))
    return options if len({option.mark for option in options}) == len(options) else ()


def listed_options(question: str) -> tuple[Option, ...]:
    """Return the options below or behind the last "Options:" of a question, else its lettered or numbered ones."""
    text = visible_text(question)
    for header in reversed(list(_HEADER.finditer(text))):
        if header[1].strip():
            parts = [part.strip(" .\"'[]") for part in _SEPARATOR.split(header[1])]
            listed = lettered_options(header[1]) or tuple(Option(mark="", text=part) for part in parts if part)
        else:
            listed = tuple(_items(text[header.end() :]))
        if len(listed) > 1:
            return listed
    return lettered_options(question) or numbered_options(question)


def numbered_options(question: str) -> tuple[Option, ...]:
    """Return the last list of a question that is numbered from 0 or 1 without a gap."""
    items: list[Option] = []
    for line in visible_text(question).split("\n"):
        match = _ITEM.match(line)
        mark = (match[1] or match[2] or match[3] or "") if match else ""
        if match and mark in ("0", "1") and not (mark == "1" and items and items[-1].mark == "0"):
            items = [Option(mark=mark, text=match[4].strip())]
        elif match and items and mark == str(int(items[-1].mark) + 1):
            items.append(Option(mark=mark, text=match[4].strip()))
    return tuple(items) if len(items) > 1 else ()


def numbered_target(target: str, question: str) -> str:
    """Return the text of the numbered option that a target names by number or text; "" if there is none.

    Raises:
        DataError: The target is a number, and the question lists no options.

    """
    if not question:
        return ""
    wanted = normalize_answer(visible_text(target))
    options = numbered_options(question)
    for option in options:
        if wanted in (option.mark, normalize_answer(option.text)):
            return option.text
    if wanted.isdecimal():
        raise DataError(
            f"target {target!r} is a number, but the question lists no options such as '(A) …'; "
            "put the options into the question, or grade with the metric 'number'"
        )
    return ""


def option_texts(options: tuple[Option, ...]) -> dict[str, str]:
    """Return the options as mark -> normalized text."""
    return {option.mark: normalize_answer(option.text) for option in options}


def _items(text: str) -> Iterator[Option]:
    for line in text.lstrip("\n").split("\n"):
        match = _ITEM.match(line)
        if match is None:
            return
        yield Option(mark=(match[1] or match[2] or match[3] or "").upper(), text=match[4].strip())


def _without_inner(lines: list[Option]) -> Iterator[Option]:
    """Split a line that holds several options ("A. x  B. y" above "C. z  D. w")."""
    for option in lines:
        inner = list(_inline(f"{option.mark}. {option.text}", first=option.mark))
        yield from inner if len(inner) > 1 else [option]


def _inline(text: str, first: str = "A") -> Iterator[Option]:
    """Yield the longest run of options with letters in order, beginning at `first`."""
    marks: list[re.Match[str]] = []
    for match in _INLINE.finditer(text):
        letter = match[1] or match[2] or match[3]
        if letter == (chr(ord(first) + len(marks))):
            marks.append(match)
        elif letter == first:
            marks = [match]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    if len(marks) > 1:
        for mark, end in zip(marks, ends, strict=True):
            content = text[mark.end() : end].split("\n", 1)[0].strip(" \t,;")
            yield Option(mark=mark[1] or mark[2] or mark[3], text=content)

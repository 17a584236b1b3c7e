"""Read ordered answers: word lists (BBH word_sorting) and closing brackets (BBH dyck_languages)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from askwell.core.errors import DataError
from askwell.tasks.grading.answer_markers import answer_regions, find_spans, unbox
from askwell.tasks.grading.normalize import split_sentences, strip_markup, visible_text
from askwell.tasks.grading.reading import read_reply

# A bullet or number at the start of a line
_MARK = re.compile(
    r"^[ \t]*(?:[-*•+·–▪‣◦■●▸►∙][ \t]+|\(?\d{1,3}[.):][ \t]*|\(?(?:[a-z]|[ivx]{2,5})[.)][ \t]+|[①-⑳][ \t]*)",
    re.IGNORECASE,
)
_INLINE_MARK = re.compile(r"(?<!\S)\(?(?:\d{1,3}[.):]|[a-zA-Z][.)])(?=\s)|[①-⑳]")
_BREAK = re.compile(r"[\s,;|→⇒、·•・▪‣◦■●▸►∙]+|(?<=\s)(?:->|=>|-|–|—|<|>|/)(?=\s)|->|=>")
_WORD_EDGE = " \t\n.,;:!?\"'`*_~()[]{}<>“”"
# Words that introduce a repetition of the input, which is no answer
_UNSORTED = re.compile(r"\b(?:original|input|unsorted|given|initial)\b", re.IGNORECASE)
_JOIN = {"and", "then", "&"}

_BRACKETS = "[](){}<>"
_CLOSERS = {"]": "[", ")": "(", "}": "{", ">": "<"}
# Brackets with nothing but spaces, quotes, "and" or "then" between them
_RUN = re.compile(r"[\[\](){}<>](?:[ \t,`'\"*]*(?:(?:and|then)[ \t`'\"*]+){0,2}[\[\](){}<>])*")
# Parentheses that contain text are prose, not part of the sequence
_PROSE = re.compile(r"\([^()\[\]{}<>\n]*[A-Za-z0-9][^()\[\]{}<>\n]*\)|\[[^()\[\]{}<>\n]*[A-Za-z0-9][^()\[\]{}<>\n]*\]")
_TAG = re.compile(r"</?[A-Za-z][\w-]{0,20}>")
_ARROW = re.compile(r"(?<![-=])[-=]{1,8}>|<[-=]{1,8}(?![-=])")
_BOXED = re.compile(
    r"\\boxed[ ]?\{([^\n]{0,400})\}"
)  # up to the line's last brace, because the content itself has braces
_ESCAPED = re.compile(r"\\([{}\[\]()<>])")


def target_words(target: str) -> list[str]:
    """Split a target list at spaces and commas; raise `DataError` if it has no word."""
    words = _words(visible_text(target))
    if not words:
        raise DataError(f"target {target!r} contains no word; the answer type 'words' needs a list of words")
    return words


def find_words(reply: str, target: list[str]) -> tuple[list[str], str]:
    """Return the list of words that a reply gives as its answer, in order, and a note.

    With a target, the answer is the last stated list (else the last list) that has only words of the target, and at
    least half of them. So intermediate steps and remarks are skipped, and any other word disqualifies a list.
    """
    text = strip_markup(read_reply(reply).text)
    for region in answer_regions(text):
        for source, shortest in (
            (_stated, len(target) // 2 + 1),
            (_unstated, len(target)),
            (_unstated, len(target) // 2 + 1),
        ):
            for candidate in source(region):
                for words in _readings(candidate, target):
                    if words and (not target or (len(words) >= shortest and set(words) <= set(target))):
                        return words, ""
    return [], "no list of the expected words found" if target else "no list of words found"


def _readings(candidate: str, target: list[str]) -> Iterator[list[str]]:
    words = _words(candidate)
    joined = [word for word in words if word not in _JOIN]
    if words == target or joined == words:
        yield words
    else:
        yield joined
        yield words


def _words(text: str) -> list[str]:
    lines = [line for line in text.split("\n") if line.strip()]
    marked = len(lines) > 1 and sum(_MARK.match(line) is not None for line in lines) * 2 > len(lines)
    if marked:
        lines = [_MARK.sub("", line) for line in lines]
    flat = " ".join(lines)
    if len(_INLINE_MARK.findall(flat)) > 1:
        flat = _INLINE_MARK.sub(" ", flat)
    parts = (part.strip(_WORD_EDGE).casefold() for part in _BREAK.split(_BREAK.sub(" ", flat)) if part)
    return [part for part in parts if part and part not in {"<", ">", "/", "-", "–", "—"}]


def _stated(text: str) -> Iterator[str]:
    for label in ("", "words"):
        for span in find_spans(text, label):
            if not _UNSORTED.search(text[max(0, span.start - 40) : span.start].rsplit("\n", 1)[-1]):
                yield unbox(span.block)
                yield from _cut(unbox(span.line))


def _unstated(text: str) -> Iterator[str]:
    """Yield possible lists, most reliable first: paragraphs, lines and clauses, last first."""
    paragraphs = [part for part in re.split(r"\n[ \t]*\n", text) if part.strip()]
    for paragraph in reversed(paragraphs[-100:]):
        lines = [line for line in paragraph.split("\n") if line.strip()][-200:]
        if _UNSORTED.search(lines[0][:80]) and len(paragraphs) > 1:
            continue
        yield from _cut(paragraph[-8000:])
        if len(lines) > 1:
            yield "\n".join(lines[1:])
            yield "\n".join(line for line in lines if _MARK.match(line))
        for line in reversed(lines):
            if not _UNSORTED.search(line[:80]):
                yield from _cut(line[-8000:])


def _cut(text: str) -> Iterator[str]:
    """Yield the whole text, the text after its last colons and "is"/"are", then its sentences."""
    yield text
    for mark in (r":(?=\s|$)", r"\b(?:is|are|be)\b:?", r"\border\b,?"):
        ends = [match.end() for match in re.finditer(mark, text)]
        for end in reversed(ends[-3:]):
            yield text[end:]
            yield from split_sentences(text[end : end + 4000])[:1]
    parts = split_sentences(text[-4000:])
    yield from reversed([*parts[:1], *parts[-5:]])


def target_brackets(target: str) -> str:
    """Return only the brackets of a target; raise `DataError` if there are none."""
    brackets = _only_brackets(visible_text(target))
    if not brackets:
        raise DataError(
            f"target {target!r} contains no bracket; the answer type 'brackets' needs a sequence of ()[]{{}}<>"
        )
    return brackets


def find_brackets(reply: str, question: str) -> tuple[str, str]:
    """Return a reply's bracket sequence, without spaces and without a repeated input at its start, and a note."""
    text = _ESCAPED.sub(r"\1", _BOXED.sub(r"\nAnswer: \1\n", _bare(read_reply(reply).text)))
    given = max((_only_brackets(run) for run in _runs(_bare(visible_text(question)))), key=len, default="")
    for region in answer_regions(text):
        for span in find_spans(region):
            if runs := _runs(line := span.line):
                return _without_input(
                    _only_brackets(runs[0] if _pure(line, runs[0]) or len(runs) == 1 else _best(runs)), given
                ), ""
        lines = [_MARK.sub("", line).strip() or line.strip() for line in region.split("\n") if line.strip()]
        whole = [line for line in lines if not line.strip(_BRACKETS + " \t,`'\"*.$")]
        if whole and len(whole) == len(lines):
            return _without_input(_only_brackets("".join(lines)), given), ""
        if lines and whole and (lines[0] in whole or len(lines) == 1):
            return _without_input(
                _only_brackets(lines[0] if lines[0] in whole and len(whole) == 1 else whole[-1]), given
            ), ""
        if whole:
            return _without_input(_only_brackets(whole[-1]), given), ""
        for part in reversed(lines):
            if runs := _runs(part):
                return _without_input(_only_brackets(_best(runs)), given), "last bracket sequence of the reply"
    return "", "no bracket sequence found"


def same_brackets(answer: str, target: str) -> bool:
    """Compare sequences; a balanced sequence that ends in the target is also right (the reply repeats its input)."""
    if answer == target:
        return True
    return answer.endswith(target) and len(answer) > len(target) and _is_balanced(answer) and answer[0] in "[({<"


def _bare(text: str) -> str:
    return _ARROW.sub(" ", _TAG.sub(" ", strip_markup(text)))


def _runs(line: str) -> list[str]:
    spaced = _PROSE.sub(" ", line)
    return [match[0] for match in _RUN.finditer(spaced)]


def _best(runs: list[str]) -> str:
    closing = [run for run in runs if run.strip()[0] in _CLOSERS]
    return (closing or runs)[-1]


def _pure(line: str, run: str) -> bool:
    return line.lstrip(" \t`'\"*$:").startswith(run[0])


def _only_brackets(text: str) -> str:
    return "".join(character for character in text if character in _BRACKETS)


def _without_input(answer: str, given: str) -> str:
    return answer[len(given) :] if given and answer.startswith(given) and len(answer) > len(given) else answer


def _is_balanced(text: str) -> bool:
    stack: list[str] = []
    for character in text:
        if character in _CLOSERS:
            if not stack or stack.pop() != _CLOSERS[character]:
                return False
        else:
            stack.append(character)
    return not stack

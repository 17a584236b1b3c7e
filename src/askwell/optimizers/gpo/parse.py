"""Parse the new prompt from a reply of the optimizer model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from askwell.core.placeholders import INPUT, INPUT_NAMES, replace_placeholders

START_TAG = re.compile(r"<\s*START\s*>", re.IGNORECASE)
END_TAG = re.compile(r"<\s*(?:/?\s*END|/\s*START)\s*>", re.IGNORECASE)  # models often close the tag as in XML
_OTHER_OPEN = re.compile(r"<\s*NEW_PROMPT\s*>", re.IGNORECASE)
_OTHER_CLOSE = re.compile(r"<\s*/\s*NEW_PROMPT\s*>", re.IGNORECASE)
_SHOWN = r"(?:prompt|current|entry|parent|new_prompt)"
"""Tags in which a request shows prompts; models copy them around their own."""
_Tags = tuple[re.Pattern[str], re.Pattern[str]]
_ASKED_TAGS: _Tags = (START_TAG, END_TAG)
_SHOWN_TAGS: _Tags = (
    re.compile(rf"<\s*{_SHOWN}\s*>", re.IGNORECASE),
    re.compile(rf"<\s*/\s*{_SHOWN}\s*>", re.IGNORECASE),
)
_SHOWN_SCORE = re.compile(r"(?<=>)\s*<score>[^<]*</score>\s*\Z", re.IGNORECASE)
_SHOWN_BLOCK = re.compile(rf"^[ \t]*<({_SHOWN})>(.*?)</\1>[ \t]*$", re.IGNORECASE | re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_PAIRS = (("***", "***"), ("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"), ("`", "`"))
_QUOTES = (('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"))


def parse_prompt(reply: str, *, speaks_of_tags: bool = False) -> str:
    """Return the prompt in a reply, without tags, markdown emphasis, fences and quotes; "" if empty.

    It stands between <START> and <END>, which may be nested: of the outermost pairs the last counts, because models
    that reason in the reply mention the tags before they use them. Without a tag, the text extends to the reply's start
    or end. Names of the question in braces become `{input}`.

    `speaks_of_tags`: the prompts of the request speak of these tags themselves. It then asked for <NEW_PROMPT> tags,
    and between <START> and <END> all else belongs to the prompt. Never raises.
    """
    text = _extract_between(reply, _OTHER_OPEN, _OTHER_CLOSE) if speaks_of_tags else None
    if text is None:
        text = (_extract_outermost if speaks_of_tags else _extract_tagged)(reply)
    text = text.strip()
    wrapping = (_SHOWN_TAGS,) if speaks_of_tags else (_ASKED_TAGS, _SHOWN_TAGS)
    while (shorter := _unwrap(_strip_wrapping_tags(text, wrapping)).strip()) != text:
        text = shorter
    return replace_placeholders(text, INPUT_NAMES, INPUT)


def _extract_tagged(text: str) -> str:
    pairs = _find_pairs(text)
    if pairs:
        filled = [text[start:end] for start, end in pairs if _strip_tags(text[start:end])]
        return filled[-1] if filled else ""
    if start := list(START_TAG.finditer(text)):
        after = text[start[-1].end() :]
        return after if after.strip() or len(start) > 1 else text[: start[-1].start()]
    if end := END_TAG.search(text):
        return text[: end.start()]
    shown = _SHOWN_BLOCK.findall(text)
    return shown[-1][1] if shown else text


def _find_pairs(text: str) -> list[tuple[int, int]]:
    """Return where the text of each outermost <START>…<END> begins and ends."""
    tags = sorted((*START_TAG.finditer(text), *END_TAG.finditer(text)), key=lambda tag: tag.start())
    open_tags: list[re.Match[str]] = []
    pairs: list[tuple[int, int]] = []
    for tag in tags:
        if START_TAG.fullmatch(tag[0]):
            open_tags.append(tag)
        elif open_tags:
            start = open_tags.pop().end()
            pairs = [pair for pair in pairs if pair[0] < start] + [(start, tag.start())]
    return pairs


def _extract_outermost(text: str) -> str:
    """Return the text from the first <START> to the last <END>."""
    inner = _extract_between(text, START_TAG, END_TAG)
    return text if inner is None else inner


def _extract_between(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str | None:
    """Return the text from the first opening to the last closing tag, or to the end; None without an opening tag."""
    start = opening.search(text)
    if start is None:
        return None
    ends = [end.start() for end in closing.finditer(text, start.end())]
    return text[start.end() : ends[-1] if ends else len(text)]


def _strip_tags(text: str) -> str:
    return END_TAG.sub("", START_TAG.sub("", text)).strip()


def _strip_wrapping_tags(text: str, wrapping: Sequence[_Tags]) -> str:
    """Remove tags around the whole text; one without its partner, too."""
    for opening, closing in wrapping:
        text = _SHOWN_SCORE.sub("", text).strip()
        opened, closed = len(opening.findall(text)), len(closing.findall(text))
        first, ends = opening.match(text), list(closing.finditer(text))
        last = ends[-1] if ends and ends[-1].end() == len(text) else None
        if first and (last or closed < opened):
            text = text[first.end() :]
        if last and (first or opened < closed):
            text = text[: len(text) - len(last[0])]
    return text.strip()


def _unwrap(text: str) -> str:
    if fenced := _FENCE.fullmatch(text):
        return fenced[1]
    for opening, closing in (*_PAIRS, *_QUOTES):
        inner = text[len(opening) : len(text) - len(closing)]
        wrapped = text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing)
        if wrapped and opening not in inner and closing not in inner:
            return inner
    for mark in ("**", "__", "```"):  # half of a pair: the other half was outside the tags
        if text.count(mark) == 1 and (text.startswith(mark) or text.endswith(mark)):
            return text.removeprefix(mark).removesuffix(mark)
    return "" if text and not text.strip("*_`\"'“”‘’«» \t\n") else text

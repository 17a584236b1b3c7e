"""Parse the new prompt from a reply of the optimizer model."""

from __future__ import annotations

import re

_OPEN = r"<\s*START\s*>"
_CLOSE = r"<\s*(?:/?\s*END|/\s*START)\s*>"  # models often close the tag as in XML
_TAGGED = re.compile(rf"{_OPEN}((?:(?!{_OPEN}).)*?){_CLOSE}", re.IGNORECASE | re.DOTALL)
_START = re.compile(_OPEN, re.IGNORECASE)
_END = re.compile(_CLOSE, re.IGNORECASE)
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_PAIRS = (("***", "***"), ("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"), ("`", "`"))
_QUOTES = (('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"))


def parse_prompt(reply: str) -> str:
    """Return the text between <START> and <END>, without markdown emphasis, fences and quotes; "" if empty.

    Of several pairs the last counts: models that reason in the reply mention the tags before they use them. Without a
    tag, the text extends to the reply's start or end. Never raises; parsing the result again changes nothing.
    """
    text = reply
    while (shorter := _unwrap(_extract_tagged(text).strip()).strip()) != text:
        text = shorter
    return text


def _extract_tagged(text: str) -> str:
    if pairs := _TAGGED.findall(text):
        filled = [pair for pair in pairs if pair.strip()]
        return filled[-1] if filled else ""
    if start := list(_START.finditer(text)):
        after = text[start[-1].end() :]
        return after if after.strip() or len(start) > 1 else text[: start[-1].start()]
    if end := _END.search(text):
        return text[: end.start()]
    return text


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

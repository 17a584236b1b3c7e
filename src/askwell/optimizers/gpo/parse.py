"""Read the new prompt out of an optimizer model's reply."""

from __future__ import annotations

import re

_OPEN = r"<\s*START\s*>"
_CLOSE = r"<\s*(?:/?\s*END|/\s*START)\s*>"  # models like to close tags in the manner of XML
_TAGGED = re.compile(rf"{_OPEN}((?:(?!{_OPEN}).)*?){_CLOSE}", re.IGNORECASE | re.DOTALL)
_START = re.compile(_OPEN, re.IGNORECASE)
_END = re.compile(_CLOSE, re.IGNORECASE)
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_PAIRS = (("***", "***"), ("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"), ("`", "`"))
_QUOTES = (('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"))


def parse_prompt(reply: str) -> str:
    """Return the text between <START> and <END>, bare of markdown emphasis, fences and quotes; "" if nothing is left.

    Of several pairs the last counts, as models that think aloud name the tags before they use them. A missing tag
    falls back to the reply's start or end. Never raises, and reading twice changes nothing.
    """
    text = reply
    while (shorter := _unwrapped(_between_tags(text).strip()).strip()) != text:
        text = shorter
    return text


def _between_tags(text: str) -> str:
    if pairs := _TAGGED.findall(text):
        filled = [pair for pair in pairs if pair.strip()]
        return filled[-1] if filled else ""
    if start := list(_START.finditer(text)):
        after = text[start[-1].end() :]
        return after if after.strip() or len(start) > 1 else text[: start[-1].start()]
    if end := _END.search(text):
        return text[: end.start()]
    return text


def _unwrapped(text: str) -> str:
    if fenced := _FENCE.fullmatch(text):
        return fenced[1]
    for opening, closing in (*_PAIRS, *_QUOTES):
        inner = text[len(opening) : len(text) - len(closing)]
        wrapped = text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing)
        if wrapped and opening not in inner and closing not in inner:
            return inner
    for mark in ("**", "__", "```"):  # half of a pair, left behind where a tag cut through it
        if text.count(mark) == 1 and (text.startswith(mark) or text.endswith(mark)):
            return text.removeprefix(mark).removesuffix(mark)
    return "" if text and not text.strip("*_`\"'“”‘’«» \t\n") else text

"""Read the one option that a reply marks when it repeats the list: by a sign, "(correct)", an arrow or bold type."""

from __future__ import annotations

import re

from askwell.tasks.grading.options.letters import find_mentions

_RIGHT_SIGN = "[✓✔✅☑🟢👍]"
_LINE = re.compile(
    rf"^[ \t>]*(?:[-*•+][ \t]+)?(?P<bold>\*\*|__)?(?P<sign>{_RIGHT_SIGN}️?[ ]*)?"
    r"(?:\((?P<a>[A-Z])\)|\[(?P<b>[A-Z])\]|(?P<c>[A-Z])[.):])(?P<rest>[^\n]*)$",
    re.MULTILINE,
)
_MARK = re.compile(
    rf"{_RIGHT_SIGN}|[(\[](?:the )?(?:correct|right|my)(?: answer| option| choice)?[)\]]|[(\[]answer[)\]]|"
    r"[(（](?:正确|正確|正解|对|정답)(?:答案)?[)）]|(?:<[-=]{1,3}|←|⬅)",
    re.IGNORECASE,
)


def marked_option(text: str) -> str:
    """Return the letter of the only marked line in a list of options, else ""; a letter named below the list counts.

    `text` still has its Markdown.
    """
    lines = list(_LINE.finditer(text))
    letters = [line["a"] or line["b"] or line["c"] for line in lines]
    if len(lines) < 2 or len(set(letters)) < len(letters) or any(find_mentions(text[lines[-1].end() :])):
        return ""
    for is_marked in (_has_mark, _is_bold):
        marked = [letter for letter, line in zip(letters, lines, strict=True) if is_marked(line)]
        if marked:
            return marked[0] if len(marked) == 1 else ""
    return ""


def _has_mark(line: re.Match[str]) -> bool:
    return line["sign"] is not None or _MARK.search(line["rest"][:1_000]) is not None


def _is_bold(line: re.Match[str]) -> bool:
    return line["bold"] is not None and line["rest"].rstrip().endswith(line["bold"])

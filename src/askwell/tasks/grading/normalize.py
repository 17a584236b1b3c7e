"""Normalize a model's text: without thinking blocks and markup, with unified characters."""

from __future__ import annotations

import html
import re
import unicodedata

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u205f\u3000", " "),
        **dict.fromkeys("\u202f\u2009", "\u2009"),  # thin spaces are kept: they group thousands
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f", ""),
        **dict.fromkeys("\u2212\ufe63\uff0d\u2010\u2011\u2012\ufe58", "-"),
        **dict.fromkeys("\u2018\u2019\u02bc\u2032\uff07", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u2033\uff02", '"'),
        **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if code not in (0xFF02, 0xFF07, 0xFF0D)},
        "\u3002": ".",
        "\u3001": ",",
        "\u27e8": "<",
        "\u27e9": ">",
        "\u3008": "<",
        "\u3009": ">",
        "\u3010": "[",
        "\u3011": "]",
        "\r": "\n",
        "\u2028": "\n",
        "\u2029": "\n\n",
        "\x0b": "\n",
        "\x0c": "\n",
        "\x85": "\n",
    }
)

_THINKING = "think|thinking|thought|reasoning|scratchpad|reflection"
_THOUGHT_TAG = re.compile(rf"<(/?)\s*(?:{_THINKING})\s*>", re.IGNORECASE)
_FOREIGN_DIGIT = re.compile(r"[^\x00-\x7f]")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|nbsp|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
_NEXT_TURN = re.compile(r"\n[ \t]*(?:\*\*)?(?:Q|Question|User|Human)(?:\*\*)?[ \t]*\d{0,3}[ \t]*:", re.IGNORECASE)

_STRONG = re.compile(r"(?<![0-9*])\*{2,3}|\*{2,3}(?![0-9*])|(?<!\w)_{2,3}|_{2,3}(?!\w)")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]{0,300}[^\s*])\*(?![\w*])")
_ITALIC = re.compile(r"(?<!\w)_(?=[^\s_])([^_\n]{0,300}[^\s_])_(?!\w)")
_HEADING = re.compile(r"^[ \t]{0,3}(?:#{1,3}|#{5,6}|####(?![ \t]*[-+$\\]*\.?\d))[ \t]+", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.MULTILINE)
_QUOTE_MARK = re.compile(r"^[ \t]*>[ \t]+(?=[A-Za-z*])", re.MULTILINE)

_LATEX_WRAP = re.compile(
    r"\\(?:text|textbf|textit|textrm|texttt|mathrm|mathbf|mathit|mathsf|mathtt|operatorname|mbox|emph|bm)\s*"
    r"\{((?:[^{}\\]|\\.)*)\}"
)
_LATEX_WORDS = {
    r"\times": "×", r"\cdot": "×", r"\div": "÷", r"\approx": "≈", r"\left": "", r"\right": "", r"\quad": " ",
    r"\qquad": " ", r"\langle": "<", r"\rangle": ">", r"\lbrace": "{", r"\rbrace": "}", r"\lbrack": "[",
    r"\rbrack": "]", r"\circ": "°", r"\degree": "°", r"\displaystyle": "", r"\rightarrow": "→", r"\to": "→",
    r"\Rightarrow": "→", r"\implies": "→", r"\lt": "<", r"\gt": ">", r"\therefore": "so", r"\pounds": "£",
    r"\euro": "€", r"\bf": "", r"\rm": "",
}  # fmt: skip
_LATEX_WORD = re.compile(r"\\[A-Za-z]+")
_LATEX_SPACE = re.compile(r"\\[!,;: ]|(?<=\d)\{,\}(?=\d)")

_SENTENCE_END = re.compile(r"\n+|(?<=[.!?])[\"')\]*`$]{0,4}[ \t]+(?=[^a-z \t])|(?<=[.!?])[ \t]+(?=[a-z]{2})")
_ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|st|vs|approx|e\.g|i\.e)\.$", re.IGNORECASE)
_OUTER = " \t\n.,;:!?\"'`*_~"
_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}


def visible_text(reply: str) -> str:
    """Remove thinking blocks and unify spaces, dashes, quotes and digits; keep markup.

    An unclosed block extends to the end of the reply (the model ran out of tokens while thinking). A closing tag alone
    ends a block that started in the prompt, so the text before it is removed.
    """
    text = reply.replace("\r\n", "\n").translate(_CHARACTERS)
    text = _FOREIGN_DIGIT.sub(_plain_digit, text)
    return _ENTITY.sub(lambda match: html.unescape(match[0]), _without_thinking(text)).strip()


def first_turn(text: str) -> str:
    r"""Return the text before the next question that a base model invents ("\\nQ: …")."""
    turn = _NEXT_TURN.search(text)
    return text[: turn.start()] if turn and text[: turn.start()].strip() else text


def strip_markup(text: str) -> str:
    """Remove Markdown marks (not their content) and simple LaTeX formatting."""
    text = _FENCE.sub("", text)
    text = _QUOTE_MARK.sub("", text)
    text = _STRONG.sub("", text)
    text = _EMPHASIS.sub(r"\1", text)
    text = _ITALIC.sub(r"\1", text)
    text = _HEADING.sub("", text)
    return strip_latex(text) if "\\" in text else text


def strip_latex(text: str) -> str:
    r"""Unwrap `\text{…}`, replace symbols by characters, remove spacing. Fractions and boxes are kept."""
    for _ in range(4):  # nested \text{\textbf{…}}; deeper nesting does not occur
        unwrapped = _LATEX_WRAP.sub(r" \1 ", text)
        if unwrapped == text:
            break
        text = unwrapped
    text = _LATEX_SPACE.sub(lambda match: "," if match[0] == "{,}" else (" " if match[0][1] in " ;:" else ""), text)
    return _LATEX_WORD.sub(lambda match: _LATEX_WORDS.get(match[0], match[0]), text)


def split_sentences(text: str) -> list[str]:
    """Split at line ends and full stops, but not within "3.5", "Mr. Smith" and "approx. 7"."""
    parts: list[str] = []
    held = ""
    for part in _SENTENCE_END.split(text):
        held = f"{held} {part}".strip() if held else part.strip()
        if held and not (_ABBREVIATION.search(held[-12:]) and len(held) > 2):
            parts.append(held)
            held = ""
    return [*parts, held] if held else parts


def strip_outer(text: str) -> str:
    """Remove outer whitespace, quotes, sentence punctuation, emphasis, and brackets around the whole."""
    while True:
        bare = text.strip(_OUTER)
        if len(bare) > 2 and _PAIRS.get(bare[0]) == bare[-1] and not set(bare[1:-1]) & {bare[0], bare[-1]}:
            bare = bare[1:-1]
        if bare == text:
            return text
        text = bare


def normalize_answer(text: str) -> str:
    """Return free text for comparison: casefolded, single spaces, without markup and outer punctuation."""
    flat = " ".join(strip_markup(text).split())
    return (strip_outer(flat) or flat).casefold()


def _plain_digit(match: re.Match[str]) -> str:
    return str(unicodedata.decimal(match[0], match[0]))


def _without_thinking(text: str) -> str:
    kept: list[str] = []
    start, depth = 0, 0
    for tag in _THOUGHT_TAG.finditer(text):
        if not tag[1]:
            if depth == 0:
                kept.append(text[start : tag.start()])
            depth += 1
        elif depth <= 1:
            if depth == 0:  # a closing tag alone: all text before it was thinking
                kept.clear()
            depth, start = 0, tag.end()
        else:
            depth -= 1
    return "\n".join([*kept, text[start:]] if depth == 0 else kept)

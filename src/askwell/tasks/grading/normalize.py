"""Normalize a model's text: without thinking blocks and markup, with unified characters."""

from __future__ import annotations

import html
import re
import unicodedata

from askwell.core.text import UNSPACED
from askwell.tasks.grading.reply.hidden_text import remove_hidden

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u205f\u3000", " "),
        **dict.fromkeys("\u202f\u2009", "\u2009"),  # thin spaces are kept: they group thousands
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f", ""),
        **dict.fromkeys("\u2212\ufe63\uff0d\u2010\u2011\u2012\ufe58", "-"),
        **dict.fromkeys("\u2018\u2019\u02bc\u2032\uff07", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u2033\uff02", '"'),
        **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if code not in (0xFF02, 0xFF07, 0xFF0D)},
        **dict.fromkeys("\u3002\uff61\u06d4\u0964\u0965\u104b\u1362\u0589\u17d4", "."),
        **dict.fromkeys("\u3001\uff64\u060c\u104a\u1363", ","),
        "\u061f": "?",
        "\u061b": ";",
        "\u066a": "%",
        "\u066b": ".",
        "\u066c": ",",
        **dict.fromkeys("\u300c\u300d\u300e\u300f", '"'),
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

_FOREIGN_DIGIT = re.compile(r"[^\D0-9]")
# A space after a full stop or comma of these scripts, so that "12。3" is no decimal number and "对吗？不" two sentences
_UNSPACED_STOP = re.compile("([。｡۔।॥။።։។、､،၊፣？！；]|，(?!\\d{3}(?!\\d)))(?=[^\\s\"'*_`」』”’）)\\]}])")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|nbsp|#\d{1,6}|#x[0-9a-fA-F]{1,5});")

_STRONG = re.compile(r"(?<![0-9*])\*{2,3}|\*{2,3}(?![0-9*])|(?<!\w)_{2,3}|_{2,3}(?!\w)")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]{0,300}[^\s*])\*(?![\w*])")
_ITALIC = re.compile(r"(?<!\w)_(?=[^\s_])([^_\n]{0,300}[^\s_])_(?!\w)")
_HEADING = re.compile(r"^[ \t]{0,3}(?:#{1,3}|#{5,6}|####(?![ \t]*[-+$\\]*\.?\d))[ \t]+", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.MULTILINE)
_QUOTE_MARK = re.compile(r"^[ \t]*>[ \t]+(?=[A-Za-z*])", re.MULTILINE)

_HTML = re.compile(r"</?(?:b|i|u|em|strong|mark|code|span|p|div|center|h[1-6])(?:[ ][^<>]{0,100})?>", re.IGNORECASE)
_LINE_BREAK = re.compile(r"<br[ ]?/?>", re.IGNORECASE)

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
# "你好，世界" and "你好, 世界" are one text
_INNER_SPACE = re.compile(rf"(?<=[{UNSPACED}][,.!?]) (?=[{UNSPACED}])")
_OUTER = " \t\n.,;:!?\"'`*_~"
_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}


def visible_text(reply: str) -> str:
    """Return the message to the user with unified characters (Unicode NFC, ASCII punctuation and digits) and markup."""
    return unify_characters(remove_hidden(unicodedata.normalize("NFC", reply)))


def unify_characters(text: str) -> str:
    """Replace spaces, dashes, quotes, digits and punctuation of all scripts by the ASCII ones, and HTML entities."""
    text = _UNSPACED_STOP.sub(r"\1 ", text.replace("\r\n", "\n")).translate(_CHARACTERS)
    text = _FOREIGN_DIGIT.sub(lambda match: str(unicodedata.decimal(match[0])), text)
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text).strip()


def strip_markup(text: str) -> str:
    """Remove Markdown and HTML marks (not their content) and simple LaTeX formatting."""
    text = _FENCE.sub("", text)
    text = _QUOTE_MARK.sub("", text)
    text = _STRONG.sub("", text)
    text = _EMPHASIS.sub(r"\1", text)
    text = _ITALIC.sub(r"\1", text)
    text = _HEADING.sub("", text)
    if "<" in text:
        text = _HTML.sub("", _LINE_BREAK.sub("\n", text))
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
    flat = _INNER_SPACE.sub("", " ".join(strip_markup(text).split()))
    return (strip_outer(flat) or flat).casefold()

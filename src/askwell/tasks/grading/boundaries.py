r"""Word boundaries in every script: where a word, a letter or a number begins and ends.

`\b` and `\w` of `re` treat Chinese, Thai and Korean text without spaces as one word, so they find no "12" in
"答案是12" and no "B" in "정답은 B입니다". The fragments below treat a Latin letter or a digit as part of
a word only next to letters that form words with them.
"""

from __future__ import annotations

import re

from askwell.core.text import UNSPACED

JOINING = (
    "0-9A-Za-z_\u00aa\u00b2\u00b3\u00b5\u00b9\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0300-\u052f"
    "\u0531-\u0556\u0560-\u0588\u10a0-\u10ff\u1e00-\u1fff\u2070-\u209c\u2c60-\u2c7f\ua720-\ua7ff"
)
"""Characters that form one word with a Latin letter or a digit beside them, as the inside of a character class.

They are digits and the letters of the Latin, Greek, Cyrillic, Armenian and Georgian alphabets. Letters of other scripts
(Han, kana, Hangul, Thai, Arabic, Hebrew, Devanagari, …) stand beside "12" or "B" without forming a word with it.
"""

STARTS_WORD = rf"(?<![{JOINING}])"
r"""Regex: no joining character before. It replaces `\b` or `(?<!\w)` before a Latin letter or a digit."""
ENDS_WORD = rf"(?![{JOINING}])"
r"""Regex: no joining character after. It replaces `\b` or `(?!\w)` after a Latin letter or a digit."""

_HANGUL = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7af"
# `\w` does not match the marks of Hebrew, Arabic and Indic letters; U+0964 and U+0965 are full stops
_MARKS = "\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_WORD = rf"(?:[^\W{UNSPACED}]|[{_MARKS}])"
_UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")
_HANGUL_CHARACTER = re.compile(f"[{_HANGUL}]")
_JOINING_CHARACTER = re.compile(f"[{JOINING}]")
_CLITIC_SCRIPT = re.compile("[\u05d0-\u05ea\u0620-\u064a]")
# Particles and the copula, which Korean writes onto a noun
_PARTICLES = (
    "(?:입니다|이었습니다|였습니다|이에요|예요|이라고|라고|이라는|라는|이다|이며|이고|이랑|랑|에서|에게|에는|에|은|는|이|가|을|를|"
    "의|도|만|와|과|으로|로|까지|부터|보다|처럼|마다|조차|밖에|께서|하고|인|임|네요|지요|죠|요|들|님)"
)
# Conjunctions and prepositions of one letter, which Arabic and Hebrew write onto a noun
_CLITICS = "[\u0648\u0641\u0628\u0643\u0644\u05d5\u05d1\u05dc\u05d4\u05de\u05e9\u05db]"


def is_unspaced(character: str) -> bool:
    """Return whether a character belongs to a script that puts no spaces between words."""
    return _UNSPACED_CHARACTER.match(character) is not None


def whole_word(text: str) -> str:
    """Return a regex that finds `text` as a whole word or phrase, in any script and with any white space in it.

    Scripts without spaces have no word boundary. A Korean word may carry particles, an Arabic or Hebrew word a prefix
    of one or two letters.
    """
    parts = text.split()
    if not parts:
        return r"(?!)"
    return bounded(text.strip(), r"\s+".join(re.escape(part) for part in parts))


def bounded(text: str, pattern: str) -> str:
    """Return `pattern`, which matches spellings of `text`, with the word boundaries that `text` needs."""
    return _start(text) + pattern + _end(text[-1])


def _start(text: str) -> str:
    first = text[0]
    if is_unspaced(first) or not re.match(_WORD, first):
        return ""
    if _JOINING_CHARACTER.match(first):
        return STARTS_WORD
    if _HANGUL_CHARACTER.match(first):
        return f"(?<![{_HANGUL}])"
    prefix = f"{_CLITICS}{{0,2}}" if _CLITIC_SCRIPT.match(first) and len(text) > 2 else ""
    return f"(?<!{_WORD}){prefix}"


def _end(last: str) -> str:
    if is_unspaced(last) or not re.match(_WORD, last):
        return ""
    if _JOINING_CHARACTER.match(last):
        return ENDS_WORD
    if _HANGUL_CHARACTER.match(last):
        return f"(?={_PARTICLES}{{0,3}}(?![{_HANGUL}]))"
    return f"(?!{_WORD})"

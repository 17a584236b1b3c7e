"""Find the option letters that a text mentions; the article "A" and the pronoun "I" do not count as letters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from askwell.tasks.grading.boundaries import JOINING
from askwell.tasks.grading.vocabulary import foreign_letters

# Every way to mention a letter. A bare capital is the weakest one: it may be an initial, an article or a pronoun.
_MENTION = re.compile(
    r"(?<![\w(\[])(?P<paren>[(\[{][ ]?([A-Za-z])[ ]?[)\]}])(?![\w(])"
    rf"|(?:\b(?:option|choice|letter)(?:s(?=\W)|(?!s\b))|"
    rf"{foreign_letters.OPTION_WORDS})[ ]?[:#]?[ ]?[\"'(]?(?P<named>[A-Za-z])(?![\w'+#])"
    r"|^[ \t]*(?P<line>[A-Za-z])[ ]?[).:](?=\s|$)"
    r"|(?<![\w'.\\/+-])(?P<bare>[A-Z])(?![\w'’+#]|-\w|\.\w)",
    re.MULTILINE | re.IGNORECASE,
)
# A letter at the start of a text, after words such as "the answer is definitely option"
_LEAD = re.compile(
    r"(?:[^\w(\[{]|[(\[{](?![ ]?[A-Za-z][ ]?[)\]}])|\b(?:the|my|is|are|be|option|choice|answer|letter|statement|"
    r"sentence|"
    r"definitely|clearly|probably|likely|most|therefore|thus|so|it|it's|that|that's|indeed|simply|just|either|both|"
    r"final|"
    r"correct|best|i|think|believe|would|say|choose|pick|select|go|with|i'd|i'll|"
    rf"{foreign_letters.FILLERS})\b(?=[ :*])|{foreign_letters.OPTION_WORDS}(?=[ :*]))*?"
    r"(?:[(\[{][ ]?([A-Za-z])[ ]?[)\]}]|([A-Za-z])(?![\w'’+#]|\.\w|-\w))",
    re.IGNORECASE,
)
# What may follow the letter A, so that "A good answer" does not name option A
_AFTER_WORD = re.compile(
    r"[)\]}\"'*]*(?:[ ]*(?:$|[.,;:!?\n)—–=]|-[ ])|[ ]+(?:because|since|as|for|due|given|based|is|was|would|and|"
    r"or|but|not|"
    r"with|instead|seems|"
    rf"{foreign_letters.AFTER_A}|\()(?!\w)|[ ]*"
    rf"[^\W{JOINING}]|[ ]*[&+/][ ]*[(]?[A-Z]\b|[ ]?\((?=(?:[A-Z]|because|since|as|not|while|option|the)\b))",
    re.IGNORECASE,
)
_AFTER_I = re.compile(r"[ ]*(?:$|[.;:!?\n)]|,[ ]*(?:because|since|as)\b)|[ ]+(?:because|since|is)\b", re.IGNORECASE)
_CLAUSE = r"(?:(?!\b(?:because|since|as|but|while|so|and)\b)[^.,;()\n]){0,60}?"
_ALSO = r"(?:[ ]*(?:,|and|or|nor|&)[ ]*(?:and[ ]+|or[ ]+)?[(]?[A-Z]\b[)]?){0,8}"
# "B is the correct option" after a letter
_RIGHT = re.compile(
    rf"[)\]}}\"'.:]*{_CLAUSE}(?:\bis|'s|\bseems|\bmust be|\bwould be|\blooks)(?: to be)? (?:(?:the|a|my|most|"
    rf"more|likely|therefore|"
    rf"thus|definitely|clearly|indeed|only|also|one)\b ?){{0,4}}(?:correct|right|best|better|answer|true|appropriate|"
    rf"accurate|fits|option|choice)\b"
    rf"|[)\]}}\"'.:]*[ ]best[ ](?:\w+s|matches|answers)\b",
    re.IGNORECASE,
)
# "B cannot be right" after a letter
_WRONG = re.compile(
    rf"[)\]}}\"']*{_ALSO}{_CLAUSE}(?:\b(?:is|are|was|were|seems?|be|looks?)\b[ ](?:(?:both|all|also|clearly|"
    rf"obviously|therefore|thus|"
    rf"definitely|simply|just|the|an?)[ ]){{0,3}}(?:not|wrong|incorrect|false|invalid|eliminated|ruled|out|"
    rf"unlikely|impossible|too|"
    rf"excluded|irrelevant|inaccurate|never|no)\b|n't\b|\bcannot\b|\b(?:do|does|did|can|could|will|would)[ ]not\b)",
    re.IGNORECASE,
)
# "so I pick" before a letter
_CHOSEN_BEFORE = re.compile(
    r"(?:\b(?:so|therefore|thus|hence|choose|chose|pick|picked|select|selected|go with|going with|must be|"
    r"should be|would be|"
    r"has to be|it's|it is|that's|is|think|believe|leaves|leaving|only|say)|"
    r"→)[ ]*,?[ ]*(?:that[ ]+)?(?:(?:the )?(?:correct |right |best )?"
    r"(?:answer|option|choice)[ ]*)?(?:is|it's|it is|must be)?[ ]*"
    r"(?:(?:actually|really|clearly|definitely|probably)[ ])?[:,]?[ ]*[\"'(]*$",
    re.IGNORECASE,
)
# "rather than option" before a letter
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|eliminat\w+|rul(?:e|es|ed|ing) out|rather than|instead of|unlike|than|neither|nor|excluding|"
    r"except|reject\w*|"
    r"discard\w*|over)|n't)[ ]+(?:be[ ]+)?(?:the answer[ ]+)?(?:options?|choices?|is)?[ ]*[\"'(]*$",
    re.IGNORECASE,
)
# "one might say" before a letter
_SUPPOSED = re.compile(
    r"\b(?:might|may|could|would be tempted to|tempting to)[ ](?:\w+[ ])?\w+[ ]*[\"'(]*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A letter that a text names as an option."""

    letter: str
    strong: bool
    """With a mark ("(B)", "option B"), not a bare capital."""
    start: int
    chosen: bool
    """The words around it say that it is the answer."""
    denied: bool
    """The words around it say that it is not the answer."""


def leading_letter(text: str) -> tuple[str, int]:
    """Return the letter at the start of `text`, after filler such as "option", and the position where it ends."""
    match = _LEAD.match(text[:200])
    if match is None:
        return "", 0
    if match[1]:
        return match[1].upper(), match.end(1)
    letter, after = match[2], text[match.end() :]
    closed = re.match(r"[ ]?[.):\"'*\]}]*(?=\s|$)(?:[ ]*$|[ ]*\n|(?<=[.):])\s)|[),]|[ ]+(?:because|since)\b", after)
    if letter.islower():
        return (letter.upper(), match.end()) if closed and (letter != "i" or not after.strip(" .)")) else ("", 0)
    return (letter, match.end()) if is_letter(letter, after) else ("", 0)


def is_letter(letter: str, after: str) -> bool:
    """Return whether a bare "A" or "I" is an option by what follows it; every other letter is."""
    if letter == "I":
        return _AFTER_I.match(after) is not None
    return letter != "A" or _AFTER_WORD.match(after) is not None


def find_mentions(text: str) -> Iterator[Mention]:
    """Yield the option letters that `text` mentions."""
    for match in _MENTION.finditer(text):
        letter = match[2] or match["named"] or match["line"] or match["bare"]
        strong = match["bare"] is None
        end = match.end()
        if match["bare"] and (letter.islower() or not is_letter(letter, text[end : end + 40])):
            continue
        if match["named"] and letter.islower() and not re.match(r"[\"')]*(?:[.,;:!?\n)]|$| is)", text[end : end + 8]):
            continue
        if match["named"] and letter in "AI" and not is_letter(letter, text[end : end + 40]):
            continue
        before, after = text[max(0, match.start() - 60) : match.start()], text[end : end + 160]
        denied = is_denied(before, after)
        chosen = not denied and _is_chosen(before, after)
        yield Mention(letter=letter.upper(), strong=strong, start=match.start(), chosen=chosen, denied=denied)


def is_denied(before: str, after: str) -> bool:
    """Return whether the text around a letter rules the letter out."""
    if _DENIED_BEFORE.search(before) or foreign_letters.DENIED_BEFORE.search(before):
        return True
    return is_wrong(after)


def is_wrong(after: str) -> bool:
    """Return whether the text after a letter says that it is not the answer."""
    return bool(_WRONG.match(after) or foreign_letters.WRONG_AFTER.match(after))


def _is_chosen(before: str, after: str) -> bool:
    if _RIGHT.match(after) or foreign_letters.RIGHT_AFTER.match(after):
        return True
    chosen = _CHOSEN_BEFORE.search(before) or foreign_letters.CHOSEN_BEFORE.search(before)
    return chosen is not None and not _SUPPOSED.search(before)

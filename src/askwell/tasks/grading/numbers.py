"""Read the number that a reply gives as its answer, and compare it exactly with the target."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from askwell.core.errors import DataError
from askwell.tasks.grading.answer_markers import MAX_TAIL, Span, answer_regions, find_spans, unbox
from askwell.tasks.grading.normalize import split_sentences, strip_markup, visible_text
from askwell.tasks.grading.numerals import Number, find_number_words, find_numerals
from askwell.tasks.grading.reading import read_reply

_SHORT = 100
"""Replies up to this many characters are cached, because a run repeats the same few short replies."""
_VULGAR = str.maketrans(
    {"½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "⅕": " 1/5", "⅛": " 1/8", "⁄": "/"}
)
# An en dash before a number is a minus sign, unless it is between two numbers (a range)
_EN_DASH_SIGN = re.compile(r"(?<![\w)\]%])(?<!\d )–(?=[$£€]?[\d.])")
_CALCULATION = re.compile(r"<<[^<>\n]{0,200}>>")  # GSM8K's calculator annotations: "<<3*4=12>>12"
_LIST_MARK = re.compile(r"^[ \t]*(?:[-*•][ \t]+)?(\d{1,3})[.)][ \t]+(?=\S)", re.MULTILINE)
# Numbers that label a step or figure are no answers: "Step 3:"
_LABELLED = re.compile(
    r"\b(?:steps?|figure|table|page|chapter|section|question|q|problem|case|part|equation|eq)[ ]*#?\d+(?!\d)[ ]*[.:)]?",
    re.IGNORECASE,
)
_STEPS_TAKEN = re.compile(r"\b(?:used|in)[ ]\d+[ ](?:\w+[ ])?steps?\b", re.IGNORECASE)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")

# "42 is the answer"
_INVERSE = re.compile(
    r"(?:^|(?<=[\s(*]))([-+$€£]?[ ]?-?[\d.][\d.,/]{0,20}%?(?:[ ][A-Za-z]{1,20})?)[ ](?:is|are)[ ](?:the|my|our|your)[ ]"
    r"(?:(?:final|correct|right)[ ])?answer\b",
    re.IGNORECASE,
)
# A self-correction: "…, no: 43"
_NO = re.compile(r"[.,;…–—-][ ]?no[,.:]+[ ](?=[^\n]{0,30}\d)", re.IGNORECASE)
# A reply that starts with the number and then explains it
_OPENING = re.compile(
    r"([-+$€£]?[ ]?-?[\d.][\d.,/]{0,20}%?(?:[ ][A-Za-z]{1,20})?)(?:[.!]?[ ]*\n[ \t]*\n|"
    r"[.!]?[ ]*\n[ \t]*(?:explanation|reason|note|because|here|step|to |we )|"
    r"[.,!]?[ ]+(?:because|since)\b)",
    re.IGNORECASE,
)
# Words between an answer cue and its number: "is approximately $ 42"
_FILLER = re.compile(
    r"(?:[^\w\n-]|-(?=[ $\d.])|\b(?:about|approximately|approx|around|roughly|nearly|exactly|only|just|simply|"
    r"still|now|"
    r"a|an|the|total|sum|of|equal|equals|to|that|there|is|are|was|were|will|would|be|so|thus|therefore|indeed|also|"
    r"number|amount|usd|us|eur|gbp|rs|inr|negative|minus|positive|plus|[a-z](?=[ ]*=)|they|it|he|she|we|you|have|has|"
    r"likely|probably|in|currently|then|left|with|calculated|as|given|by|found|simplified|rounded|the)\b)*",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"[^\w]*(?:not|n't|never|neither|no longer)\b", re.IGNORECASE)
_DENIED = re.compile(r"(?:\bnot|n't)[ ]+$", re.IGNORECASE)
# "between 3 and 5" is no single answer
_OPEN_RANGE = re.compile(r"\b(?:between|from|either)[ ]+\W*$", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:between|from)[ ]+[-$]?[\d.,]+[%a-z ]{0,12}?[ ](?:and|to)[ ]+[-$]?[\d.,]*\d", re.IGNORECASE)
_OTHER = re.compile(r"[ ]*(?:or|and|to|[-–])[ ]*$", re.IGNORECASE)
# A number before an operator is an operand, not the result
_ARITHMETIC = re.compile(r"[ )\]]*(?:\w+[ ]+){0,2}[-+*/×÷=≈^](?![ ]*$)|[ ]*[x][ ]\d")
# The numbers after one of these words take precedence over those before it
_CONCLUSION = re.compile(
    r"\b(?:so|therefore|thus|hence|altogether|overall|finally|meaning|"
    r"which (?:is|means|gives|makes|leaves|equals)|for a total of)\b",
    re.IGNORECASE,
)
# A number after one of these words is a result: "she has 5 left", "= 5"
_RESULT = re.compile(
    r"(?:[=≈→]|(?<!\bto )\b(?:is|are|was|were|be|has|have|had|makes?|made|equals?|totals?|earns?|earned|costs?|"
    r"gets?|got|needs?|"
    r"left with|leaves|leaving|gives|giving|gave|pays?|paid|spends?|spent|takes?|take|took|needed|need|used|"
    r"uses|produces?|leading to|yields|sells?|sold|"
    r"remain|remains|total of|sum of|gain|gains|receives?|received|saves?|saved|weighs?|becomes?))"
    r"[ ]*(?:(?:a|about|approximately|around|only|exactly|total|of|now|still|just|to)[ ]+)*[(:~]*[ ]*$",
    re.IGNORECASE,
)
_EQUALS = re.compile(r"[=≈→][ ]*$")
_TOTAL_AFTER = re.compile(
    r"[ ]*(?:\w+[ ]){0,3}?(?:in total|altogether|in all|remain(?:ing|s)?|left(?! with| of| side))\b", re.IGNORECASE
)


def find_number(reply: str) -> tuple[Number | None, str]:
    """Return the reply's answer and a note: where it was found, or why there is none."""
    return _find_short(reply) if len(reply) <= _SHORT else _find_number(reply)


def _find_number(reply: str) -> tuple[Number | None, str]:
    reading = read_reply(reply)
    if len(reading.answers) > 1:
        return None, f"several answers given: {reading.text}"
    readings = [_find(text.translate(_VULGAR)) for text in reading.texts]
    return next(((number, note) for number, note in readings if number), readings[-1])


_find_short = lru_cache(maxsize=4096)(_find_number)


@lru_cache(maxsize=4096)
def target_number(target: str) -> Number:
    """Read a target such as "18", "1,000", "-3" or "#### 18"; raise `DataError` if it has no number."""
    number, _ = _find(visible_text(target).translate(_VULGAR))
    if number is None:
        raise DataError(f"target {target!r} contains no number; the answer type 'number' needs one in every target")
    return number


def same_number(answer: Number, target: Number) -> bool:
    """Compare exactly: 12.4 is not 12, and -12 is not 12.

    Three exceptions: one of the two may be a percentage (50% equals .5 and 50); a periodic fraction may be rounded to
    two or more decimals (1/3 equals .33); so may a target with five or more decimals.
    """
    a, b = answer.value, target.value
    pairs = [(a, b)]
    if answer.percent and not target.percent:
        pairs.append((a / 100, b))
    elif target.percent and not answer.percent:
        pairs.append((a, b / 100))
    return any(x == y or _rounds(x, y, answer, target) for x, y in pairs)


def _rounds(x: Fraction, y: Fraction, answer: Number, target: Number) -> bool:
    if max(answer.decimals or 0, target.decimals or 0) > 9 and abs(x - y) <= abs(y) * Fraction(1, 10**12):
        return True  # floating-point error: 0.30000000000000004
    if target.decimals is None or target.decimals >= 5:
        return (answer.decimals or 0) >= 2 and _half_up(y, answer.decimals or 0) == x
    return answer.decimals is None and target.decimals >= 2 and _half_up(x, target.decimals) == y


def _half_up(value: Fraction, decimals: int) -> Fraction:
    scaled = abs(value) * 10**decimals + Fraction(1, 2)
    return Fraction(scaled.numerator // scaled.denominator, 10**decimals) * (1 if value >= 0 else -1)


def _find(seen: str) -> tuple[Number | None, str]:
    text = _without_marks(strip_markup(seen))
    refusals = list(_NO.finditer(text))
    for region in [*(text[refusal.end() :] for refusal in refusals[-1:]), *answer_regions(text)]:
        for span in find_spans(region, "number"):
            if _NEGATED.match(span.line):
                continue
            number, note = _stated(span)
            if number is not None or note:
                return number, note
        if number := _named(region[-MAX_TAIL:]) or (_opening(text) if region is text else None):
            return number, ""
        if number := _last(region[-MAX_TAIL:], seen[-MAX_TAIL:]):
            return number, "last number of the reply"
    return None, "no number found"


def _without_marks(text: str) -> str:
    text = _CALCULATION.sub("", _EN_DASH_SIGN.sub("-", text))
    marks = {int(mark[1]) for mark in _LIST_MARK.finditer(text)}
    return _LIST_MARK.sub(lambda mark: "" if {int(mark[1]) - 1, int(mark[1]) + 1} & marks else mark[0], text)


def _stated(span: Span) -> tuple[Number | None, str]:
    parts = split_sentences(unbox(span.line))
    if not parts:
        return None, ""
    first = parts[0]
    candidates = list(find_numerals(first)) or list(find_number_words(first))
    if not candidates:
        return None, ""
    head, tail = first[: candidates[0].start], first[candidates[0].end :]
    if head.strip(" \t$(*:") and any(any(find_numerals(tail[match.end() :])) for match in _CONCLUSION.finditer(tail)):
        return _choose(first), ""  # "There are 5 apples and 3 pears, so 8 in total"
    if _OPEN_RANGE.search(head) and len(candidates) > 1:
        return None, "a range of numbers, not one"
    if _FILLER.fullmatch(head) and not _ARITHMETIC.match(tail):
        if (
            len(candidates) > 1
            and _OTHER.match(first[candidates[0].end : candidates[1].start])
            and candidates[0].value != candidates[1].value
        ):
            return None, f"two numbers offered: {candidates[0].shown} and {candidates[1].shown}"
        return candidates[0], ""
    if span.loose and len(parts) > 1 and not _FILLER.fullmatch(head):
        return None, ""  # "Answer: Janet has 16 eggs. She eats 3. …": reasoning, not an answer
    return _choose(first), ""


def _named(text: str) -> Number | None:
    """Return the number of "42 is the answer"."""
    for match in reversed(list(_INVERSE.finditer(text))):
        if candidates := list(find_numerals(match[1])):
            return candidates[-1]
    return None


def _opening(text: str) -> Number | None:
    """Return the number of a reply that starts with only a number and continues with an explanation."""
    match = _OPENING.match(text)
    candidates = list(find_numerals(match[1])) if match else []
    return candidates[0] if len(candidates) == 1 else None


def _last(text: str, seen: str) -> Number | None:
    bold = [strip_markup(match[1]).strip() for match in _BOLD.finditer(seen) if not match[1].rstrip().endswith(":")]
    kept = _STEPS_TAKEN.sub(" ", _LABELLED.sub(" ", text))
    for source in (kept, text):
        parts = split_sentences(source)
        for position, part in enumerate(reversed(parts)):
            if any(find_numerals(part)):
                marked = next(
                    (mark for mark in reversed(bold[-50:]) if mark in part and any(find_numerals(mark))), None
                )
                if number := _choose(marked or part):
                    return number
            if position == 0 and (
                words := [n for n in find_number_words(part) if n.shown.lower() != "one" or len(part) < 8]
            ):
                return words[-1]
    words = list(find_number_words(text))
    return next(
        (n for n in reversed(words) if n.shown.lower() != "one"), words[-1] if words and len(text) < 30 else None
    )


def _choose(sentence: str) -> Number | None:
    candidates = list(find_numerals(sentence)) or list(find_number_words(sentence))
    for bounds in _BETWEEN.finditer(sentence):
        candidates = [number for number in candidates if not bounds.start() <= number.start < bounds.end()]
    candidates = [
        number for number in candidates if not _DENIED.search(sentence[max(0, number.start - 12) : number.start])
    ]
    candidates = [
        n for n in candidates if not n.ordinal or _EQUALS.search(sentence[max(0, n.start - 4) : n.start])
    ] or candidates
    for conclusion in reversed(list(_CONCLUSION.finditer(sentence))[-20:]):
        later = [number for number in candidates if number.start >= conclusion.end()]
        if later:
            candidates = later
            break
    looked = [
        (number, sentence[max(0, number.start - 40) : number.start], sentence[number.end : number.end + 60])
        for number in reversed(candidates[-200:])
    ]
    if not any(_EQUALS.search(before) for _, before, _ in looked):
        for number, _, after in looked:
            if _TOTAL_AFTER.match(after):
                return number
    return next(
        (number for number, before, _ in looked if _RESULT.search(before)), candidates[-1] if candidates else None
    )

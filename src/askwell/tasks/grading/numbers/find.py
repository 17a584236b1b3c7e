"""Read the number that a reply gives as its answer, and compare it exactly with the target."""

from __future__ import annotations

import re
from functools import lru_cache

from askwell.core.errors import DataError
from askwell.tasks.grading.answer_markers import MAX_TAIL, Span, answer_regions, find_spans, unbox
from askwell.tasks.grading.normalize import split_sentences, strip_markup, visible_text
from askwell.tasks.grading.numbers.equality import same_number
from askwell.tasks.grading.numbers.han_numerals import spell_fractions
from askwell.tasks.grading.numbers.numerals import Number, find_numerals
from askwell.tasks.grading.numbers.parentheses import without_parentheses
from askwell.tasks.grading.numbers.refusals import without_refusals
from askwell.tasks.grading.numbers.remarks import without_remarks
from askwell.tasks.grading.numbers.sentence import (
    choose_number,
    concludes,
    find_spelled_numbers,
    is_ruled_out,
    numbers_offered,
    restated_number,
)
from askwell.tasks.grading.reading import read_reply

_SHORT = 100
"""Replies up to this many characters are cached, because a run repeats the same few short replies."""
_VULGAR = str.maketrans(
    {
        "½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "⅕": " 1/5", "⅖": " 2/5", "⅗": " 3/5",
        "⅘": " 4/5", "⅙": " 1/6", "⅚": " 5/6", "⅛": " 1/8", "⅜": " 3/8", "⅝": " 5/8", "⅞": " 7/8", "⅐": " 1/7",
        "⅑": " 1/9", "⅒": " 1/10", "⁄": "/",
    }
)  # fmt: skip
# An en dash before a number is a minus sign, unless it is between two numbers (a range)
_EN_DASH_SIGN = re.compile(r"(?<![\w)\]%])(?<!\d )–(?=[$£€]?[\d.])")
_CALCULATION = re.compile(r"<<[^<>\n]{0,200}>>")  # GSM8K's calculator annotations: "<<3*4=12>>12"
_LIST_MARK = re.compile(r"^[ \t]*(?:[-*•][ \t]+)?(\d{1,3})[.)][ \t]+(?=\S)", re.MULTILINE)
# Numbers that label a step or figure are no answers: "Step 3:"
_LABELLED = re.compile(
    r"\b(?:steps?|figure|table|page|chapter|section|question|q|problem|case|part|equation|"
    r"eq)[ ]*#?\d+(?!\d)[ ]*[.:)]?|\bconfidence(?:[ ](?:level|score))?[ ]*[:=(]?[ ]*\d[\d.]*[ ]?%?",
    re.IGNORECASE,
)
_STEPS_TAKEN = re.compile(r"\b(?:used|in)[ ]\d+[ ](?:\w+[ ])?steps?\b", re.IGNORECASE)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")

# "42 is the answer"
_INVERSE = re.compile(
    r"(?:^|"
    r"(?<=[\s(*]))([-+$€£]?[ ]?-?[\d.][\d.,/]{0,20}%?(?:[ ](?:out[ ])?of[ ]\d{1,20})?(?:[ ][A-Za-z]{1,20})?)[ ](?:is|"
    r"are)[ ](?:the|my|our|your)[ ]"
    r"(?:(?:final|correct|right)[ ])?answer\b",
    re.IGNORECASE,
)
# A self-correction: "…, no: 43"
_NO = re.compile(r"[.,;…–—-][ ]?no[,.:]+[ ](?=[^\n]{0,30}\d)", re.IGNORECASE)
# A reply that starts with the number and then explains it
_OPENING = re.compile(
    r"([-+$€£]?[ ]?-?[\d.][\d.,/]{0,20}%?(?:[ ][A-Za-z]{1,20})?)(?:[.!]?[ ]*\n[ \t]*\n|"
    r"[.!]?[ ]*\n[ \t]*(?:explanation|reason|note|because|here|step|to |we )|[.,!]?[ ]+(?:because|since|"
    r"here(?:'s| is) (?:how|why|the|my)|"
    r"explanation:|reasoning:)\b)",
    re.IGNORECASE,
)
# Words between an answer cue and its number: "is approximately $ 42"
_FILLER = re.compile(
    r"(?:[^\w\n-]|-(?=[ $\d.])|\b(?:about|approximately|approx|around|roughly|nearly|exactly|only|just|simply|still|"
    r"now|a|an|the|total|sum|of|equal|equals|to|that|there|is|are|was|were|will|would|be|so|thus|therefore|indeed|"
    r"also|number|amount|usd|us|eur|gbp|rs|inr|negative|minus|positive|plus|[a-z](?=[ ]*=)|they|it|he|she|we|you|"
    r"have|has|likely|probably|in|currently|then|left|with|calculated|as|given|by|found|simplified|rounded|the)\b)*",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"[^\w]*(?:not|n't|never|neither|no longer)\b", re.IGNORECASE)
# "between 3 and 5" is no single answer
_OPEN_RANGE = re.compile(r"\b(?:between|from|either)[ ]+\W*$", re.IGNORECASE)
_OTHER = re.compile(r"[ ]*(?:or|and|to|[-–])[ ]*$", re.IGNORECASE)
# A number before an operator is an operand, not the result
_ARITHMETIC = re.compile(r"[ )\]]*(?:\w+[ ]+){0,2}[-+*/×÷=≈^](?![ ]*$)|[ ]*[x][ ]\d")


# "x = 3, y = 4"
_SEVERAL_EQUATIONS = re.compile(r"=[^=\n]*(?:[,;]|\band\b)[^=\n]*=", re.IGNORECASE)


def find_number(reply: str) -> tuple[Number | None, str]:
    """Return the reply's answer and a note: where it was found, or why there is none."""
    return _find_short(reply) if len(reply) <= _SHORT else _find_number(reply)


def _find_number(reply: str) -> tuple[Number | None, str]:
    reading = read_reply(reply)
    if len(reading.answers) > 1:
        return None, f"several answers given: {reading.text}"
    readings = [_find(_spelled(text)) for text in reading.texts]
    return next(((number, note) for number, note in readings if number), readings[-1])


def _spelled(text: str) -> str:
    """Write "½" as " 1/2" and 百分之25 as 25%."""
    return spell_fractions(text.translate(_VULGAR))


_find_short = lru_cache(maxsize=4096)(_find_number)


@lru_cache(maxsize=4096)
def target_number(target: str) -> Number:
    """Read a target such as "18", "1,000", "-3" or "#### 18"; raise `DataError` if it does not have one number."""
    seen = _spelled(visible_text(target))
    number, _ = _find(seen)
    if number is None:
        raise DataError(
            f"target {target!r} contains no number; the answer type 'number' needs one number in every target"
        )
    others = [other for other in numbers_offered(seen) if not same_number(other, number)]
    if others and not _states_result(seen):
        shown = ", ".join(repr(each.shown) for each in (number, *others[:3]))
        raise DataError(
            f"target {target!r} contains several numbers ({shown}); the answer type 'number' needs one number in every "
            "target: keep only the right one, or write '#### ' before it"
        )
    return number


def _states_result(target: str) -> bool:
    """Return whether a target marks its result: "#### 18", "The answer is 18", "5 + 7 = 12" (not "x = 3, y = 4")."""
    if next(find_spans(target), None):
        return True
    return "=" in target and _SEVERAL_EQUATIONS.search(target) is None


def _find(seen: str) -> tuple[Number | None, str]:
    text = without_refusals(_without_marks(strip_markup(seen)))
    corrections = list(_NO.finditer(text))
    for region in [*(text[correction.end() :] for correction in corrections[-1:]), *answer_regions(text)]:
        for span in find_spans(region, "number"):
            if _NEGATED.match(span.line):
                continue
            number, note = _stated(span)
            if number is not None or note:
                return number, note
        if number := _named(region[-MAX_TAIL:]) or (_opening(text) if region is text else None):
            return number, ""
        number, note = _last(region[-MAX_TAIL:], seen[-MAX_TAIL:])
        if number is not None or note:
            return number, note
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
    candidates = list(find_numerals(first)) or find_spelled_numbers(first)
    if not candidates:
        return None, ""
    if is_ruled_out(first, candidates[0]):
        return choose_number(first)  # "12가 아니라 15입니다"
    head, tail = first[: candidates[0].start], first[candidates[0].end :]
    if head.strip(" \t$(*:") and concludes(tail):
        return choose_number(first)  # "There are 5 apples and 3 pears, so 8 in total"
    if restated := restated_number(first):
        return restated, ""
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
    return choose_number(first)


def _named(text: str) -> Number | None:
    """Return the number of "42 is the answer"."""
    for match in reversed(list(_INVERSE.finditer(text))):
        if candidates := list(find_numerals(match[1])):
            return candidates[0]
    return None


def _opening(text: str) -> Number | None:
    """Return the number of a reply that starts with only a number and continues with an explanation."""
    match = _OPENING.match(text)
    candidates = list(find_numerals(match[1])) if match else []
    return candidates[0] if len(candidates) == 1 else None


def _last(text: str, seen: str) -> tuple[Number | None, str]:
    """Return the number of the last sentence that has one and is no remark."""
    bold = [strip_markup(match[1]).strip() for match in _BOLD.finditer(seen) if not match[1].rstrip().endswith(":")]
    for source in (_without_labels(without_parentheses(text)), _without_labels(text), text):
        for position, part in enumerate(reversed(split_sentences(source))):
            if any(find_numerals(part)):
                number, note = choose_number(_bold_part(part, bold) or part)
                if number or note:
                    return number, note or "last number of the reply"
            if position == 0 and (words := _word_numbers(part)):
                return words[-1], "last number of the reply"
    words = find_spelled_numbers(text)
    last = next((n for n in reversed(words) if n.shown.lower() != "one"), None)
    last = last or (words[-1] if words and len(text) < 30 else None)
    return last, "last number of the reply" if last else ""


def _without_labels(text: str) -> str:
    """Remove remarks, and numbers that label a step or a table."""
    return _STEPS_TAKEN.sub(" ", _LABELLED.sub(" ", without_remarks(text)))


def _bold_part(sentence: str, bold: list[str]) -> str | None:
    return next((mark for mark in reversed(bold[-50:]) if mark in sentence and any(find_numerals(mark))), None)


def _word_numbers(sentence: str) -> list[Number]:
    """Return the numbers in words, without "one" in a longer sentence, where it is a pronoun."""
    return [number for number in find_spelled_numbers(sentence) if number.shown.lower() != "one" or len(sentence) < 8]

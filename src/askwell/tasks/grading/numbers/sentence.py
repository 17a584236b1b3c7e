"""Choose the number that a sentence gives as its result, out of all numbers in it."""

from __future__ import annotations

import re
from itertools import pairwise

from askwell.tasks.grading.numbers.equality import same_number
from askwell.tasks.grading.numbers.han_numerals import find_han_numbers
from askwell.tasks.grading.numbers.numerals import Number, find_number_words, find_numerals
from askwell.tasks.grading.numbers.parentheses import without_parentheses

_MAX_NUMBERS = 200
"""Number of numbers looked at, from the last backwards; it bounds the time."""

# "not 10", "rather than 10", "pas 10"
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|rather than|instead of|nicht|pas|et non|y no|e non|e não|não|не|niet|inte|ikke|nie|bukan)|n't)[ ]+$"
    r"|(?:不是|并非|並非|而非)[ ]*$",
    re.IGNORECASE,
)
# "12가 아니라", "12個ではなく"
_DENIED_AFTER = re.compile(
    r"[ ]?[^\W\d]{0,4}?(?:[ ]?아[니닙]|ではな[いく]|じゃな[いく]|ではありません|[ ]değil)", re.IGNORECASE
)
# "between 3 and 5" is no single answer
_BETWEEN = re.compile(r"\b(?:between|from)[ ]+[-$]?[\d.,]+[%a-z ]{0,12}?[ ](?:and|to)[ ]+[-$]?[\d.,]*\d", re.IGNORECASE)
# The numbers after one of these words take precedence over those before it
_CONCLUSION = re.compile(
    r"\b(?:so|therefore|thus|hence|altogether|overall|finally|meaning|which (?:is(?![ ](?:less|more|greater|smaller|"
    r"larger|fewer|higher|lower)\b)|means|gives|makes|leaves|equals)|for a total of)\b|所以|因此|一共|总共|總共|合計|"
    r"よって|따라서",
    re.IGNORECASE,
)
# The same amount in another unit: "3 dozen eggs, i.e. 36 eggs"
_RESTATED = re.compile(
    r"\b(?:i\.?e\b\.?|that is(?=,)|namely|in other words|equivalently|or equivalently|equivalent to|es decir|o sea|"
    r"ou seja|cioè|c'est-à-dire|soit(?= \d)|das heißt|d\.[ ]?h\.|то есть|т\.[ ]?е\.)|(?<![立当])即|也就是|也即|"
    r"换句话说|つまり|すなわち|즉",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(
    r"[ ]?(?P<unit>[^\W\d]*)(?:[ ][a-z]+)?(?P<comma>,?)[ ](?:or|oder|ou|или)[ ](?P<doubt>(?:maybe|perhaps|possibly|"
    r"even)[ ])?"
    r"(?:about[ ]|approximately[ ]|exactly[ ]|roughly[ ])?[(]?"
    r"|[ ]?(?P<han>[^\W\d]?)(?:或者?|または|또는)[ ]?",
    re.IGNORECASE,
)
_UNIT = re.compile(r"[ -]?([^\W\d]+)", re.IGNORECASE)
_EACH = re.compile(r"[ ]?(?:\w+[ ])?(?:each|apiece|per|a piece|/)(?!\w)", re.IGNORECASE)
# A number after one of these words is a result: "she has 5 left", "= 5"
_RESULT = re.compile(
    r"(?:[=≈→]|(?<!\bto )\b(?:is|are|was|were|be|has|have|had|makes?|made|equals?|totals?|earns?|earned|costs?|gets?|"
    r"got|needs?|left with|leaves|leaving|gives|giving|gave|pays?|paid|spends?|spent|takes?|take|took|needed|need|"
    r"used|uses|produces?|leading to|yields|earning|making|totall?ing|"
    r"resulting in|bringing in|sells?|sold|remain|remains|total of|sum of|gain|gains|receives?|received|"
    r"saves?|saved|weighs?|becomes?))"
    r"[ ]*(?:(?:a|about|approximately|around|only|exactly|total|of|now|still|just|to|her|him|them|us|me|"
    r"you)[ ]+)*[(:~]*[ ]*$",
    re.IGNORECASE,
)
_EQUALS = re.compile(r"[=≈→][ ]*$")
_TOTAL_AFTER = re.compile(
    r"[ ]*(?:\w+[ ]){0,3}?(?:in total|altogether|in all|remain(?:ing|s)?|left(?! with| of| side))\b", re.IGNORECASE
)
# "18, since 9 eggs cost 2 each"
_REASON = re.compile(r"(?<!and )\b(?:because|since|given that|due to)\b(?![^,]*,.*\d)|,[ ]as[ ]", re.IGNORECASE)
_CERTAINTY = re.compile(r"[ ](?:sure|certain|confident|confidence|certainty)\b", re.IGNORECASE)
# "12 out of 20" gives 12
_OF = re.compile(
    r"[ ]?(?:[^\W\d]+[ ]){0,2}?(?:out of|of|von|de|sur|из)[ ](?:(?:the|a|an|total|of|all|her|his|its|their|our|my|"
    r"those|these|every|original|los|las|les|den)[ ])*"
    r"|[ ]in[ ]",
    re.IGNORECASE,
)
_TIME = (
    r"(?:seconds?|minutes?|mins?|hours?|hrs?|h|days?|weeks?|months?|years?|nights?|trips?|rounds?|steps?|segundos|"
    r"minutos|horas|días|semanas|meses|años|secondes|heures|jours|semaines|mois|ans|sekunden|minuten|stunden|tagen?|"
    r"wochen|monaten?|jahren?|ore|giorni|settimane|dias|минут|часов|дней|недель)"
)
_ADJUNCT_BEFORE = re.compile(
    r"\b(?:in|over|within|during|for|per|every|after|across|throughout|en|durante|por|pendant|durant|während|für|"
    r"über|za|за|в)[ ](?:(?:the|a|an|about|only|just|all|another|those|these|first|last|next|past|full|whole|"
    r"period of)[ ])*$",
    re.IGNORECASE,
)
_TIME_AFTER = re.compile(rf"[ -]?(?:more[ ]|additional[ ])?{_TIME}\b", re.IGNORECASE)
_COMPARED_BEFORE = re.compile(
    r"\b(?:than|from)[ ](?:the[ ]|about[ ])?$"
    r"|[，,][ ]?比[^，,。.\d]{1,10}[多少大小高低长短重轻贵快慢]了?[ ]?$",
    re.IGNORECASE,
)
_CHANGE_AFTER = re.compile(
    r"[ ](?:off|less|more|fewer|higher|lower|discount|increase|decrease|reduction|tip|tax|interest|markup)\b",
    re.IGNORECASE,
)
# "averaging 60 mph", "at $5 each"
_RATE_BEFORE = re.compile(r"\b(?:at|averaging|charging)[ ](?:(?:a|an|the|about|around|rate|speed|price|cost|of)[ ])*$")
_RATE_AFTER = re.compile(r"[ ]?(?:mph|km/h|kph|m/s|each\b|apiece\b|a piece\b|(?:\w+[ ])?(?:per|an?)[ ]\w+)")
_CLAUSE_END = re.compile(r"[,;:][ ]")
_GIVEN_BEFORE = re.compile(r"\b(?:the|these|those|all|his|her|their|its|this)[ ](?:\w+[ ])?$", re.IGNORECASE)


def choose_number(sentence: str) -> tuple[Number | None, str]:
    """Return the number that a sentence gives as its result, and a note if it offers two."""
    candidates = _without_breakdown(sentence, numbers_offered(sentence))
    offered = None
    for first, second in pairwise(candidates):
        if (kind := _alternative(sentence, first, second)) == "same":
            candidates = [number for number in candidates if number is not first]
        elif kind == "other":
            offered = (first, second)
    chosen = _result(sentence, _later(sentence, candidates))
    if offered and chosen in offered:
        return None, f"two numbers offered: {offered[0].shown} and {offered[1].shown}"
    return chosen, ""


def restated_number(sentence: str) -> Number | None:
    """Return the one number that restates a quantity in two units: "3 hours 20 minutes, i.e. 200 minutes"."""
    candidates = numbers_offered(sentence)
    for restated in _RESTATED.finditer(sentence):
        before = [number for number in candidates if number.end <= restated.start()]
        if len(before) == len(candidates) - 1 > 1:
            return candidates[-1]
    return None


def find_spelled_numbers(text: str) -> list[Number]:
    """Return the numbers written in English words or Chinese characters."""
    return list(find_number_words(text)) or list(find_han_numbers(text))


def concludes(text: str) -> bool:
    """Return whether a number in digits follows a conclusion in `text`: "…, so 8 in total"."""
    return any(any(find_numerals(text[match.end() :])) for match in _CONCLUSION.finditer(text))


def numbers_offered(sentence: str) -> list[Number]:
    """Return the numbers of a sentence that may be its result; those of parentheses only if there are no others."""
    everything = list(find_numerals(sentence))[-_MAX_NUMBERS:]
    if not everything:
        return find_spelled_numbers(sentence)
    bare = without_parentheses(sentence)
    candidates = [number for number in everything if bare[number.start : number.end].strip()] or everything
    for bounds in _BETWEEN.finditer(sentence):
        candidates = [number for number in candidates if not bounds.start() <= number.start < bounds.end()]
    candidates = [number for number in candidates if not is_ruled_out(sentence, number)]
    for keep in (_is_no_ordinal, _is_no_certainty, _is_no_tolerance):
        candidates = [number for number in candidates if keep(sentence, number)] or candidates
    return _without_wholes(sentence, candidates)


def is_ruled_out(sentence: str, number: Number) -> bool:
    """Return whether a sentence says that a number is not its result: "not 10", "12가 아니라 15"."""
    before = sentence[max(0, number.start - 16) : number.start]
    return bool(_DENIED_BEFORE.search(before) or _DENIED_AFTER.match(sentence, number.end))


def _is_no_ordinal(sentence: str, number: Number) -> bool:
    return not number.ordinal or _EQUALS.search(sentence[max(0, number.start - 4) : number.start]) is not None


def _is_no_certainty(sentence: str, number: Number) -> bool:
    return not (number.percent and _CERTAINTY.match(sentence, number.end))


def _is_no_tolerance(sentence: str, number: Number) -> bool:
    return not sentence[: number.start].rstrip().endswith("±")


def _without_wholes(sentence: str, candidates: list[Number]) -> list[Number]:
    """Drop the whole in "12 of 20" and "12 out of the 20 apples"; a share (60% of 20) is no part."""
    wholes = [
        second
        for first, second in pairwise(candidates)
        if second.value >= first.value
        and not first.percent
        and first.decimals is not None
        and _OF.fullmatch(sentence, first.end, second.start)
    ]
    return [number for number in candidates if not any(number is whole for whole in wholes)]


def _without_breakdown(sentence: str, candidates: list[Number]) -> list[Number]:
    """Drop the parts of "12 kids: 4 boys and 8 girls"."""
    if len(candidates) < 3 or "=" in sentence or ":" not in sentence[candidates[0].end : candidates[1].start]:
        return candidates
    parts = candidates[1:]
    return candidates[:1] if sum(number.value for number in parts) == candidates[0].value else candidates


def _later(sentence: str, candidates: list[Number]) -> list[Number]:
    """Return the numbers after the last conclusion ("so 8") or restatement ("i.e. 36 eggs"), and before a reason."""
    for conclusion in reversed(list(_CONCLUSION.finditer(sentence))[-20:]):
        if later := [number for number in candidates if number.start >= conclusion.end()]:
            candidates = later
            break
    else:
        candidates = _without_reason(sentence, candidates)
    for restated in reversed(list(_RESTATED.finditer(sentence))[-20:]):
        later = [number for number in candidates if number.start >= restated.end()]
        if len(later) == 1:  # "2.5 hours, i.e. 2 hours and 30 minutes" restates in two numbers
            return later
    return candidates


def _without_reason(sentence: str, candidates: list[Number]) -> list[Number]:
    """Drop the numbers of a reason at the end, if one number stands before it or if its result repeats one."""
    reason = _REASON.search(sentence, candidates[0].end) if candidates else None
    if reason is None:
        return candidates
    before = [number for number in candidates if number.start < reason.start()]
    results = {
        number.value
        for number in candidates
        if number.start > reason.start() and _EQUALS.search(sentence[max(0, number.start - 4) : number.start])
    }
    repeated = [number for number in before if number.value in results]
    return repeated[-1:] or (before if len(before) == 1 else candidates)


def _alternative(sentence: str, first: Number, second: Number) -> str:
    """Return "other" for "5 or 6", "same" for one amount in two units ("2 hours, or 120 minutes"), else ""."""
    link = _ALTERNATIVE.fullmatch(sentence, first.end, second.start)
    if link is None or same_number(first, second) or _EACH.match(sentence, second.end):
        return ""
    before, after = link["unit"] or link["han"] or "", _UNIT.match(sentence, second.end)
    unit = after[1] if after else ""
    if before and unit and not link["doubt"] and before.casefold().rstrip("s") != unit.casefold().rstrip("s"):
        return "same"
    return "other"


def _result(sentence: str, candidates: list[Number]) -> Number | None:
    candidates = _without_adjuncts(sentence, candidates)
    looked = [
        (number, sentence[max(0, number.start - 40) : number.start], sentence[number.end : number.end + 60])
        for number in reversed(candidates)
    ]
    if not any(_EQUALS.search(before) for _, before, _ in looked):
        for number, _, after in looked:
            if _TOTAL_AFTER.match(after):
                return number
    return next(
        (number for number, before, _ in looked if _RESULT.search(before)), candidates[-1] if candidates else None
    )


def _without_adjuncts(sentence: str, candidates: list[Number]) -> list[Number]:
    """Drop durations, rates, changes and standards of comparison: "in 3 days", "at $5 each", "20% less", "than 15".

    One stays if it is in a later clause than the others ("Since 1.76 is less than 2, it takes 2 days"), and if the
    others are given ("he finishes the 300 pages in 10 days").
    """
    main = [number for number in candidates if not _is_adjunct(sentence, number)]
    if all(_GIVEN_BEFORE.search(sentence[max(0, number.start - 30) : number.start]) for number in main):
        return candidates
    last = main[-1]
    return [
        number
        for number in candidates
        if number in main or (_is_duration(sentence, number) and _CLAUSE_END.search(sentence, last.end, number.start))
    ]


def _is_adjunct(sentence: str, number: Number) -> bool:
    before = sentence[max(0, number.start - 40) : number.start]
    if _EQUALS.search(before):
        return False
    is_change = number.percent and _CHANGE_AFTER.match(sentence, number.end) is not None
    is_rate = _RATE_BEFORE.search(before) is not None and _RATE_AFTER.match(sentence, number.end) is not None
    return is_change or is_rate or _is_duration(sentence, number) or _COMPARED_BEFORE.search(before) is not None


def _is_duration(sentence: str, number: Number) -> bool:
    before = sentence[max(0, number.start - 40) : number.start]
    return bool(_ADJUNCT_BEFORE.search(before) and _TIME_AFTER.match(sentence, number.end))

"""Recognize numbers written in digits or in words, with their exact values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from askwell.tasks.grading.boundaries import ENDS_WORD, JOINING, STARTS_WORD, is_unspaced
from askwell.tasks.grading.numbers.scales import ASIAN, PERCENT, SCALE, asian_terms, factor

_MAX_DIGITS = 60
"""Longer digit strings and larger exponents are noise; exact arithmetic on them would take unbounded time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number in a text: its exact value, its position, and its notation."""

    value: Fraction
    shown: str
    start: int
    end: int
    percent: bool = False
    ordinal: bool = False
    decimals: int | None = None
    """Digits after the decimal point; None for a number written as a fraction."""


_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {
    **{word: value for value, word in enumerate(_UNITS)},
    **{word: 20 + 10 * index for index, word in enumerate(_TENS)},
    "dozen": 12,
}
_PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourths": 4, "fifths": 5}
_WORD = "|".join(sorted({*_WORDS, *_SCALES}, key=len, reverse=True))
_WORD_NUMBER = re.compile(
    rf"(?<!-){STARTS_WORD}"
    r"(?!(?<=\bno )one|(?<=\b[st]he )one|(?<=\bwhich )one|(?<=\bthis )one|(?<=\bthat )one|(?<=\bany )one)"
    rf"(?P<sign>(?:negative|minus)[ ]+)?(?P<words>(?:an?[ ](?=hundred|thousand|million|billion|dozen))?"
    rf"(?:{_WORD})(?:(?:[ ]*-[ ]*|,?[ ]+)(?:and[ ]+)?(?:{_WORD}))*)(?P<half>[ ]and[ ]a[ ]half)?"
    rf"(?:[ -](?P<part>{'|'.join(_PARTS)}))?{ENDS_WORD}(?!-\w)",
    re.IGNORECASE,
)

_CURRENCY = "$£€¥₹₩₽฿₫₺₪₴₱"
_INTEGER = (
    r"\d{1,3}(?:,\d{3})+(?![\d])|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d{1,3}(?:\u2009\d{3})+(?!\d)|"
    r"\d{1,3}(?:'\d{3})+(?!\d)|\d{1,3}(?:_\d{3})+(?!\d)|"
    rf"\d{{1,2}}(?:[ ]\d{{3}}){{1,6}}(?![ ]?\d|[{JOINING}])|\d{{3}}(?:[ ]000){{1,6}}(?![ ]?\d|[{JOINING}])|"
    r"\d+|(?=\.\d)"
)
_TOKEN = re.compile(
    rf"""
    (?P<skip>
        \d{{1,4}}([/.-])\d{{1,2}}\2\d{{2,4}}(?![\d])          # a date
      | \d{{1,2}}:(?!00(?!\d))\d\d(?::\d\d)?(?!\d)            # a time, but "3:00" is 3
      | \d+:(?!00(?!\d))\d+                                   # a ratio
      | \d+(?:\.\d+){{3,}} | \d+\.\d{{1,2}}\.\d{{1,2}}(?!\d)  # a version
      | \d[\d.,]{{0,30}}[–-]\$?\d[\d.,]{{0,30}}                             # a range
      | [\^_]\{{?[-+]?\d+\}}?                                 # an exponent or index
      | (?:USD|US|EUR|GBP|CAD|AUD|INR|Rs)\.?(?=[ ]?[$\d])     # a currency before its amount
      | (?!\d)[{JOINING}][{JOINING}]*                         # a word, "x2" and "H2O" among them
      | [^\W\d{JOINING}]+                                    # letters of a script that do not join a digit
    )
    | (?P<sign>[-+][ ]?(?=[{_CURRENCY}]?[ ]?[\d.\\]))?(?P<currency>[{_CURRENCY}][ ]?)?(?P<inner>-)?
      (?:
        (?P<asian>{ASIAN})
      | (?P<whole>\d+[ ]?)?\\[dtc]?frac[ ]*
            (?:\{{[ ]*(?P<a>-?\d+)[ ]*\}}[ ]*\{{[ ]*(?P<b>\d+)[ ]*\}}|(?P<c>\d)[ ]*(?P<d>\d))
      | (?P<mixed>\d+)[ ](?P<e>\d+)/(?P<f>\d+)(?![\d/])
      | (?P<european>\d{{1,3}}(?:\.\d{{3}})+,\d{{1,2}}(?!\d)|\d{{1,3}}(?:\.\d{{3}}){{2,}}(?![\d.,]\d))
      | (?P<integer>{_INTEGER})(?P<fraction>\.\d+|,\d{{1,2}}(?![\d,]|[ ]?\d))?
        (?P<exponent>[eE][-+]?\d+{ENDS_WORD})?(?P<clock>:00)?
        (?P<over>[ ]?/[ ]?\$?\d+(?:\.\d+)?(?![\d/]))?
      )
      (?P<power>[ ]?[×x*][ ]?10[ ]?(?:\^[ ]?\{{?[ ]?)(?P<ten>[-+]?\d{{1,4}})\}}?|\^\{{?(?P<to>\d{{1,2}})\}}?)?
      {PERCENT}?{SCALE}?(?P<ordinal>(?:st|nd|rd|th){ENDS_WORD})?
    """,
    re.VERBOSE,
)


def find_numerals(text: str) -> Iterator[Number]:
    """Yield the numbers written in digits; dates, times, ratios, versions, ranges and words like "x2" do not count."""
    for match in _TOKEN.finditer(text):
        if match["skip"] or match.end() == match.start():
            continue
        value = _value(match)
        if value is None:
            continue
        negative = match["inner"] is not None or _is_signed(text, match)
        written = match["fraction"] or ""
        exact = match["over"] is None and match["a"] is None and match["c"] is None and match["mixed"] is None
        yield Number(
            value=-value if negative else value,
            shown=match[0].strip() if negative or not match["sign"] else match[0][1:].strip(),
            start=match.start(),
            end=match.end(),
            percent=match["percent"] is not None,
            ordinal=match["ordinal"] is not None,
            decimals=max(0, len(written) - 1) if exact else None,
        )


def _is_signed(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - 24) : match.start()]
    word = re.search(r"(\d[ ]*)?\b(negative|minus)[ ]+$", before, re.IGNORECASE)
    if word and (word[2].lower() == "negative" or not word[1]):
        return True
    if not (match["sign"] or "").startswith("-"):
        return False
    line = before.rsplit("\n", 1)[-1]
    last = line.rstrip()[-1:]
    if match["sign"] == "- ":  # a bullet or a dash, unless arithmetic precedes it
        return bool(last) and last in "=(≈×*/"
    return not (last and (last.isdigit() or last in ")]%}")) and not (line[-1:].isalnum() and not is_unspaced(line[-1]))


def _value(match: re.Match[str]) -> Fraction | None:
    if len(match[0]) > _MAX_DIGITS:
        return None
    if match["asian"] is not None:
        return sum((Fraction(digits) * product for digits, product in asian_terms(match["asian"])), Fraction(0))
    if match["a"] is not None or match["c"] is not None:
        value = _ratio(match["a"] or match["c"], match["b"] or match["d"])
        return value + int(match["whole"]) if value is not None and match["whole"] else value
    if match["mixed"] is not None:
        part = _ratio(match["e"], match["f"])
        return None if part is None else part + int(match["mixed"])
    if match["european"] is not None:
        return Fraction(match["european"].replace(".", "").replace(",", "."))
    return _plain_value(match)


def _plain_value(match: re.Match[str]) -> Fraction | None:
    digits = re.sub(r"[^\d]", "", match["integer"]) or "0"
    value = Fraction(digits + (match["fraction"] or "").replace(",", "."))
    exponent = int((match["exponent"] or "e0")[1:]) + int(match["ten"] or 0)
    if abs(exponent) > _MAX_DIGITS:
        return None
    value *= Fraction(10) ** exponent
    if match["to"]:
        if value > 1000:
            return None
        value **= int(match["to"])
    if match["over"]:
        below = Fraction(match["over"].strip("/ $"))
        if below == 0:
            return None
        value /= below
    return value * factor(match["scale"], currency=match["currency"] is not None) if match["scale"] else value


def _ratio(above: str, below: str) -> Fraction | None:
    return Fraction(int(above), int(below)) if int(below) else None


def find_number_words(text: str) -> Iterator[Number]:
    """Yield the numbers written in words: "twenty-one", "one hundred and five", "three and a half"."""
    for match in _WORD_NUMBER.finditer(text):
        total = Fraction(0)
        group = 0
        for word in re.findall(r"[a-z]+", match["words"].lower()):
            if word in _WORDS:
                group = group * 12 if word == "dozen" and group else group + _WORDS[word]
            elif word == "hundred":
                group = (group or 1) * 100
            elif word in _SCALES and group < 10**12:
                total, group = total + (group or 1) * _SCALES[word], 0
        value = total + group + (Fraction(1, 2) if match["half"] else 0)
        value = value / _PARTS[match["part"].lower()] if match["part"] else value
        yield Number(
            value=-value if match["sign"] else value, shown=match[0], start=match.start(), end=match.end(), decimals=0
        )

"""Recognize numbers written in Chinese characters: 十二, 三百二十, 两千零五, 二〇二四, 三分之一, 百分之二十五."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from askwell.tasks.grading.numbers.numerals import Number

_DIGITS = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "兩": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_RUN = "".join((*_DIGITS, *_SMALL, *_LARGE))
# 第三 is an ordinal; 一共, 一样, 万一, 十分 and 千万 are words
_NUMBER = re.compile(
    rf"(?<![第星期周{_RUN}])(?:(?P<below>[{_RUN}]{{1,8}})分之)?(?P<whole>[{_RUN}]{{1,16}})(?![{_RUN}共样樣起定般直些边])"
)
_COMMON_WORDS = {"万一", "十分", "千万", "一一", "百千", "千百"}
_STATES = re.compile(r"(?:[是为為:=は]|等于|等於)[ ]?$")
_FRACTION = re.compile(r"(\d+)分之(\d+)")
_PERCENT = re.compile(r"百分之[ ]?(\d+(?:\.\d+)?)")


def spell_fractions(text: str) -> str:
    """Write 百分之25 as 25% and 3分之1 as 1/3."""
    return _FRACTION.sub(r"\2/\1", _PERCENT.sub(r"\1%", text)) if "分之" in text else text


def find_han_numbers(text: str) -> Iterator[Number]:
    """Yield the numbers written in characters; a single character counts only alone or after 是, 为 and the like."""
    for match in _NUMBER.finditer(text):
        run = match["whole"]
        if run in _COMMON_WORDS or not set(run) & {*_DIGITS, "十"}:
            continue
        states = len(text) < 4 or _STATES.search(text[max(0, match.start() - 4) : match.start()]) is not None
        if len(run) == 1 and not match["below"] and not states:
            continue
        value = Fraction(_value(run))
        percent = match["below"] == "百"
        if match["below"] and not percent:
            below = _value(match["below"])
            value = value / below if below else value
        yield Number(
            value=value,
            shown=match[0],
            start=match.start(),
            end=match.end(),
            percent=percent,
            decimals=None if match["below"] and not percent else 0,
        )


def _value(run: str) -> int:
    if not set(run) & {*_SMALL, *_LARGE}:
        return int("".join(str(_DIGITS[character]) for character in run))  # 二〇二四
    total = section = digit = 0
    for character in run:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in _SMALL:
            section, digit = section + (digit or 1) * _SMALL[character], 0
        else:
            total, section, digit = (total + section + digit) * _LARGE[character], 0, 0
    return total + section + digit

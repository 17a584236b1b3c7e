"""Compare two numbers: exactly, but for percentages and for the rounding of periodic fractions."""

from __future__ import annotations

from fractions import Fraction

from askwell.tasks.grading.numbers.numerals import Number

_FREE_DECIMALS = 2
"""A rounding needs so many decimals: .33 is 1/3, but .3 is not."""
_LONG_DECIMALS = 5
"""A target with so many decimals is itself taken for a rounded value."""
_FLOAT_DECIMALS = 9
"""Numbers with more decimals may carry the error of floating-point arithmetic: 0.30000000000000004."""


def same_number(answer: Number, target: Number) -> bool:
    """Compare exactly: 12.4 is not 12, and -12 is not 12.

    Three exceptions: one of the two may be a percentage (50% equals .5 and 50); a periodic fraction may be rounded to
    two or more decimals (1/3 equals .33 and 33.33%); so may a target with five or more decimals.
    """
    if _equals(answer.value, target.value, answer.decimals, target.decimals):
        return True
    if answer.percent and not target.percent:
        return _equals(answer.value / 100, target.value, _shifted(answer.decimals), target.decimals)
    if target.percent and not answer.percent:
        return _equals(answer.value, target.value / 100, answer.decimals, _shifted(target.decimals))
    return False


def _shifted(decimals: int | None) -> int | None:
    """Return the decimals of a percentage as a fraction of 1: 33.3% is .333."""
    return None if decimals is None else decimals + 2


def _equals(answer: Fraction, target: Fraction, answer_decimals: int | None, target_decimals: int | None) -> bool:
    if answer == target:
        return True
    is_float = max(answer_decimals or 0, target_decimals or 0) > _FLOAT_DECIMALS
    if is_float and abs(answer - target) <= abs(target) * Fraction(1, 10**12):
        return True
    if answer_decimals is None:
        decimals = target_decimals or 0
        return decimals >= _FREE_DECIMALS and _half_up(answer, decimals) == target
    if target_decimals is None or target_decimals >= _LONG_DECIMALS:
        return answer_decimals >= _FREE_DECIMALS and _half_up(target, answer_decimals) == answer
    return False


def _half_up(value: Fraction, decimals: int) -> Fraction:
    scaled = abs(value) * 10**decimals + Fraction(1, 2)
    return Fraction(scaled.numerator // scaled.denominator, 10**decimals) * (1 if value >= 0 else -1)

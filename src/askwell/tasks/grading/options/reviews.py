"""Read a review of options: lines or a table that mark each option as right or wrong, without a conclusion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from askwell.tasks.grading.normalize import normalize_answer

_RIGHT_WORDS = (
    r"true|yes|right|correct|valid|accurate|正确|正確|对|對|是|正しい|正解|맞음|맞다|참|verdader[oa]|correct[oa]|"
    r"cierto|"
    r"sí|vrai|oui|richtig|korrekt|wahr|ja|верно|правильно|да|corret[oa]|certo|sim|vero|corretto|doğru|đúng|benar|"
    r"ถูก(?:ต้อง)?"
)
_WRONG_WORDS = (
    r"false|no|wrong|incorrect|invalid|inaccurate|untrue|错误|错|錯|不对|不是|否|不正确|間違い|誤り|不正解|틀림|"
    r"틀리다|거짓|"
    r"fals[oa]|incorrect[oa]|faux|non|falsch|nein|неверно|неправильно|нет|incorret[oa]|errad[oa]|não|sbagliat[oa]|"
    r"yanlış|sai|salah|ผิด"
)
_RIGHT_SIGNS, _WRONG_SIGNS = "✓✔✅☑🟢👍", "✗✘❌❎✕✖☒🔴👎"
_SIGN = rf"[{_RIGHT_SIGNS}{_WRONG_SIGNS}]"
_VERDICT = re.compile(
    rf"(?P<sign>{_SIGN})|"
    rf"(?:^|[-–—:|(\[→=,.;>]|\b(?:is|are|this|it's|that's|es|est|ist|è|é))[ \t]*(?P<negation>not[ ]|n't[ ])?"
    rf"(?:(?P<right>{_RIGHT_WORDS})|(?P<wrong>{_WRONG_WORDS}))(?=[ \t]*(?:$|[.,;:|)\]!\n–—]|-[ ]|{_SIGN})|"
    rf"[ ](?:because|since|as|\())",
    re.IGNORECASE,
)
_ITEM = rf"^[ \t|>]*(?:[-*•+][ \t]+|\d{{1,2}}[.)][ \t]+)?(?P<check>{_SIGN}️?|\[[ xX✓✔✗]\])?[ \t|]*"
_AFTER_LETTER = (
    rf"(?=[ \t]*(?:[.):|,\-–—=→(]|$|{_SIGN})|[ ](?:is|are)\b|[ ]?(?:{_RIGHT_WORDS}|{_WRONG_WORDS})[ ]*(?:$|[.,;|(]))"
)
_ROW = re.compile(
    rf"{_ITEM}(?:(?:option|choice|statement|answer|opción|选项|選択肢|보기)[ ]?)?[\"']?"
    rf"(?:\((?P<a>[A-Z])\)|\[(?P<b>[A-Z])\]|(?P<c>[A-Z]){_AFTER_LETTER})[.):]{{0,2}}(?P<rest>[^\n]*)$",
    re.IGNORECASE,
)
_TEXT_ROW = re.compile(rf"{_ITEM}(?P<name>[^\n|:(→]{{1,200}}?)[ \t]*(?P<rest>(?:[-–—][ ]|[:|(→]|{_SIGN}|$)[^\n]*)$")
# Where one option of a line ends: "A - false; B - true", "(A) ✗ (B) ✓"
_CLAUSE_END = re.compile(r"[;,][ ]+|(?<=[.!])[ ]+|\n|[ ]+(?=[(\[][A-Z][)\]])|(?<=[✓✔✅☑✗✘❌❎✕✖])[ ]+(?=[A-Z]\b)")
_ONLY_VERDICT = re.compile(rf"(?:{_RIGHT_WORDS}|{_WRONG_WORDS})", re.IGNORECASE)
_CONTINUED = 2
"""Lines below an option that may hold its verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    key: str
    verdict: bool | None
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionReview:
    """The options that a reply marks as right and as wrong."""

    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    """Named in the list, without a verdict."""
    start: int = 0
    """Where the first marked option begins in the text."""
    end: int = 0
    """Where the last marked option ends in the text."""

    @property
    def verdicts(self) -> int:
        """How many options have a verdict."""
        return len(self.right) + len(self.wrong)


def read_review(text: str, names: Mapping[str, str]) -> OptionReview:
    """Return the review in `text`; `names` maps the normalized text of an option to its letter or label.

    A review marks at least two options. Letters count as names if an option has one or `names` is empty.
    """
    letters = not names or any(len(key) == 1 for key in names.values())
    review = _collect(_rows(text, names, letters=letters))
    if review.verdicts < 2:
        review = _collect(_clauses(text, names, letters=letters))
    return review if review.verdicts > 1 else OptionReview()


def is_verdict(text: str) -> bool:
    """Return whether an option's text is itself a verdict ("Yes", "false"), so that its line says nothing about it."""
    return _ONLY_VERDICT.fullmatch(text) is not None


def chosen_option(review: OptionReview) -> tuple[str, str]:
    """Return the only option that is marked as right, else the only one that is not marked as wrong, and a note."""
    if len(review.right) == 1:
        return review.right[0], "the option that the reply marks as right"
    if review.right:
        return "", f"several options marked as right: {', '.join(review.right)}"
    if len(review.open) == 1:
        return review.open[0], "the option that the reply does not mark as wrong"
    return "", ""


def _collect(found: Iterable[_Row]) -> OptionReview:
    rows: dict[str, _Row] = {}
    for row in found:
        if row.key not in rows or rows[row.key].verdict is None:
            rows[row.key] = row
    return OptionReview(
        right=tuple(key for key, row in rows.items() if row.verdict is True),
        wrong=tuple(key for key, row in rows.items() if row.verdict is False),
        open=tuple(key for key, row in rows.items() if row.verdict is None),
        start=min((row.start for row in rows.values() if row.verdict is not None), default=0),
        end=max((row.end for row in rows.values() if row.verdict is not None), default=0),
    )


def _rows(text: str, names: Mapping[str, str], *, letters: bool) -> Iterator[_Row]:
    key, waited, end = "", 0, 0
    for line in text.split("\n"):
        start, end = end, end + len(line) + 1
        row = _row(line, names, letters=letters)
        if row:
            key, waited = row.key, 0
            yield replace(row, start=start, end=end)
        elif key and line.strip() and waited < _CONTINUED:
            waited += 1
            yield _Row(key=key, verdict=_verdict(line), start=start, end=end)


def _clauses(text: str, names: Mapping[str, str], *, letters: bool) -> Iterator[_Row]:
    start = 0
    for mark in [*_CLAUSE_END.finditer(text), None]:
        if row := _row(text[start : mark.start() if mark else len(text)], names, letters=letters):
            yield replace(row, start=start, end=mark.end() if mark else len(text))
        start = mark.end() if mark else len(text)


def _row(line: str, names: Mapping[str, str], *, letters: bool) -> _Row | None:
    if letters and (match := _ROW.match(line)):
        key = (match["a"] or match["b"] or match["c"]).upper()
    elif names and (match := _TEXT_ROW.match(line)) and (named := names.get(normalize_answer(match["name"]))):
        key = named
    else:
        return None
    return _Row(key=key, verdict=_checked(match["check"]) if match["check"] else _verdict(match["rest"]))


def _checked(mark: str) -> bool:
    return mark.strip("[]️") in {*_RIGHT_SIGNS, "x", "X"}


def _verdict(text: str) -> bool | None:
    match = _VERDICT.search(text[:1_000])
    return None if match is None else _is_right(match) != bool(match["negation"])


def _is_right(match: re.Match[str]) -> bool:
    return match["sign"] in _RIGHT_SIGNS if match["sign"] else match["right"] is not None

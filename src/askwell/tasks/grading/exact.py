"""Compare a reply with a target as a whole: the answer it states, without remarks, or an object as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import cast

from askwell.core.text import UNSPACED
from askwell.tasks.grading.answer_markers import Span, answer_regions, find_spans, unbox
from askwell.tasks.grading.normalize import normalize_answer, split_sentences, strip_markup, visible_text
from askwell.tasks.grading.reading import read_reply
from askwell.tasks.grading.reply.hidden_text import remove_hidden
from askwell.tasks.grading.vocabulary.foreign_cues import without_final_verb

# The start of a reason after an answer: "Paris, because …"
_REASON = re.compile(
    r",?[ ]+(?:because|since|as (?:it|the|he|she|they)|which|who|due to)\b|[ ]+[-–—][ ]+", re.IGNORECASE
)
# The start of an explanation on a later line
_NOTE_LINE = re.compile(
    r"\n[ \t]*\n|\n[ \t]*(?:explanation|reason(?:ing)?|note|because|this is|justification|rationale)\b", re.IGNORECASE
)
_LINKING = re.compile(
    r"(?:that )?(?:it's|it is|it was|it should be|should be|i mean|i meant|the answer is)[ ]+", re.IGNORECASE
)
# A remark after an answer: "negative - the reviewer hates it", "negative (…)", "negative: he hates it"
_REMARK = re.compile(
    r",?[ ]+(?:because|since|as (?:it|the|he|she|they)|due to|weil|denn|da|porque|ya que|pues|car|parce que|perché|"
    r"poiché|omdat|потому что|так как)\b|,[ ]?(?:因为|因為|なぜなら|왜냐하면)|"
    r";[ ]+(?=[^\W\d]\S*[ ]\S)|[ ]*\[(?=[^\[\]\n]{2,}\]$)|[ ]*[\u2600-\u27bf\U0001f300-\U0001faff\ufe0f]+[.!]?$|"
    r"[ ]+[-–—][ ]+(?=(?:(?:The|This|It|He|She|They|We|I|In|As|Because|Since|A|An)\b|[a-zà-öø-ÿа-я])\S*[ ]\S)|"
    r"[ ]*\((?=[^()\n]{2,}\)[.!]?[ ]*(?:\n|$))|:[ ]+(?=[^\W\d]\S*[ ]\S+[ ]\S)",
)
_KEY = re.compile(r"[^\W\d][\w'’-]{0,24}(?:[ ][\w'’-]{1,24}){0,2}[ ]?[:=→][ ]*(?=\S)")
_SUBJECT = re.compile(
    rf"(?:(?:the|this|that|my|its|their|his|her|el|la|los|las|le|les|l'|der|die|das|il|lo|o|a|os|as)[ ]?)?"
    r"(?:(?!(?:not|no|não|non|nicht|pas|не)\b)[^\W\d][\w-]{0,24}[ ]+){1,2}"
    r"(?:is|was|are|would be|es|son|est|ist|è|é|är|jest)[ ]*:?[ ]+(?=\S)"
    r"|(?:it|this|that)(?:'s|[ ]is)[ ]+|i(?:'d| would)[ ]say[ ]+(?:it's[ ]|it is[ ]|that[ ])?"
    rf"|(?:(?![不非])[{UNSPACED}]){{1,10}}?(?:是|为|為|は|属于|:)[ ]*(?=\S)",
    re.IGNORECASE,
)
_LONGEST_STATEMENT = 300
"""Longest sentence of which "The … is ANSWER" is read, in characters."""
_CODE_BLOCK = re.compile(r"^[ \t]*```[\w+-]*[ \t]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*[-*•][ \t]+")
_OPTION_MARK = re.compile(r"^[ \t]*\(?[A-Za-z][.)][ ]+(?=\S{2})")


def exact_answers(reply: str) -> Iterator[str]:
    """Yield candidate answers for an exact comparison: the whole text, the stated answer, its parts, the last line.

    A stated answer ends at the end of its line, at the end of its sentence, or before a reason ("Paris, because …").
    """
    reading = read_reply(reply)
    bare = strip_markup(reading.text)
    if reading.is_structured:
        yield reading.whole  # a target may itself be an object
    yield reading.text
    for region in answer_regions(bare):
        if stated := next(find_spans(region), None):
            yield from _readings(stated)
            return
        if region is not bare:
            yield _LINKING.sub("", region.strip(), count=1)
    if labelled := next(find_spans(bare, "text"), None):
        yield from _readings(labelled)
    yield unbox(bare)
    if cut := _NOTE_LINE.search(bare):
        yield bare[: cut.start()]
    lines = [line for line in bare.split("\n") if line.strip()]
    if lines:
        yield lines[-1]
        yield _OPTION_MARK.sub("", lines[-1]) if len(lines) > 1 else _BULLET.sub("", lines[-1])
    if len(list(answer_regions(bare))) == 1:  # a corrected answer counts only where the correction states it
        yield from _without_remarks(lines)


def _without_remarks(lines: list[str]) -> Iterator[str]:
    """Yield the answer before a remark, and behind "KEY:" or "The … is" in the first or last line."""
    for line in dict.fromkeys(_BULLET.sub("", line) for line in (*lines[:1], *lines[-1:])):
        sentences = split_sentences(line[:_LONGEST_STATEMENT])[:2]
        if sentences[0].endswith("?"):
            continue
        for part in (line[:_LONGEST_STATEMENT], *sentences[:1]):
            stated = part[match.end() :] if (match := _KEY.match(part) or _SUBJECT.match(part)) else ""
            for text in filter(None, (part, stated)):
                yield from (text[: remark.start()] for remark in [*_REMARK.finditer(text)][:3])
                yield without_final_verb(text)
        yield sentences[0]


def _readings(span: Span) -> Iterator[str]:
    line = unbox(span.line)
    for part in (line, *split_sentences(line)[:1]):
        yield part
        yield from (part[: match.start()] for match in [*_REASON.finditer(part), *_REMARK.finditer(part)][:5])
        yield without_final_verb(part)
    yield span.block


def same_text(reply: str, target: str) -> str | None:
    """Return the candidate answer of `reply` that equals `target` after normalization, or None.

    A target that is a JSON object or list is compared as JSON: spaces and the order of keys do not count.
    """
    wanted = normalize_answer(visible_text(target))
    if (
        same := next((answer for answer in exact_answers(reply) if normalize_answer(answer) == wanted), None)
    ) is not None:
        return same
    value = _parse_json(target.strip())
    if value is None:
        return None
    return next((text for text in _json_texts(reply) if _same_json(_parse_json(text), value)), None)


def _json_texts(reply: str) -> Iterator[str]:
    """Yield where a reply may hold JSON: its code blocks, last first, and from its first brace to its last."""
    text = remove_hidden(reply)
    yield from reversed([match[1].strip() for match in _CODE_BLOCK.finditer(text)])
    for opening, closing in ("{}", "[]"):
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end:
            yield text[start : end + 1]


def _parse_json(text: str) -> object:
    """Return the object or list that `text` is; None if it is none."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return None


def _same_json(first: object, second: object) -> bool:
    """Compare JSON values; 1 equals 1.0, but not true."""
    if isinstance(first, dict) and isinstance(second, dict):
        left, right = cast("dict[str, object]", first), cast("dict[str, object]", second)
        return left.keys() == right.keys() and all(_same_json(left[key], right[key]) for key in left)
    if isinstance(first, list) and isinstance(second, list):
        items, others = cast("list[object]", first), cast("list[object]", second)
        return len(items) == len(others) and all(map(_same_json, items, others))
    return isinstance(first, bool) == isinstance(second, bool) and first == second

"""Find the answer of a structured reply: the answer field of a JSON object or Python dict, or an answer tag.

The object is the whole reply, its last code block, or an object within prose. Its answer field is found by its name
("answer", "final_answer", "finalAnswer", "result", "label", …). The other fields (reasoning, confidence, …) are not
read. An object without such a field is prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from askwell.tasks.grading.answer_markers import corrects, find_spans
from askwell.tasks.grading.reply.lenient_json import Value, parse_value

_MAX_OBJECTS = 50
"""Number of places in a reply where an object is looked for, from the last backwards; it bounds the time."""

_BEFORE = (
    r"(?:(?:the|my|your|final|correct|right|best|predicted|model|selected|chosen|short|direct|overall|main|exact|"
    r"numeric|numerical|extracted|computed|calculated|answer|class|최종|정확한)\s|最终|最終|最后|正确|正しい)*"
)
_AFTER = r"(?:\s(?:value|text|letter|label|choice|option|number|key|id|name|index|string|list|final))?"
_STRONG_KEY = re.compile(
    rf"{_BEFORE}(?:final\s)?(?:answers?|ans|respuesta|réponse|reponse|antwort|resposta|risposta|antwoord|svar|"
    rf"odpowiedź|cevap|jawaban|ответ|відповідь|答案|答え|回答|解答|정답|답|답변|الإجابة|الجواب|उत्तर|คำตอบ|đáp án|"
    rf"trả lời){_AFTER}|final",
)
_WEAK_KEYS = [
    re.compile(rf"{_BEFORE}(?:{names}){_AFTER}")
    for names in (
        "results?|resultado|résultat|ergebnis|risultato|результат|结果|結果|결과",
        "predictions?|predicted",
        "labels?|class|classification|category|sentiment|emotion|intent|topic|etiqueta|kategorie|标签|类别",
        "choice|option|selected|selection|letter|pick|选项|选择|選択肢",
        "verdict|decision|conclusion|judge?ment|outcome|truth value|is valid|valid",
        "solution|output|response|reply|completion|content|text|lösung|solución",
        "(?:value|total|sum|amount|number|count|quantity|price|cost|valor|wert|valeur)(?:\\s\\w+){0,3}",
    )
]
# Fields beside an answer; if one other field remains, it is the answer: {"capital": "Paris", "confidence": 0.9}
_BESIDE = re.compile(
    r"(?:\w+\s)*(?:reason(?:ing|s)?|explanations?|rationale|justification|thoughts?|thinking|thought process|"
    r"analysis|steps?|work|working|chain of thought|cot|confidence|certainty|probability|likelihood|score|units?|"
    r"currency|notes?|comments?|sources?|references?|citations?|evidence|question|query|input|problem|context|id|"
    r"rejected|eliminated|alternatives?|others?|choices|options|candidates|language|type|format|status|metadata|meta|"
    r"details?|description|summary|logic|calculations?|equations?|formula|assumptions?|warnings?|tokens?|version)"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OBJECT_START = re.compile(r"\{\s{0,200}(?:[\"'“]|[A-Za-z_]{2,20}\s{0,20}:)")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.MULTILINE)
_INLINE_FENCE = re.compile(r"`{1,3}(?:json|python)?[ \t\n]*|[ \t\n]*`{1,3}", re.IGNORECASE)
_QUOTED_ITEM = re.compile(r"\[\s*(?:[\"'{]|-?[\d.]+\s*[,\]])")

_STRONG_TAGS = r"(?:final|the|my|correct)?[_ -]?answer"
_WEAK_TAGS = (
    r"results?|output|label|choice|response|solution|prediction|option|category|class|verdict|value|letter|selection|"
    r"classification|sentiment|emotion|intent|topic|final|conclusion"
)
_TAG = re.compile(rf"<(/?)(?:(?P<answer>{_STRONG_TAGS})|(?P<other>{_WEAK_TAGS}))(?:\s[^<>]{{0,100}})?>", re.IGNORECASE)
# "[ANSWER]12[/ANSWER]"
_BRACKET_TAG = re.compile(rf"\[({_STRONG_TAGS}|{_WEAK_TAGS})\]([^\[\]]{{0,2000}})\[/\1\]", re.IGNORECASE)
# "[[Paris]]"
_DOUBLE_BRACKETS = re.compile(r"\[\[([^\[\],]{1,200})\]\]")
_ELEMENT = re.compile(r"<([A-Za-z][\w-]{0,40})(?:\s[^<>]{0,100})?>([^<>]*)</\1\s*>")
_RIGHT_MARKS = {"true", "yes", "correct", "right", "✓", "✔", "✅"}
_WRONG_MARKS = {"false", "no", "incorrect", "wrong", "✗", "✘", "❌"}
_BLANK = {"", "...", "…"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Structured:
    """The answers of a structured reply, as text: several if the field is a list, "" for an empty field."""

    answers: tuple[str, ...]
    named: bool = True
    """The field or tag is called "answer", so that prose after it is an explanation and no second answer."""


def find_structured(text: str) -> Structured | None:
    """Return the answers that a structured reply states; None if the reply is prose.

    Prose after a block, an object or a tag takes precedence if it corrects the answer, or if it states an answer and
    the field is only called "result", "label" or the like.
    """
    bare = _BRACKET_TAG.sub(r"<\1>\2</\1>", text.strip())
    if whole := _read_whole(bare):
        return whole
    places = [*_read_tags(bare), *_read_block(bare), *_read_object_within(bare)]
    return next((structured for structured, after in places if not _is_replaced(structured, after)), None)


def _is_replaced(structured: Structured, after: str) -> bool:
    if not after.strip():
        return False
    return corrects(after) or (not structured.named and next(find_spans(after), None) is not None)


def _read_whole(text: str) -> Structured | None:
    """Read a text that is one object or list and nothing else."""
    text = _unfenced(text)
    if double := _DOUBLE_BRACKETS.fullmatch(text):
        return Structured(answers=(double[1].strip(),))
    is_list = text.startswith("[") and _QUOTED_ITEM.match(text)
    if not is_list and not _OBJECT_START.match(text):
        return None
    parsed = parse_value(text)
    if parsed is None or text[parsed[1] :].strip(" \t\n;.,"):
        return None
    return _pick(parsed[0])


def _unfenced(text: str) -> str:
    lines = text.split("\n")
    if len(lines) > 1 and _FENCE.fullmatch(lines[0]):
        end = next((i for i in range(1, len(lines)) if _FENCE.fullmatch(lines[i])), len(lines))
        return "\n".join(lines[1:end]).strip() if not "".join(lines[end + 1 :]).strip() else text
    if text.startswith("`") and text.endswith("`"):
        return _INLINE_FENCE.sub("", text).strip()
    return text


def _read_block(text: str) -> Iterator[tuple[Structured, str]]:
    """Yield the object in the last code block, and the text after the block."""
    fences = list(_FENCE.finditer(text))
    if not fences:
        return
    closed = len(fences) % 2 == 0
    start, end = (fences[-2].end(), fences[-1].start()) if closed else (fences[-1].end(), len(text))
    if whole := _read_whole(text[start:end].strip()):
        yield whole, text[fences[-1].end() :] if closed else ""


def _read_object_within(text: str) -> Iterator[tuple[Structured, str]]:
    """Yield the last object in prose that has an answer field, and the text after it."""
    position = 0
    objects: list[tuple[Structured, str]] = []
    for start in [match.start() for match in _OBJECT_START.finditer(text)][-_MAX_OBJECTS:]:
        if start >= position and (parsed := parse_value(text, start)):  # not within the previous object
            position = parsed[1]
            if picked := _pick(parsed[0], only_named=True):
                objects.append((picked, text[position:]))
    yield from objects[-1:]


def _read_tags(text: str) -> Iterator[tuple[Structured, str]]:
    """Yield the content of the last answer tag, or of the last tag such as <label>, and the text after it.

    The last tag may lack its closing tag, which is often the stop sequence; the only tag may lack its opening one,
    which may stand in the prompt. A reply that is one element of any name is its content.
    """
    tags = list(_TAG.finditer(text)) if "<" in text else []
    if not tags and (element := _ELEMENT.fullmatch(text)) and element[2].strip() not in _BLANK:
        yield Structured(answers=(element[2].strip(),), named=False), ""
    if tags and not tags[-1][1] and (tags[-1]["answer"] or tags[-1].start() == 0) and text[tags[-1].end() :].strip():
        yield _tagged(text[tags[-1].end() :].strip(), tags[-1]), ""
        return
    if len(tags) == 1 and tags[0][1] and tags[0]["answer"] and text[: tags[0].start()].strip():
        yield _tagged(text[: tags[0].start()].strip(), tags[0]), text[tags[0].end() :]
        return
    for group in ("answer", "other"):
        for opening, closing in reversed(list(pairwise(tags))):
            content = text[opening.end() : closing.start()].strip()
            if opening[group] and closing[group] and not opening[1] and closing[1] and content not in _BLANK:
                yield _tagged(content, opening), text[closing.end() :]
                return


def _tagged(content: str, tag: re.Match[str]) -> Structured:
    inner = find_structured(content)
    return Structured(answers=inner.answers if inner else (content,), named=tag["answer"] is not None)


def _pick(value: Value, *, only_named: bool = False) -> Structured | None:
    """Return the answers of a parsed value; with `only_named`, only a field with the name of an answer counts."""
    if not isinstance(value, dict):
        texts = tuple(_answers(value))
        return Structured(answers=texts) if texts else None
    fields = {_spell(key): inner for key, inner in value.items()}
    if letters := _marked_letters(fields):
        return Structured(answers=letters, named=False)
    for pattern in (_STRONG_KEY, *_WEAK_KEYS):
        for key, inner in fields.items():
            if pattern.fullmatch(key):
                return Structured(answers=tuple(_answers(inner)) or ("",), named=pattern is _STRONG_KEY)
    rest = [inner for key, inner in fields.items() if not _BESIDE.fullmatch(key)]
    nested = (_pick(inner, only_named=True) for inner in rest if isinstance(inner, dict))
    if picked := next(filter(None, nested), None):
        return picked
    rest = list(fields.values()) if len(fields) == 1 else rest
    if only_named or len(rest) != 1:
        return None
    return Structured(answers=tuple(_answers(rest[0])) or ("",), named=False)


def _marked_letters(fields: Mapping[str, Value]) -> tuple[str, ...]:
    """Return the options that an object marks as right: {"A": false, "B": true}."""
    if len(fields) < 2 or any(len(key) != 1 or not key.isalpha() for key in fields):
        return ()
    marks = [inner.strip().casefold() if isinstance(inner, str) else "" for inner in fields.values()]
    if not all(mark in _RIGHT_MARKS or mark in _WRONG_MARKS for mark in marks):
        return ()
    return tuple(key.upper() for key, mark in zip(fields, marks, strict=True) if mark in _RIGHT_MARKS)


def _answers(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield "" if value in ("null", "None", "undefined") else value
    elif isinstance(value, dict) and (picked := _pick(value)):
        yield from picked.answers
    else:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _answers(inner)


def _spell(key: str) -> str:
    """Write "finalAnswer", "final-answer" and "Final Answer" as "final answer"."""
    return " ".join(re.split(r"[\s_\-.:]+", _CAMEL.sub(" ", key).casefold())).strip()

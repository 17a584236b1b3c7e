"""Find where a reply states its answer: after "The answer is", in a box, behind "####", or in an <answer> tag.

One rule applies to all answer types: a stated answer takes precedence over the rest of the reply, the last statement
over earlier ones, and a correction ("wait, …") over the text before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from askwell.tasks.grading.vocabulary.first_impressions import after_first_impression
from askwell.tasks.grading.vocabulary.foreign_cues import FOREIGN_CUE

MAX_SPAN = 4_000
"""Longest text that is read as one stated answer, in characters."""
MAX_CUES = 200
"""Number of statements read, from the last backwards. It bounds the time spent on a reply that repeats itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stated answer: the rest of its line (or the next line), and the rest of its paragraph."""

    line: str
    block: str
    start: int
    loose: bool = False
    """Introduced by punctuation ("Answer: …"), after which some models continue to reason."""
    boxed: bool = False


MAX_TAIL = 20_000
"""If no answer is stated, only the end of the reply is read, up to this many characters: answers come last."""

_LINK = r"(?:is|are|was|were|be|being|been|equals?|becomes?|remains?|comes?[ ]+(?:out[ ]+)?to)"
_WITHIN = r"(?:[^.\n:?!;]|\.(?=\d)){0,80}?"
_COLON = r"\.?[\"'*]{0,2}[ \t]*(?:\([^()\n]{0,60}\)[ \t]*)?(?:\#?\d{1,3}[ \t]*)?(?::|={1,2}>?|-+>|→|⇒|[-–—][ \t])"


def _noun_cue(nouns: str) -> re.Pattern[str]:
    return re.compile(
        rf"\b(?:{nouns})\b(?!['’\w]|[ ]+(?:choices|options|key)\b)"
        rf"(?:{_COLON}|{_WITHIN}\b{_LINK}\b(?:[ \t]*:)?|\.?[ \t]+(?=[-+$(\[\\]*\d|\([A-Za-z]\)))"
        rf"|^[ \t]*(?:\w+[ ]){{0,2}}(?:{nouns})[ \t]*\n",
        re.IGNORECASE | re.MULTILINE,
    )


_ANSWER = _noun_cue(r"answers?|ans")
_ANSWERS = re.compile(r"\b(?:the|my|correct|right|final|best)[ ]answer['’]s[ ](?!\w+ing\b)", re.IGNORECASE)
_HASHES = re.compile(r"\#{4}[ \t]*(?=[-+$\\]*\.?\d)")
_BARE_A = re.compile(r"^[ \t]*A[ \t]*:(?=[ \t]*\S)", re.MULTILINE)
_TAG = re.compile(r"<(?:final_)?answer>", re.IGNORECASE)
_CLOSING_TAG = re.compile(r"</(?:final_)?answer>", re.IGNORECASE)
_BOX = re.compile(r"\\(?:boxed|fbox|framebox)[ \t]*(?:\{|(?=[\w-]))")

LABELS: dict[str, re.Pattern[str]] = {
    "number": _noun_cue(r"final[ ]+(?:result|value|total|amount|count|number)"),
    "choice": _noun_cue(r"options?|choices?|selection|pick|letter"),
    "text": _noun_cue(
        r"category|label|class|sentiment|emotion|topic|classification|prediction|verdict|output|conclusion|result|"
        r"solution|response|option|choice|type"
    ),
    "words": _noun_cue(r"sorted(?:[ ]+(?:list|words|order))?|alphabetical(?:ly)?(?:[ ]+order)?|output|result|solution"),
    "brackets": _noun_cue(r"output|result|solution|closing|completion|remaining|rest|sequence"),
    "boolean": _noun_cue(r"verdict|conclusion|output|result|label|prediction"),
}
"""Weaker cues by answer type: read only if no answer cue leads to an answer."""

# "if the answer is 5" states no answer
_HYPOTHETICAL = re.compile(
    r"\b(?:if|whether|assuming|suppose|unless|thought)[ ]+(?:that[ ]+)?(?:[a-z]+[ ]+){0,2}$", re.IGNORECASE
)
# "a common wrong answer is 10", "many people mistakenly answer 10"
_MISTAKEN = re.compile(
    r"\b(?:wrong|incorrect|mistaken|mistakenly|wrongly|incorrectly|erroneously)[ ]+$"
    r"|\b(?:people|students|others|some)[ ]+(?:[a-z]+[ ]+){0,2}$",
    re.IGNORECASE,
)
# "the answer is helpful" states no answer
_REMARK = re.compile(
    r"[ ]*(?:helpful|clear|correct|incorrect|right|wrong|useful|based on|in the form|as follows[ ]*$)\b", re.IGNORECASE
)
# "Wait, …" or "Correction: …" at the start of a clause
_REVISION = re.compile(
    r"(?:^|[.!?;,:\n—–…(])[ \t\n]{0,8}(?:(?:oh|hmm+|oops|but|no|or|ah|ok|okay|well)\b[,.! ]{0,4}){0,3}"
    r"(?:wait|actually|correction|oops|scratch that|on second thought|hold on|sorry|or rather|my mistake|"
    r"let me (?:correct|fix|redo|re-?(?:check|do|calculate|compute|consider|count|think|evaluate|examine|verify))|"
    r"i (?:made|see) (?:a|an|my) (?:\w+ )?(?:mistake|error)|i was wrong|i meant)\b[,:.!… -]*"
    r"|(?:^|[.!?;,\n])[ \t\n]{0,8}(?:however|but|in (?:fact|reality|truth)|actually),?[ ]"
    r"(?=the (?:correct|right|real|true|actual)[ ](?:\w+[ ])?(?:is|was|should be|would be|must be)\b)",
    re.IGNORECASE,
)
# In "No, wait, yes" the first word is an answer, not part of the correction
_VERDICT_FIRST = re.compile(r"no\b", re.IGNORECASE)
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


def answer_regions(text: str) -> Iterator[str]:
    """Yield the text after the last correction and after an overruled first impression, if any, then the whole text."""
    corrections = [match for match in _REVISION.finditer(text) if match.start() > 0 or _VERDICT_FIRST.match(text)]
    if corrections and (tail := text[corrections[-1].end() :]).strip():
        yield tail
    if tail := after_first_impression(text):
        yield tail
    yield text


def corrects(text: str) -> bool:
    """Return whether `text`, which follows an answer, starts a correction of it ("Wait, …")."""
    return _REVISION.search(text) is not None


def find_spans(text: str, label: str = "") -> Iterator[Span]:
    """Yield the stated answers of `text`, most reliable first: the answer cues, last first, then the weaker cues."""
    cues = [
        match.end()
        for pattern in (_ANSWER, _ANSWERS)
        for match in pattern.finditer(text)
        if not _states_none(text[max(0, match.start() - 30) : match.start()])
    ]
    cues += [match.end() for pattern in (_HASHES, _TAG, _BARE_A, FOREIGN_CUE) for match in pattern.finditer(text)]
    candidates = [_span(text, end) for end in sorted(cues)[-MAX_CUES:]]
    candidates += [_box(text, match.end()) for match in list(_BOX.finditer(text))[-MAX_CUES:]]
    yield from (span for span in sorted(candidates, key=lambda span: -span.start) if _worth_reading(span))
    if label:
        yield from find_labelled(text, label)


def find_labelled(text: str, label: str) -> Iterator[Span]:
    """Yield the answers behind the weaker cues of `LABELS[label]`, last first."""
    ends = [match.end() for match in LABELS[label].finditer(text)][-MAX_CUES:]
    yield from (span for span in (_span(text, end) for end in reversed(ends)) if _worth_reading(span))


def unbox(text: str) -> str:
    r"""Replace a box by its content, so that "$\\boxed{42}$" becomes "$42$"."""
    match = _BOX.search(text)
    if match is None:
        return text
    span = _box(text, match.end())
    return f"{text[: match.start()]}{span.block}{text[span.start + len(span.block) + 1 :]}"


def _states_none(before: str) -> bool:
    return bool(_HYPOTHETICAL.search(before) or _MISTAKEN.search(before))


def _worth_reading(span: Span) -> bool:
    return bool(span.line) and not _REMARK.match(span.line)


def _span(text: str, end: int) -> Span:
    rest = text[end : end + MAX_SPAN]
    if text[max(0, end - 4) : end].replace(" ", "").endswith('":') and rest.lstrip().startswith('"'):
        return _quoted(rest.lstrip(), end)
    closing = _CLOSING_TAG.search(rest)
    rest = (rest[: closing.start()] if closing else rest).lstrip()
    blank = _BLANK_LINE.search(rest)
    block = rest[: blank.start()] if blank else rest
    loose = text[max(0, end - 8) : end].rstrip(" \t")[-1:] in {":", "=", ">", "→", "-", "–", "—", "\n"}
    return Span(line=block.split("\n", 1)[0].strip(), block=block.strip(), start=end, loose=loose)


def _quoted(rest: str, start: int) -> Span:
    """Read the string of a JSON reply such as {"answer": "Paris"}."""
    try:
        inner = str(json.JSONDecoder(strict=False).raw_decode(rest)[0])
    except ValueError:
        inner = rest.strip('"{}, \n')
    return Span(line=" ".join(inner.split()), block=inner, start=start)


def _box(text: str, start: int) -> Span:
    depth = 1
    if text[start - 1] != "{":  # \boxed 5
        content = re.match(r"-?[\w.,/]+", text[start : start + 80])
        inner = content[0] if content else ""
        return Span(line=inner, block=inner, start=start, boxed=True)
    end = start
    for end in range(start, min(len(text), start + MAX_SPAN)):
        escaped = text[end - 1] == "\\"
        depth += (text[end] == "{" and not escaped) - (text[end] == "}" and not escaped)
        if depth == 0:
            break
    else:
        end = min(len(text), start + MAX_SPAN)
    inner = text[start:end]
    return Span(line=" ".join(inner.split()), block=inner, start=start, boxed=True)

"""Compare free text: exact, contained, by pattern, by token overlap (SQuAD F1), by longest common subsequence."""

from __future__ import annotations

import json
import re
import string
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator

from askwell.core.errors import DataError
from askwell.tasks.grading.answer_markers import Span, answer_regions, find_spans, unbox
from askwell.tasks.grading.normalize import (
    normalize_answer,
    split_sentences,
    strip_markup,
    strip_outer,
    visible_text,
)
from askwell.tasks.grading.reading import read_reply
from askwell.tasks.grading.reply.hidden_text import remove_hidden

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
_BULLET = re.compile(r"^[ \t]*[-*•][ \t]+")
_OPTION_MARK = re.compile(r"^[ \t]*\(?[A-Za-z][.)][ ]+(?=\S{2})")

PATTERN_TIMEOUT_S = 5.0
"""A pattern that takes longer than this on one reply raises `DataError`."""
# A repeat within a repeat, such as (a+)+: the shape that backtracks exponentially
_NESTED = re.compile(r"\([^()]*(?:[*+]|\{\d+,\})[^()]*\)(?:[*+]|\{\d+,\d*\})|\)[^()]*\)(?:[*+]|\{\d+,\d*\})")
_UNBOUNDED = re.compile(r"(?<!\\)(?:[*+]|\{\d+,\})")
_WORKER = (
    "import json,re,sys;pattern,text=json.load(sys.stdin);found=re.search(pattern,text);"
    "json.dump(None if found is None else found[0],sys.stdout)"
)

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ROUGE_TOKEN = re.compile(r"[a-z0-9]+")
_ANY_TOKEN = re.compile(r"\w+")


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


def _readings(span: Span) -> Iterator[str]:
    line = unbox(span.line)
    for part in (line, *split_sentences(line)[:1]):
        yield part
        yield from (part[: match.start()] for match in [*_REASON.finditer(part)][:3])
    yield span.block


def same_text(reply: str, target: str) -> str | None:
    """Return the candidate answer of `reply` that equals `target` after normalization, or None."""
    wanted = normalize_answer(visible_text(target))
    return next((answer for answer in exact_answers(reply) if normalize_answer(answer) == wanted), None)


def contains(reply: str, target: str) -> bool:
    """Return whether `target` occurs in `reply` as whole words, ignoring case and spacing; 12 is not in 12.4 or -12."""
    wanted = " ".join(strip_markup(visible_text(target)).casefold().split())
    wanted = wanted.strip(".,;:!?\"'`* ") or wanted
    if not wanted:
        return False
    before = r"(?<!\w)" if wanted[0].isalnum() or wanted[0] == "_" else ""
    after = r"(?!\w)" if wanted[-1].isalnum() or wanted[-1] == "_" else ""
    if wanted[0].isdigit():
        before += r"(?<!\d[.,])(?<!^-)(?<![\s($=:]-)"
    if wanted[-1].isdigit():
        after += r"(?![.,]\d)"
    pattern = before + r"\s+".join(re.escape(part) for part in wanted.split(" ")) + after
    texts = {visible_text(reply).casefold(), strip_markup(visible_text(reply)).casefold()}
    return any(re.search(pattern, text) for text in texts)


def search(reply: str, pattern: str) -> str | None:
    """Return the match of `pattern` in the reply (without thinking blocks and outer whitespace), or None.

    Raise `DataError` if the pattern does not compile or takes longer than `PATTERN_TIMEOUT_S`. A search that may
    backtrack exponentially runs in a process that can be stopped, which costs about 20 ms.
    """
    try:
        pattern = unicodedata.normalize("NFC", pattern)
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise DataError(f"target {pattern!r} is not a regular expression: {error}") from error
    text = remove_hidden(unicodedata.normalize("NFC", reply))
    repeats = len(_UNBOUNDED.findall(pattern))
    if _NESTED.search(pattern) or (repeats > 1 and len(text) > 2_000) or (repeats and len(text) > 20_000):
        return _search_in_process(pattern, text)
    match = compiled.search(text)
    return match[0] if match else None


def token_f1(reply: str, target: str) -> float:
    """Return the SQuAD F1: token overlap, lower-case, without punctuation and articles."""
    predicted, wanted = _squad_tokens(read_reply(reply).message), _squad_tokens(target)
    common = sum((Counter(predicted) & Counter(wanted)).values())
    if not common:
        return float(bool(wanted) and predicted == wanted)
    precision, recall = common / len(predicted), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def rouge_l(reply: str, target: str) -> float:
    """Return the ROUGE-L F-measure of the rouge-score package (lower case, tokens [a-z0-9]+, no stemming).

    A target without such tokens (another script) is compared by its Unicode words.
    """
    token = _ROUGE_TOKEN if _ROUGE_TOKEN.search(target.lower()) else _ANY_TOKEN
    said = read_reply(reply).message
    predicted, wanted = token.findall(said.lower()), token.findall(visible_text(target).lower())
    common = longest_common_subsequence(wanted, predicted)
    if not common:
        return float(bool(target.strip()) and normalize_answer(said) == normalize_answer(visible_text(target)))
    precision, recall = common / len(predicted), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def longest_common_subsequence(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence, bit-parallel on big integers (Hyyrö 2004)."""
    positions: dict[str, int] = {}
    for index, token in enumerate(first):
        positions[token] = positions.get(token, 0) | (1 << index)
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        matched = row & positions.get(token, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(first) - row.bit_count()


def _squad_tokens(text: str) -> list[str]:
    flat = visible_text(text).lower().translate(_NO_PUNCTUATION)
    return _ARTICLES.sub(" ", flat).split() or flat.split() or strip_outer(visible_text(text)).lower().split()


def _search_in_process(pattern: str, text: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter runs our own program; pattern and text are data
            [sys.executable, "-I", "-S", "-c", _WORKER],
            input=json.dumps([pattern, text]).encode(),
            capture_output=True,
            timeout=PATTERN_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"target {pattern!r} took longer than {PATTERN_TIMEOUT_S:g} s on one reply; "
            "avoid nested repeats such as (a+)+"
        ) from error
    if done.returncode:
        raise DataError(f"target {pattern!r} could not be searched: {done.stderr.decode(errors='replace')[-200:]!r}")
    match: str | None = json.loads(done.stdout)
    return match

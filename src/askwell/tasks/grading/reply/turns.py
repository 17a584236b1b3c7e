"""Cut the questions and answers that a base model adds after its answer."""

from __future__ import annotations

import re

from askwell.tasks.grading.answer_markers import corrects, find_spans

# "Q: …" starts the next example whatever precedes it
_NEXT_TURN = re.compile(r"\n[ \t]*(?:\*\*)?(?:Q|Question|User|Human)(?:\*\*)?[ \t]*\d{0,3}[ \t]*:", re.IGNORECASE)
# "Problem 2: …" or "### Question" may also be a heading within the reply, so an answer must precede it
_NEXT_EXAMPLE = re.compile(
    r"\n[ \t]*(?:\d{1,2}[.)][ \t]*)?(?:#{1,6}[ \t]*|\*\*)?"
    r"(?:(?:here(?:'s| is)[ ])?(?:a[ ])?(?:next|new|another|second|similar)[ ])?"
    r"(?:problem|examples?|exercise|question|instruction|input|task|prompt|query|passage|context|q|user|human|"
    r"pregunta|problema|ejemplo|frage|aufgabe|beispiel|exemple|problème|exercice|domanda|esempio|pergunta|вопрос|"
    r"задача|пример|问题|題目|题目|问|例题?|例子|質問|問題|問|질문|문제|예제)"
    r"(?:[ \t]*#?\d{1,3}\b|(?=[ \t]*(?::|\*\*|\n)))[ \t]*(?:\*\*)?[ \t]*[:.\n]",
    re.IGNORECASE,
)
_HASHES = re.compile(r"^\#{4}[ \t]*[-+$\\]*\.?\d(?!\d{0,2}[.)][ \t])[^\n]*", re.MULTILINE)
_FEW_WORDS = 6
"""So few words before "Problem 2: …" are an answer ("9"), unless they are a preamble."""
_PREAMBLE = re.compile(r"[^\n]*:$|(?:step|first|let|here|sure|okay|ok|to|we|given|of course)\b", re.IGNORECASE)


def first_turn(text: str) -> str:
    r"""Return the text before the next question that a base model invents ("\\nQ: …", "\\n\\nProblem 2: …")."""
    turn = _NEXT_TURN.search(text)
    if turn and (before := text[: turn.start()].strip()):
        text = before
    for example in _NEXT_EXAMPLE.finditer(text):
        before = text[: example.start()].strip()
        if before and _answers(before):
            text = before
            break
    return _until_second_hashes(text)


def _answers(text: str) -> bool:
    bare = len(text.split()) <= _FEW_WORDS and _PREAMBLE.match(text) is None
    return bare or next(find_spans(text), None) is not None


def _until_second_hashes(text: str) -> str:
    """Cut after the first "#### 9" if another one follows that is no correction."""
    hashes = [match.end() for match in _HASHES.finditer(text)]
    if len(hashes) > 1 and not corrects(text[hashes[0] :]):
        return text[: hashes[0]]
    return text

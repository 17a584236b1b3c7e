"""Leave out the sentences in which a reply declines to answer: "I cannot determine it from the 3 facts given"."""

from __future__ import annotations

import re

_REFUSAL = re.compile(
    r"\b(?:i|we|one)(?:'m|'re)?[ ](?:am[ ]|are[ ])?(?:sorry[ ,]+(?:but[ ])?i[ ])?(?:really[ ]|simply[ ]|"
    r"just[ ])?(?:cannot|can't|can[ ]not|could[ ]not|couldn't|am[ ]unable|unable|not[ ]able|"
    r"won't)[ ](?:to[ ])?(?:be[ ])?(?:\w+ly[ ])?(?:determine|answer|solve|calculate|compute|count|"
    r"estimate|see|view|access|identify|read|tell|say|provide|help|"
    r"assist|find|give|know|conclude|infer|work[ ]out|figure)\b"
    r"|\bi[ ](?:do[ ]not|don't|really[ ]don't)[ ]know\b|\bi(?:'m| am)[ ]unable[ ]to\b|\bi have no idea\b"
    r"|\b(?:need|require)[ ]more[ ](?:information|context|details|data|facts)\b"
    r"|\b(?:can(?:not|'t)|can not|could not|couldn't)[ ]be[ ](?:\w+ly[ ])?(?:determined|answered|solved|calculated|"
    r"computed|known|found|inferred)\b"
    r"|\bimpossible[ ]to[ ](?:determine|answer|solve|calculate|compute|tell|know|say|find)\b"
    r"|\bno[ ]way[ ]to[ ](?:know|tell|determine|say|calculate)\b"
    r"|(?:(?:\bnot|n't)[ ](?:\w+[ ]){0,2}enough|\binsufficient|\btoo[ ]little|\black(?:s|"
    r"ing)?[ ](?:of[ ])?(?:sufficient|enough))[ ](?:information|data|details?|context|facts)\b"
    r"|无法(?:确定|回答|判断|计算|得出|解答)|不知道|信息不足|條件不足|条件不足|わかりません|分かりません|"
    r"判断できません|答えられません|알 수 없|모르겠"
    r"|\bno (?:puedo|se puede|es posible) (?:determinar|responder|calcular|resolver)|\bno hay suficiente|"
    r"\bno (?:lo )?sé\b"
    r"|\bje ne (?:peux|sais|puis) pas|\bimpossible de (?:déterminer|répondre|calculer)|\bich kann .{0,40}?\bnicht\b|"
    r"\bich weiß (?:es )?nicht"
    r"|\bnicht genügend informationen|\bне могу|\bневозможно|\bнедостаточно|\bя не знаю|\bnão (?:posso|sei|"
    r"é possível)|\bnon (?:posso|so|è possibile)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
_CLAUSE_END = re.compile(r"[,;](?=\s)")
# "With only 3 facts, I cannot determine it": the clause before belongs to the refusal
_CONDITION = re.compile(
    r"\W*(?:with|given|from|since|because|as|if|based on|due to|there (?:is|are)|only|sorry|i'm sorry|con|mit|avec)\b",
    re.IGNORECASE,
)
_REACH = 400
"""Longest part of a sentence before its refusal that is looked at, in characters."""
# Where a refusal ends within a sentence: "I don't know exactly, but it should be 3"
_REFUSAL_END = re.compile(
    r"[.!?](?=\s|\Z)|\n|[,;][ ](?=(?:but|however|although|so|still|yet|maybe|perhaps|if|then)\b)|,[ ]*(?=但|不过|"
    r"所以|でも|하지만)|[ ](?=but\b)",
    re.IGNORECASE,
)


# A refusal of the whole question, not of a detail ("I don't know the exact date. He is 12.")
_DECLINES = re.compile(
    r"\b(?:answer|question|problem|information|data|context|details|facts|help|assist|solve|determine)\b|"
    r"\bknow[.!]?$|无法|不知道|答|わかりません|分かりません|알 수 없|모르겠",
    re.IGNORECASE,
)
# A reply that declines may still answer: "I can't answer exactly, but …", "Assuming …", "3 + 4 = 7"
_ANSWERS_ANYWAY = re.compile(
    r"[=≈#]|\\boxed|\b(?:but|however|although|so|still|yet|maybe|perhaps|if|then|assum\w+|therefore|thus|hence|answer|"
    r"total|result|guess|estimate|approximately|about|let's|let me|suppose|based on|(?:would|should|might) be)\b|"
    r"但|不过|所以|因此|答|でも|하지만|따라서",
    re.IGNORECASE,
)


def without_refusals(text: str) -> str:
    """Remove the sentences that decline to answer, up to a contrast ("…, but it should be 3").

    If a reply begins by declining and then draws no conclusion, nothing of it is an answer.
    """
    if _declines_to_answer(text):
        return ""
    kept: list[str] = []
    position = 0
    for refusal in _REFUSAL.finditer(text):
        if refusal.start() < position:
            continue
        kept.append(text[position : _refusal_start(text, position, refusal.start())])
        end = _REFUSAL_END.search(text, refusal.end())
        position = end.end() if end else len(text)
    return "".join([*kept, text[position:]])


def _declines_to_answer(text: str) -> bool:
    """Return whether the first sentence declines to answer, and no later one answers anyway."""
    end = _SENTENCE_END.search(text)
    if end is None or end.start() > _REACH:
        return False
    first = text[: end.start()]
    if not (_REFUSAL.search(first) and _DECLINES.search(first)) or re.search(r"\d[^.!?]*[,;]", first):
        return False
    return _ANSWERS_ANYWAY.search(text, end.end()) is None


def _refusal_start(text: str, position: int, refusal: int) -> int:
    """Return where the sentence or clause with the refusal starts; a clause before it with a number is kept."""
    start = max(position, refusal - _REACH)
    ends = [match.end() for match in _SENTENCE_END.finditer(text, start, refusal)]
    start = ends[-1] if ends else start
    clauses = [match.end() for match in _CLAUSE_END.finditer(text, start, refusal)]
    if clauses and any(map(str.isdigit, text[start : clauses[-1]])) and not _CONDITION.match(text, start):
        return clauses[-1]
    return start

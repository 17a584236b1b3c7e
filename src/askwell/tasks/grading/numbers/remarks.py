"""Leave out the remarks of a reply: notes, checks, sources, offers of help, and refusals.

A remark often has numbers of its own ("Note: assumes a 7-day week"), and it often comes last, where an answer that no
cue introduces is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_START = r"[\s>*_#(\[•–—-]*"
_NOTE = re.compile(
    rf"{_START}(?:(?:(?:please|kindly)[ ])?note\b|n\.?b\b|p\.?s\b|tips?\b[ ]*:|hint\b[ ]*:|remark\b|caveat|"
    rf"disclaimer|assum(?:ptions?|ing)\b|"
    r"observaci[oó]n|nota\b|observação|remarque|hinweis|anmerkung|примечание|注意?[ ]*:|备注|備註|说明|補足|참고|주의)",
    re.IGNORECASE,
)
_CHECK = re.compile(
    rf"{_START}(?:(?:(?:quick|double|sanity|final|cross)[ -]?)?(?:verification|verify|verifying|check(?:ing)?|proof|"
    r"validation|验证|驗證|检验|检查|验算|検算|確認|검산|확인|comprobación|verificación|vérification|probe|"
    r"überprüfung|kontrolle|"
    r"verifica|verificação|проверка)[ ]*(?::|[.!]?$)|"
    r"to (?:verify|check|double-check|confirm)\b|(?:we|you|i) can (?:also )?(?:verify|check|confirm|double-check)\b|"
    r"let(?:'s| us) (?:verify|double-check|confirm)\b)",
    re.IGNORECASE,
)
_SOURCE = re.compile(
    rf"{_START}(?:references?|sources?|citations?|bibliography|works cited|further reading|footnotes?|参考文献|"
    rf"参考资料|来源|"
    r"出典|fuentes?|referencias|référence|quellen?|источники?)[ ]*(?::|$)",
    re.IGNORECASE,
)
_OFFER = re.compile(
    rf"{_START}(?:(?:please )?(?:let me know|feel free)|would you like|do you (?:want|need)|want me to|shall i\b|"
    rf"should i\b|"
    r"if you(?:'d| would) like|if you have (?:any|more|other|further)|"
    r"if you (?:need|want) (?:any|more|further|help|another|me|to (?:see|know|go))\b|"
    r"i (?:can|could) (?:also )?(?:show|help|explain|provide|walk|break|give|solve)\b|i(?:'m| am) (?:happy|glad)|"
    r"i hope|hope (?:this|that)|happy to|is there anything|any (?:other )?questions|希望|如果[您你]|需要我|还有其他|"
    r"ご質問|질문이|"
    r"¿?(?:quieres|te gustaría|necesitas)|möchten sie|soll ich|voulez-vous|souhaitez-vous|хотите)",
    re.IGNORECASE,
)
_CONFIDENCE = re.compile(
    rf"{_START}(?:my |overall |the )?(?:confidence|confianza|confiance|konfidenz|confiança|уверенность|置信度|信心|"
    rf"確信度|신뢰도)"
    r"(?:[ ](?:level|score|rating))?(?:[ ](?:in|of)[ ][^.\n]{0,40}?)?[ ]*(?:is|:|=|\()"
    rf"|{_START}i(?:'m| am)[ ](?:about[ ])?\d+[ ]?%[ ](?:sure|certain|confident)",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    rf"{_START}(?:so|therefore|thus|hence|in total|altogether|finally|所以|因此|故|よって|したがって|따라서|"
    rf"por lo tanto|donc|also)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^\n]+?(?:(?<=[.!?])[)\"']{0,2}(?=[ \t]+\S)|(?=\n)|\Z)")
_DIGIT = re.compile(r"\d")

_REFUSAL = re.compile(
    r"\b(?:i|we|one)(?:'m|'re)?[ ](?:am[ ]|are[ ])?(?:sorry[ ,]+(?:but[ ])?i[ ])?(?:really[ ]|simply[ ]|"
    r"just[ ])?(?:cannot|can't|can[ ]not|could[ ]not|"
    r"couldn't|am[ ]unable|unable|not[ ]able|won't)[ ](?:to[ ])?(?:be[ ])?(?:\w+ly[ ])?(?:determine|answer|solve|"
    r"calculate|compute|tell|say|"
    r"provide|help|assist|find|give|know|conclude|infer|work[ ]out|figure)\b"
    r"|\bi[ ](?:do[ ]not|don't|really[ ]don't)[ ]know\b|\bi(?:'m| am)[ ]unable[ ]to\b|\bi have no idea\b"
    r"|\b(?:need|require)[ ]more[ ](?:information|context|details|data|facts)\b"
    r"|\b(?:can(?:not|'t)|can not|could not|couldn't)[ ]be[ ](?:\w+ly[ ])?(?:determined|answered|solved|calculated|"
    r"computed|known|found|inferred)\b"
    r"|\bimpossible[ ]to[ ](?:determine|answer|solve|calculate|compute|tell|know|say|find)\b"
    r"|\b(?:not[ ]enough|insufficient|too[ ]little|lack(?:s|ing)?[ ](?:of[ ])?(?:sufficient|"
    r"enough))[ ](?:information|data|details?|context|facts)\b"
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
_SENTENCE_START = re.compile(r"[.!?\n][ \t\n]*(?=[^.!?\n]*\Z)")
# Where a refusal ends within a sentence: "I don't know exactly, but it should be 3"
_REFUSAL_END = re.compile(
    r"[.!?](?=\s|\Z)|\n|[,;][ ](?=(?:but|however|although|so|still|yet|maybe|perhaps|if|then)\b)|,[ ]*(?=但|不过|"
    r"所以|でも|하지만)|"
    r"[ ](?=but\b)",
    re.IGNORECASE,
)


def without_refusals(text: str) -> str:
    """Remove the sentences that decline to answer, up to a contrast ("…, but it should be 3")."""
    kept: list[str] = []
    position = 0
    for refusal in _REFUSAL.finditer(text):
        if refusal.start() < position:
            continue
        before = text[position : refusal.start()]
        start = _SENTENCE_START.search(before[-400:])
        kept.append(before[: len(before[:-400]) + start.end()] if start else before[:-400])
        end = _REFUSAL_END.search(text, refusal.end())
        position = end.end() if end else len(text)
    return "".join([*kept, text[position:]])


def without_remarks(text: str) -> str:
    """Remove the remarks that follow the first number; a remark before it may be the answer."""
    kept: list[str] = []
    answered = False
    for unit, is_remark in _classified(text):
        if not (is_remark and answered):
            kept.append(unit)
            answered = answered or _DIGIT.search(unit) is not None
    return "\n".join(kept)


def _classified(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each sentence, and whether it belongs to a remark; a blank line is an empty sentence."""
    scope = ""  # how far the current remark extends: "", "line", "paragraph" or "text"
    is_heading = False
    for line in text.split("\n"):
        if not line.strip():
            scope = scope if scope == "text" or (scope == "paragraph" and is_heading) else ""
            yield "", False
            continue
        scope = "" if scope == "line" else scope
        is_heading = False
        for match in _SENTENCE.finditer(line):
            unit = match[0].strip()
            opened = _scope(unit)
            if scope != "text" and _CONCLUDES.match(unit):
                scope = ""
            elif opened and scope != "text":
                scope = opened
                is_heading = unit.rstrip(" )*").endswith(":")
            yield unit, bool(scope)
            scope = "" if scope == "sentence" else scope


def _scope(sentence: str) -> str:
    """Return how far the remark that starts with `sentence` extends; "" if it is no remark."""
    if _SOURCE.match(sentence):
        return "text"
    if _CHECK.match(sentence):
        return "paragraph"
    if _NOTE.match(sentence):
        return "" if "=" in sentence else ("paragraph" if sentence.rstrip().endswith(":") else "line")
    return "sentence" if _OFFER.match(sentence) or _CONFIDENCE.match(sentence) else ""

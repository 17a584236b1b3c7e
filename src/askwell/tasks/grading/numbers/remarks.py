"""Leave out the remarks of a reply: notes, checks, sources and offers of help.

A remark often has numbers of its own ("Note: assumes a 7-day week"), and it often comes last, where an answer that no
cue introduces is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_START = r"[\s>*_#(\[•–—-]*"
_NOTE = re.compile(
    rf"{_START}(?:(?:(?:please|kindly)[ ])?note\b|n\.?b\b|p\.?s\b|tips?\b[ ]*:|hint\b[ ]*:|remark\b|caveat|"
    rf"(?:key )?(?:facts|points|details|takeaways?|insights?|lessons?|"
    rf"breakdown|working|work|explanation|reasoning|rationale)[ ]*:|disclaimer|"
    rf"assum(?:ptions?|ing)\b|generated in\b|processing time\b|"
    r"observaci[oó]n|nota\b|observação|remarque|hinweis|anmerkung|примечание|注意?[ ]*:|备注|備註|说明|補足|참고|주의)",
    re.IGNORECASE,
)
_CHECK = re.compile(
    rf"{_START}(?:(?:(?:quick|double|sanity|final|cross)[ -]?)?(?:verification|verify|verifying|check(?:ing)?|proof|"
    r"validation|验证|驗證|检验|检查|验算|検算|確認|검산|확인|comprobación|verificación|vérification|probe|"
    r"überprüfung|kontrolle|verifica|verificação|проверка)[ ]*(?::|[.!]?$)|to (?:verify|check|double[ -]check|"
    r"confirm)\b|(?:we|you|i) can (?:also )?(?:verify|check|confirm|double-check)\b|let(?:'s| us) (?:verify|"
    r"double[ -]check|confirm)\b)",
    re.IGNORECASE,
)
_SATISFIES = re.compile(
    rf"{_START}(?:substituting|plugging) (?:it |this |that )?back\b|{_START}this (?:satisfies|matches|checks)\b",
    re.IGNORECASE,
)
_SOURCE = re.compile(
    rf"{_START}(?:references?|sources?|citations?|bibliography|works cited|further reading|footnotes?|参考文献|"
    rf"参考资料|来源|"
    r"出典|fuentes?|referencias|référence|quellen?|источники?)[ ]*(?::|$)",
    re.IGNORECASE,
)
_OFFER = re.compile(
    rf"{_START}(?:(?:please )?(?:let me know|feel free)|would you like|do you (?:want|need)|want me to|"
    rf"want to (?:try|see|know|go)\b|ready (?:for|to)\b|shall i\b|"
    rf"should i\b|"
    r"if you(?:'d| would) like|if you have (?:any|more|other|further)|if you (?:need|want) (?:any|more|further|help|"
    r"another|me|to (?:see|know|go))\b|i (?:can|could) (?:also )?(?:show|help|explain|provide|walk|break|give|"
    r"solve)\b|i(?:'m| am) (?:happy|glad)|i hope|hope (?:this|that)|happy to|is there anything|next, you (?:could|"
    r"can|might)|you (?:could|can|may|might) also|any (?:other )?questions|希望|如果[您你]|需要我|还有其他|ご質問|"
    r"질문이|¿?(?:quieres|te gustaría|necesitas)|möchten sie|soll ich|voulez-vous|souhaitez-vous|хотите)",
    re.IGNORECASE,
)
_CONFIDENCE = re.compile(
    rf"{_START}(?:my |overall |the )?(?:confidence|confianza|confiance|konfidenz|confiança|уверенность|置信度|信心|"
    rf"確信度|신뢰도)"
    r"(?:[ ](?:level|score|rating))?(?:[ ](?:in|of)[ ][^.\n]{0,40}?)?[ ]*(?:is|:|=|\()"
    rf"|{_START}i(?:'m| am)[ ](?:about[ ])?\d+[ ]?%[ ](?:sure|certain|confident)",
    re.IGNORECASE,
)
# "A common mistake is to say 10", "Many people answer 10"
_MISTAKE = re.compile(
    rf"{_START}(?:(?:a|one|the) (?:(?:very |most )?(?:common|frequent|typical|popular|usual)[ ])(?:wrong |incorrect )?"
    r"(?:answer|mistake|error|misconception|pitfall|trap)\b|(?:a|the|one) (?:wrong|incorrect|mistaken) answer\b|"
    r"(?:many|most|some) (?:people|students|others|solvers)\b[^.\n]{0,40}?\b(?:answer|say|think|guess|mistakenly|"
    r"wrongly|incorrectly)\b)",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    rf"{_START}(?:so|therefore|thus|hence|in total|altogether|finally|所以|因此|故|よって|したがって|따라서|"
    rf"por lo tanto|donc|also)\b",
    re.IGNORECASE,
)
# A note that calculates may hold the answer: "Explanation: 9 * 2 = 18"
_RESULTS = re.compile(r"=|\b(?:so|therefore|thus|hence)\b[^\n]*\d", re.IGNORECASE)
_SENTENCE = re.compile(r"[^\n]+?(?:(?<=[.!?])[)\"']{0,2}(?=[ \t]+\S)|(?=\n)|\Z)")
_DIGIT = re.compile(r"\d")


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
    if _CHECK.match(sentence) or _SATISFIES.match(sentence):
        return "paragraph"
    if _NOTE.match(sentence):
        return "" if _RESULTS.search(sentence) else ("paragraph" if sentence.rstrip().endswith(":") else "line")
    is_by_the_way = any(remark.match(sentence) for remark in (_OFFER, _CONFIDENCE, _MISTAKE))
    return "sentence" if is_by_the_way else ""

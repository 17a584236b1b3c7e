"""Skip a first impression that the reply overrules: "At first glance the answer is A, but it is C"."""

from __future__ import annotations

import re

_NOUN = r"(?:answers?|choice|option|guess|verdict|solution|reading|intuition|instinct|impression)"
_SAYS = (
    r"(?:think|say|guess|pick|choose|assume|expect|believe|conclude|answer|select|claim|be tempted|go with|suppose|"
    r"seem|appear|look)"
)
_IMPRESSION = re.compile(
    rf"\b(?:at first|initially|on (?:a )?first)\b[^.!?\n]{{0,60}}?\b(?:{_NOUN}|{_SAYS}|thought|seems?|looks?)\b"
    rf"|\bfirst impressions?\b|\b(?:might|may|could|would|will|often|first|initially)(?:[ ]\w+){{0,2}}?[ ]{_SAYS}\b"
    rf"|\b(?:obvious|intuitive|na[iï]ve|tempting|first|initial|quick|common|knee-jerk|wrong|trap)"
    rf"(?:[ ](?:but[ ])?(?:wrong|incorrect))?[ ]{_NOUN}\b|\btempt(?:ing|ed)[ ]to[ ]{_SAYS}\b"
    r"|\bcommon (?:mistake|error|misconception)\b"
    r"|乍一看|乍看|起初|最初|一开始|一見|한눈에|처음에는|\ba primera vista|\bal principio|\bà première vue|"
    r"\bauf den ersten blick|\bна первый взгляд|\ba prima vista|\bà primeira vista",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    r"(?:\b(?:but|however|actually|in (?:fact|reality|truth|actuality)|after (?:checking|review)|instead|yet|"
    r"(?:on|upon) (?:further |closer |second )?(?:reflection|inspection|thought|look|examination)|"
    r"pero|sin embargo|en realidad|mais|en réalité|aber|jedoch|tatsächlich|но|однако|ma|però|in realtà|mas|porém)\b|"
    r"但是?|其实|實際上|实际上|然而|しかし|実際|하지만|그러나|실제로)[,:]?"
    r"|(?<=[.!?])[ \n]+(?=(?:it is|it's|the (?:correct|right|real|true|actual)[ ](?:answer|choice|option))\b)",
    re.IGNORECASE,
)
_REACH = 250
"""Longest distance from a first impression to the contrast, in characters."""
_ANSWERED = re.compile(r"\b(?:answer|option|choice|verdict)\b", re.IGNORECASE)
_FIRST_WORDS = re.compile(
    r"\W*(?!(?:hmm+|sure|okay|ok|well|so|right)\b)\w+(?:[ ]\w+)?\W{0,3}?[.!,:;)\n]", re.IGNORECASE
)


def after_first_impression(text: str) -> str:
    """Return the text after the contrast that overrules the first impression; "" if there is none.

    A reply that has answered before ("B. Some might pick A, but …") keeps its answer.
    """
    impression = _IMPRESSION.search(text)
    if impression is None:
        return ""
    before = text[: impression.start()]
    if _ANSWERED.search(before) or _FIRST_WORDS.match(before):
        return ""
    contrast = _CONTRAST.search(text, impression.end(), impression.end() + _REACH)
    return text[contrast.end() :].strip() if contrast else ""

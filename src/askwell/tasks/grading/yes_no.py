"""Read a binary verdict (true/false, yes/no, valid/invalid, …) with negations, in the vocabulary of the target."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from askwell.core.errors import DataError
from askwell.tasks.grading.answer_markers import MAX_TAIL, answer_regions, find_spans, unbox
from askwell.tasks.grading.normalize import split_sentences, strip_markup, strip_outer, visible_text
from askwell.tasks.grading.reading import read_reply
from askwell.tasks.grading.vocabulary.foreign_verdicts import foreign_lead, foreign_statement

FAMILIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "true": (("true",), ("false", "untrue")),
    "yes": (("yes", "yeah", "yep", "yup"), ("no", "nope", "nah")),
    "valid": (("valid",), ("invalid", "nonvalid", "non-valid")),
    "plausible": (("plausible",), ("implausible",)),
    "correct": (("correct",), ("incorrect",)),
    "possible": (("possible",), ("impossible",)),
}
"""Family -> its positive and negative words; the first of each is the canonical word."""

# A reply or target of a single character
_LETTERS = {
    "t": ("true", True),
    "f": ("true", False),
    "y": ("yes", True),
    "n": ("yes", False),
    "1": ("true", True),
    "0": ("true", False),
}
_MEANING = {
    word: (family, positive)
    for family, sides in FAMILIES.items()
    for positive, side in ((True, sides[0]), (False, sides[1]))
    for word in side
}
_BY_RANK = ("yes", "true", "valid", "plausible", "correct", "possible")
_WORDS = "|".join(sorted(_MEANING, key=len, reverse=True))
# "true or false" names the options and is no verdict
_PAIR = re.compile(
    rf"\b({_WORDS})\b[\"')\]*]*[ ]*(?:or|/|\||vs\.?|versus|and/or)[ ]*[\"'(\[*]*(?:is[ ])?\b(?:{_WORDS}|"
    rf"not(?![ ](?:{_WORDS})))\b"
    rf"|\b(?:both|neither)[ ]+(?:{_WORDS})[ ]+(?:and|nor)[ ]+(?:{_WORDS})\b"
    r"|\b(?:yes|no)[ ]+and[ ]+(?:also[ ]+)?(?:yes|no)\b",
    re.IGNORECASE,
)
_NAMED = re.compile(rf"(?<![\w-])(?:{_WORDS})(?![\w-])", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?<=[.!?\n])")
# A question that the reply repeats and answers: "Is it false? No."
_ASKED = re.compile(
    rf"[^.!?\n]{{0,300}}(?<![\w-])(?P<word>{_WORDS})(?![\w-])[^.!?\n]{{0,100}}\?[\s\"'*)]{{0,5}}"
    r"(?P<answer>yes\b|no\b|it(?:'s| is| does)(?P<not>n't|[ ]not)?(?=[.,!\n]|$))",
    re.IGNORECASE,
)
_OPTION_LIST = re.compile(
    rf"(?:^[ \t]*options?:?[ \t]*\n)?(?:^[ \t]*[-*•][ \t]*(?:{_WORDS})[ \t]*(?:\n|$)){{2,4}}",
    re.IGNORECASE | re.MULTILINE,
)
_NEGATION = (
    r"(?:\bnot\b|n't\b|\bnever\b|\bhardly\b|\bfar from\b|\banything but\b|\bno longer\b|\bnor\b|\bneither\b|"
    r"\bcannot be\b)"
    r"(?:[ ]+(?:be|been|a|an|the|at all|in fact|considered|quite|so|always|very|\w+ly)\b){0,3}[ ]*[(\"']*[ ]*"
)
_VERDICT = re.compile(
    rf"(?P<negations>(?:{_NEGATION}){{0,4}})(?<![\w-])(?P<word>{_WORDS})(?![\w]|-\w|'\w)", re.IGNORECASE
)
_NOT = re.compile(
    r"\bnot\b|n't\b|\bnever\b|\bhardly\b|\bfar from\b|\banything but\b|\bno longer\b|\bnor\b|\bneither\b|\bcannot be\b",
    re.IGNORECASE,
)
# "whether it is valid" is no verdict
_WHETHER = re.compile(r"\b(?:whether|if|assume|assuming|suppose|determine)\b[^.,;:!?\n]{0,60}$", re.IGNORECASE)
_AFTERTHOUGHT = re.compile(r"\b(?:then|so|is that)\b", re.IGNORECASE)
# "no" is a verdict only between such neighbours, not in "there is no reason"
_NO_ENDS = re.compile(
    r"[\"')\]*]*[ ]*(?:$|[.,;:!?\n()—–]|-[ ]|(?:because|since|as|it|that|this|he|she|they|you|we|i|there|the|in|"
    r"for|given|your)\b)",
    re.IGNORECASE,
)
_NO_STARTS = re.compile(
    r"(?:^|[.!?;:,\n\"'(—–=→]|\b(?:is|be|was|say|answer|so|therefore|thus|hence|then|of))[ \t\n\"'(*]*$", re.IGNORECASE
)
# A verdict at the start of a text: "Yes, because …"
_LEADS = re.compile(
    rf"\W*(?:(?:so|well|okay|ok|hmm|therefore|thus|hence)\b\W*)?(?P<word>{_WORDS})\b(?P<after>[^\n]?[^\n]{{0,12}})",
    re.IGNORECASE,
)
_LEAD_ENDS = re.compile(
    r"[\"')\]*]*[ ]*(?:$|[.,;:!?()—–]|-[ ]|(?:because|since|as|it|that|this|the|i|he|she|they|you|we|there|"
    r"in)\b)",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"\b(?:so|therefore|thus|hence|in conclusion|overall|ultimately|consequently|in summary|finally)\b", re.IGNORECASE
)

Verdict = tuple[str, bool]
"""(family, positive)."""


def target_verdict(target: str) -> Verdict:
    """Read a target such as "True", "no" or "invalid"; raise `DataError` for any other word."""
    bare = strip_outer(visible_text(target)).casefold()
    verdict = _MEANING.get(bare) or _LETTERS.get(bare)
    if verdict is None and len(verdicts := {(family, positive) for family, positive, _ in _verdicts(bare)}) == 1:
        return verdicts.pop()
    if verdict is None and (foreign := foreign_lead(bare)) is not None:
        return "true" if foreign_statement(bare) is not None else "yes", foreign
    if verdict is None:
        raise DataError(f"target {target!r} is no verdict; 'boolean' and 'yesno' expect one of {sorted(_MEANING)}")
    return verdict


def verdict_word(verdict: Verdict) -> str:
    """Return the canonical word of a verdict."""
    family, positive = verdict
    return FAMILIES[family][0 if positive else 1][0]


def find_verdict(reply: str, family: str) -> tuple[Verdict | None, str]:
    """Return a reply's verdict and a note.

    Words of `family` (the target's) decide if the reply has any. Otherwise the other families are read, so that "Yes"
    answers a true/false question and "plausible" a yes/no question. An empty `family` stands for any.
    """
    text = _without_options(strip_markup(read_reply(reply).text))
    whole = strip_outer(unbox(text)).casefold()
    if letter := _LETTERS.get(whole):
        return letter, ""
    if verdict := _answered_question(text, family):
        return verdict, ""
    text = _without_questions(text)
    families = [(family,), tuple(name for name in _BY_RANK if name != family)] if family else [tuple(FAMILIES)]
    for names in families:
        for region in answer_regions(text):
            if verdict := _read(region, names):
                note = "" if verdict[0] == family or not family else f"read {verdict_word(verdict)!r} as the answer"
                return verdict, note
    foreign = _read_foreign(text)
    return (None, "no verdict found") if foreign is None else ((family or "yes", foreign), "")


def _answered_question(text: str, family: str) -> Verdict | None:
    """Read "Is it invalid? No." as valid: a yes or no that answers the reply's own question about the verdict."""
    match = _ASKED.match(text)
    if match is None:
        return None
    name, positive = _MEANING[match["word"].casefold()]
    agrees = not match["not"] and match["answer"].casefold() != "no"
    if family == "yes" and match["answer"].casefold().startswith("it"):
        return family, agrees
    turned = positive != agrees
    return (name, not turned) if name == family and name != "yes" else None


def _without_questions(text: str) -> str:
    """Remove questions that name a verdict; they state none, except one that is the whole reply."""
    sentences = _SENTENCE_START.split(text)
    kept = [part for part in sentences if not (part.endswith("?") and _NAMED.search(part))]
    rest = " ".join(kept) if len(kept) < len(sentences) else text
    return rest if len(sentences) - len(kept) > 1 or re.search(r"\w", rest) else text


def _read_foreign(text: str) -> bool | None:
    for region in answer_regions(text):
        stated = [unbox(span.line) for span in islice(find_spans(region), 20)]
        for part in (*stated, region):
            if (verdict := foreign_lead(part)) is not None:
                return verdict
        for part in (*stated, *reversed(split_sentences(region[-MAX_TAIL:]))):
            if (verdict := foreign_lead(part)) is not None or (verdict := foreign_statement(part)) is not None:
                return verdict
    return None


def _without_options(text: str) -> str:
    return _PAIR.sub(" ", _OPTION_LIST.sub("\n", text))


def _read(text: str, names: tuple[str, ...]) -> Verdict | None:
    for span in find_spans(text):
        if verdict := _stated(unbox(span.line), names):
            return verdict
    parts = split_sentences(text[-MAX_TAIL:])
    for part in reversed(parts):
        if conclusion := _CONCLUSION.search(part):
            tail = part[conclusion.end() :]
            if verdict := _leading(tail, names) or _last(tail, names):
                return verdict
    if verdict := _leading(text, names):
        return verdict
    for span in find_spans(text, "boolean"):
        if verdict := _stated(span.line, names):
            return verdict
    for part in reversed(parts):
        if verdict := _leading(part, names) or _last(part, names):
            return verdict
    return None


def _stated(line: str, names: tuple[str, ...]) -> Verdict | None:
    bare = strip_outer(line).casefold()
    if (letter := _LETTERS.get(bare)) and letter[0] in names:
        return letter
    for part in split_sentences(line)[:1]:
        if verdict := _leading(part, names):
            return verdict
        stated = [(family, positive) for family, positive, _ in _verdicts(part) if family in names]
        if stated:
            return stated[-1] if re.search(r"=|\bis\b", part) else stated[0]
    return None


def _leading(text: str, names: tuple[str, ...]) -> Verdict | None:
    match = _LEADS.match(text)
    if match is None or not _LEAD_ENDS.match(match["after"].split("\n", 1)[0]):
        return None
    family, positive = _MEANING[match["word"].casefold()]
    return (family, positive) if family in names else None


def _last(text: str, names: tuple[str, ...]) -> Verdict | None:
    verdict = None
    for family, positive, _ in _verdicts(text):
        if family in names:
            verdict = (family, positive)
    return verdict


def _verdicts(text: str) -> Iterator[tuple[str, bool, int]]:
    for match in _VERDICT.finditer(text):
        word = match["word"].casefold()
        before = text[max(0, match.start() - 80) : match.start()]
        after = text[match.end() : match.end() + 24]
        if word == "no" and not (_NO_STARTS.search(before) and _NO_ENDS.match(after)):
            continue
        hypothetical = _WHETHER.search(before)
        if hypothetical and not _AFTERTHOUGHT.search(hypothetical[0]):
            continue
        family, positive = _MEANING[word]
        negations = match["negations"].strip().casefold()
        turned = len(_NOT.findall(negations)) % 2 == 1 and (family != "yes" or negations == "not")
        yield family, positive != turned, match.start()

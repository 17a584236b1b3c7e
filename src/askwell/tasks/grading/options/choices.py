"""Read the option letter that a reply chooses; the article "A" and the pronoun "I" do not count as letters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from askwell.tasks.grading.answer_markers import MAX_TAIL, Span, answer_regions, find_spans, unbox
from askwell.tasks.grading.normalize import normalize_answer, split_sentences, strip_markup, visible_text
from askwell.tasks.grading.reading import read_reply

# A target that is a letter: "B", "(b)", "Option B."
_LABEL = re.compile(r"[\s\"'*`]*(?:option |choice )?[(\[]?([A-Za-z])[)\]]?[.:)]?[\s\"'*`]*", re.IGNORECASE)
# A target with letter and text: "(B) Paris"
_LABELLED_TEXT = re.compile(r"\s*(?:\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Za-z])[.):])\s+(\S.*)", re.DOTALL)
_OPTION_LINE = re.compile(r"^[ \t]*(?:[-*•][ \t]+)?(?:\(([A-Z])\)|([A-Z])[.):])[ \t]*(\S[^\n]*)", re.MULTILINE)

# Every way to mention a letter. A bare capital is the weakest one: it may be an initial, an article or a pronoun.
_MENTION = re.compile(
    r"(?<![\w(\[])(?P<paren>[(\[{][ ]?([A-Za-z])[ ]?[)\]}])(?![\w(])"
    r"|\b(?:option|choice|letter)s?[ ]?[:#]?[ ]?[\"'(]?(?P<named>[A-Za-z])(?![\w'+#])"
    r"|^[ \t]*(?P<line>[A-Za-z])[ ]?[).:](?=\s|$)"
    r"|(?<![\w'.\\/+-])(?P<bare>[A-Z])(?![\w'’+#]|-\w|\.\w)",
    re.MULTILINE | re.IGNORECASE,
)
# A letter at the start of a text, after words such as "the answer is definitely option"
_LEAD = re.compile(
    r"(?:[^\w(\[{]|[(\[{](?![ ]?[A-Za-z][ ]?[)\]}])|\b(?:the|my|is|are|be|option|choice|answer|letter|statement|"
    r"sentence|"
    r"definitely|clearly|probably|likely|most|therefore|thus|so|it|it's|that|that's|indeed|simply|just|either|both|final|"
    r"correct|best|i|think|believe|would|say|choose|pick|select|go|with|i'd|i'll)\b(?=[ :*]))*?"
    r"(?:[(\[{][ ]?([A-Za-z])[ ]?[)\]}]|([A-Za-z])(?![\w'’+#]|\.\w|-\w))",
    re.IGNORECASE,
)
# What may follow the letter A, so that "A good answer" does not name option A
_AFTER_WORD = re.compile(
    r"[)\]}\"'*]*(?:[ ]*(?:$|[.,;:!?\n)—–=]|-[ ])|[ ]+(?:because|since|as|for|due|given|based|is|was|would|and|"
    r"or|but|not|"
    r"with|instead|seems|\()(?!\w))",
    re.IGNORECASE,
)
_AFTER_I = re.compile(r"[ ]*(?:$|[.;:!?\n)]|,[ ]*(?:because|since|as)\b)|[ ]+(?:because|since|is)\b", re.IGNORECASE)
# A second letter next to the first ("A or B"): the reply does not choose
_SECOND = re.compile(
    r"[)\]}\"'*.]*[ ]*(?:,|\band\b|\bor\b|&|/|\+)(?:[ ]*(?:and|or|also|possibly|maybe|"
    r"perhaps)\b)?[ ]*(?:options?[ ]+|choice[ ]+)?"
    r"[(\[\"']*([A-Z])[)\]\"']*(?=[ ]*(?:$|[.;,!?\n]|and\b|or\b|are\b|both\b|could\b))"
)

_CLAUSE = r"(?:(?!\b(?:because|since|as|but|while|so|and)\b)[^.,;()\n]){0,60}?"
_ALSO = r"(?:[ ]*(?:,|and|or|nor|&)[ ]*(?:and[ ]+|or[ ]+)?[(]?[A-Z]\b[)]?){0,8}"
# "B is the correct option" after a letter
_RIGHT = re.compile(
    rf"[)\]}}\"'.:]*{_CLAUSE}(?:\bis|'s|\bseems|\bmust be|\bwould be|\blooks)(?: to be)? (?:(?:the|a|my|most|"
    rf"more|likely|therefore|"
    rf"thus|definitely|clearly|indeed|only|also|one)\b ?){{0,4}}(?:correct|right|best|answer|true|appropriate|"
    rf"accurate|fits|option|choice)\b",
    re.IGNORECASE,
)
# "B cannot be right" after a letter
_WRONG = re.compile(
    rf"[)\]}}\"']*{_ALSO}{_CLAUSE}(?:\b(?:is|are|was|were|seems?|be|looks?)\b[ ](?:(?:both|all|also|clearly|"
    rf"obviously|therefore|thus|"
    rf"definitely|simply|just|the|an?)[ ]){{0,3}}(?:not|wrong|incorrect|false|invalid|eliminated|ruled|out|"
    rf"unlikely|impossible|too|"
    rf"excluded|irrelevant|inaccurate|never|no)\b|n't\b|\bcannot\b|\b(?:do|does|did|can|could|will|would)[ ]not\b)",
    re.IGNORECASE,
)
# "so I pick" before a letter
_CHOSEN_BEFORE = re.compile(
    r"(?:\b(?:so|therefore|thus|hence|choose|chose|pick|picked|select|selected|go with|going with|must be|"
    r"should be|would be|"
    r"has to be|it's|it is|that's|is|think|believe|leaves|leaving|only|say)|"
    r"→)[ ]*,?[ ]*(?:that[ ]+)?(?:(?:the )?(?:correct |right |best )?"
    r"(?:answer|option|choice)[ ]*)?(?:is|it's|it is|must be)?[ ]*[:,]?[ ]*[\"'(]*$",
    re.IGNORECASE,
)
# "rather than option" before a letter
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|eliminat\w+|rul(?:e|es|ed|ing) out|rather than|instead of|unlike|than|neither|nor|excluding|"
    r"except|reject\w*|"
    r"discard\w*|over)|n't)[ ]+(?:be[ ]+)?(?:the answer[ ]+)?(?:options?|choices?|is)?[ ]*[\"'(]*$",
    re.IGNORECASE,
)
# A self-correction: "No, it is B"
_NO = re.compile(r"(?:^|[.!?;,\n—–…])[ \t]*no\b[,.:!]*[ ](?=[^\n]{0,40}\b[A-Za-z]\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mention:
    letter: str
    strong: bool
    start: int
    chosen: bool
    denied: bool


def option_letter(target: str) -> str:
    """Return the letter of "(B)", "B", "b)", "B.", "Option B" or "(B) Paris"; "" if the target has no letter."""
    bare = visible_text(target)
    if match := _LABEL.fullmatch(bare):
        return match[1].upper()
    if match := _LABELLED_TEXT.fullmatch(bare):
        return (match[1] or match[2] or match[3]).upper()
    return ""


def option_text(target: str) -> str:
    """Return the option's text in "(B) Paris"; "" if there is none."""
    match = _LABELLED_TEXT.fullmatch(visible_text(target))
    return match[4].strip() if match else ""


def parse_options(question: str) -> dict[str, str]:
    """Read the "(A) …" or "A. …" lines of a question as letter -> normalized text; empty if a letter repeats."""
    lines = _OPTION_LINE.findall(visible_text(question))
    options = {(a or b): normalize_answer(text) for a, b, text in lines}
    return options if len(options) == len(lines) else {}


def find_choice(reply: str, options: Mapping[str, str]) -> tuple[str, str]:
    """Return the letter that a reply chooses ("" for none) and a note; `options` maps letters to normalized texts."""
    readings = [_find(text, options) for text in read_reply(reply).texts]
    return next(((letter, note) for letter, note in readings if letter), readings[-1])


def _find(seen: str, options: Mapping[str, str]) -> tuple[str, str]:
    text = strip_markup(seen)
    refusals = list(_NO.finditer(text))
    tails = [text[refusals[-1].end() :]] if refusals and refusals[-1].start() > 0 else []
    for region in [*tails, *answer_regions(text)]:
        for span in find_spans(region, "choice"):
            letter, note = _stated(span, options)
            if letter or note:
                return letter, note
        letter, note = _unstated(region, options)
        if letter or (note and region is text):
            return letter, note
    return "", "no option letter found"


def _stated(span: Span, options: Mapping[str, str]) -> tuple[str, str]:
    line = unbox(span.line)
    letter, end = _leading(line)
    if letter and not _WRONG.match(line[end:]):
        return _sole(letter, line[end:])
    if by_text := _by_text(line, options):
        return by_text, ""
    first = next(iter(split_sentences(line)), "")
    if span.loose and len(first) > 80:
        return "", ""  # "Answer: Let's see, …" is reasoning
    mentions = [mention for mention in _mentions(first) if not mention.denied]
    strong = [mention for mention in mentions if mention.strong] or mentions
    return (strong[0].letter, "") if strong else ("", "")


def _unstated(whole: str, options: Mapping[str, str]) -> tuple[str, str]:
    lead, end = _leading(whole)
    if lead and len(whole) > MAX_TAIL:
        return _sole(lead, whole[end : end + 80])
    text = whole[-MAX_TAIL:]
    mentions = list(_mentions(text))
    open_mentions = [mention for mention in mentions if not mention.denied]
    chosen = [mention for mention in open_mentions if mention.chosen]
    if chosen:
        return _sole(chosen[-1].letter, text[chosen[-1].start :].lstrip("([{\"'")[1:])
    listed = {mention.letter for mention in open_mentions if mention.strong}
    if (
        lead
        and any(mention.letter == lead for mention in open_mentions or [*mentions])
        and (len(listed) <= 1 or not _OPTION_LINE.search(text, text.find("\n") + 1 or len(text)))
    ):
        return _sole(lead, text[end:])
    if lead and not mentions:
        return lead, ""
    if by_text := _by_text(text, options):
        return by_text, ""
    for part in reversed(split_sentences(text)):
        inside = [mention for mention in _mentions(part) if not mention.denied]
        inside = [mention for mention in inside if mention.strong] or inside
        letters = {mention.letter for mention in inside}
        if len(letters) == 1:
            return letters.pop(), ""
        if letters:
            return "", f"several options named: {', '.join(sorted(letters))}"
    return "", ""


def _sole(letter: str, after: str) -> tuple[str, str]:
    second = _SECOND.match(after)
    if second and second[1] != letter:
        return "", f"several options named: {letter}, {second[1]}"
    return letter, ""


def _leading(text: str) -> tuple[str, int]:
    """Return the letter at the start of `text`, after filler such as "option", and the position where it ends."""
    match = _LEAD.match(text[:200])
    if match is None:
        return "", 0
    if match[1]:
        return match[1].upper(), match.end(1)
    letter, after = match[2], text[match.end() :]
    closed = re.match(r"[ ]?[.):\"'*\]}]*(?=\s|$)(?:[ ]*$|[ ]*\n|(?<=[.):])\s)|[),]|[ ]+(?:because|since)\b", after)
    if letter.islower():
        return (letter.upper(), match.end()) if closed and (letter != "i" or not after.strip(" .)")) else ("", 0)
    return (letter, match.end()) if _is_letter(letter, after) else ("", 0)


def _is_letter(letter: str, after: str) -> bool:
    if letter == "I":
        return _AFTER_I.match(after) is not None
    return letter != "A" or _AFTER_WORD.match(after) is not None


def _mentions(text: str) -> Iterator[_Mention]:
    for match in _MENTION.finditer(text):
        letter = match[2] or match["named"] or match["line"] or match["bare"]
        strong = match["bare"] is None
        end = match.end()
        if match["bare"] and (letter.islower() or not _is_letter(letter, text[end : end + 40])):
            continue
        if match["named"] and letter.islower() and not re.match(r"[\"')]*(?:[.,;:!?\n)]|$| is)", text[end : end + 8]):
            continue
        if match["named"] and letter in "AI" and not _is_letter(letter, text[end : end + 40]):
            continue
        before, after = text[max(0, match.start() - 60) : match.start()], text[end : end + 160]
        denied = bool(_DENIED_BEFORE.search(before) or _WRONG.match(after))
        chosen = not denied and bool(_CHOSEN_BEFORE.search(before) or _RIGHT.match(after))
        yield _Mention(letter=letter.upper(), strong=strong, start=match.start(), chosen=chosen, denied=denied)


def _by_text(text: str, options: Mapping[str, str]) -> str:
    """Return the letter of the option that is the first or last line, or the only option in the last sentence."""
    if not options:
        return ""
    flat = [normalize_answer(line) for line in (text.split("\n", 1)[0], text.rsplit("\n", 1)[-1])]
    for line in flat:
        same = [
            letter
            for letter, option in options.items()
            if line in (option, f"the {option}", f"a {option}", f"an {option}")
        ]
        if len(same) == 1:
            return same[0]
    last = next((normalize_answer(part) for part in reversed(split_sentences(text))), "")
    inside = [letter for letter, option in options.items() if re.search(rf"(?<!\w){re.escape(option)}(?!\w)", last)]
    inside = [
        letter for letter in inside if not any(options[letter] in options[other] for other in inside if other != letter)
    ]
    return inside[0] if len(inside) == 1 and len(options) > 1 else ""

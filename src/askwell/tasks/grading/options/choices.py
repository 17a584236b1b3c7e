"""Read the option letter that a reply chooses; the article "A" and the pronoun "I" do not count as letters."""

from __future__ import annotations

import re
from collections.abc import Mapping

from askwell.core.errors import DataError
from askwell.tasks.grading.answer_markers import MAX_TAIL, Span, answer_regions, find_labelled, find_spans, unbox
from askwell.tasks.grading.normalize import normalize_answer, split_sentences, strip_markup, visible_text
from askwell.tasks.grading.options.label_mentions import drop_denied, find_labels
from askwell.tasks.grading.options.letters import find_mentions, is_wrong, leading_letter
from askwell.tasks.grading.options.marked import marked_option
from askwell.tasks.grading.options.questions import lettered_options, option_texts
from askwell.tasks.grading.options.reviews import OptionReview, chosen_option, is_verdict, read_review
from askwell.tasks.grading.reading import read_reply
from askwell.tasks.grading.vocabulary.foreign_letters import is_romance, separate_scripts

# A target that is a letter: "B", "(b)", "Option B."
_LABEL = re.compile(r"[\s\"'*`]*(?:option |choice )?[(\[]?([A-Za-z])[)\]]?[.:)]?[\s\"'*`]*", re.IGNORECASE)
# A target with letter and text: "(B) Paris"
_LABELLED_TEXT = re.compile(r"\s*(?:\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Za-z])[.):])\s+(\S.*)", re.DOTALL)
# A list of options that a reply repeats
_OPTION_LINE = re.compile(r"^[ \t]*(?:[-*•][ \t]+)?(?:\([A-Z]\)|[A-Z][.):])[ \t]*\S", re.MULTILINE)
_LETTER_ALONE = re.compile(r"^[ \t(\[]*([A-Za-z])[)\].]*[ \t]*$", re.MULTILINE)
# A second letter next to the first ("A or B"): the reply does not choose
_SECOND = re.compile(
    r"[)\]}\"'*.]*(?:(?<=[)\]}])[ ]?(?=[(\[])|[ ]*(?:,|\b(?:and|or|y|e|et|und|o|u|ou|oder|или|и|veya|ya da)\b|或者?|"
    r"和|与|または|또는|หรือ|أو|&|/|\+))"
    r"(?:[ ]*(?:and|or|also|possibly|maybe|"
    r"perhaps)\b)?[ ]*(?:options?[ ]+|choice[ ]+)?"
    r"[(\[\"']*([A-Z])[)\]\"']*(?=[ ]*(?:$|[.;,!?\n]|and\b|or\b|are\b|both\b|(?:could|would|might|may)\b))"
)

# "E = mc^2" in a box names no option
_FORMULA = re.compile(r"[A-Za-z][ ]*(?:[=^_+*/<>]|\\[a-z])")
# A self-correction: "No, it is B"
_NO = re.compile(r"(?:^|[.!?;,\n—–…])[ \t]*no\b[,.:!]*[ ](?=[^\n]{0,40}\b[A-Za-z]\b)", re.IGNORECASE)


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
    """Read the lettered options of a question as letter -> normalized text; empty if a letter repeats."""
    return option_texts(lettered_options(question))


def target_letter(target: str, options: Mapping[str, str]) -> str:
    """Return the letter of a target that is a letter, an option's text or its index from 0; "" without options.

    Raises:
        DataError: The target names no option.

    """
    if letter := option_letter(target):
        return letter
    wanted = normalize_answer(visible_text(target))
    if same := [letter for letter, text in options.items() if text == wanted]:
        return same[0]
    if options and wanted.isdecimal() and int(wanted) < len(options):
        return list(options)[int(wanted)]
    if options:
        raise DataError(
            f"target {target!r} is neither the letter nor the text of an option ({', '.join(options)}) of its "
            "question, nor an index from 0 (0 = A); give the letter as the target"
        )
    return ""


def find_choice(reply: str, options: Mapping[str, str]) -> tuple[str, str]:
    """Return the letter that a reply chooses ("" for none) and a note; `options` maps letters to normalized texts."""
    readings = [_find(text, options) for text in read_reply(reply).texts]
    return next(((letter, note) for letter, note in readings if letter), readings[-1])


def _find(seen: str, options: Mapping[str, str]) -> tuple[str, str]:
    text = separate_scripts(strip_markup(seen))
    if (marked := marked_option(seen)) and next(find_spans(text), None) is None:
        return marked, "the option that the reply marks"
    for region in [*_after_refusal(text), *answer_regions(text)]:
        letter, note = _read(region, options)
        if letter or (note and region is text):
            return letter, note
    return "", "no option letter found"


def _after_refusal(text: str) -> list[str]:
    """Return the text after the last "No, …", which corrects the text before it."""
    refusals = list(_NO.finditer(text))
    return [text[refusals[-1].end() :]] if refusals and refusals[-1].start() > 0 and not is_romance(text) else []


def _read(region: str, options: Mapping[str, str]) -> tuple[str, str]:
    review = OptionReview()
    if not any(is_verdict(text) for text in options.values()):
        review = read_review(region, {text: letter for letter, text in options.items()})
    for span in find_spans(region):
        if review.start <= span.start < review.end:
            continue  # "A: wrong" is a line of the review
        letter, note = _stated(span, options)
        if letter or note:
            return letter, note
    if review.verdicts:
        return _concluded(region, review, options)
    for span in find_labelled(region, "choice"):
        if len(_OPTION_LINE.findall(span.block)) > 1:
            continue  # "Options:" introduces all of them
        letter, note = _stated(span, options)
        if letter or note:
            return letter, note
    return _unstated(region, options)


def _concluded(region: str, review: OptionReview, options: Mapping[str, str]) -> tuple[str, str]:
    """Read the conclusion below a review of options, else the review itself."""
    letter, note = chosen_option(review)
    below = region[review.end :]
    if alone := _LETTER_ALONE.findall(below):
        return alone[-1].upper(), ""
    if letter:
        chosen = [mention for mention in find_mentions(below[-MAX_TAIL:]) if mention.chosen]
        return (chosen[-1].letter, "") if chosen else (letter, note)
    concluded = _unstated(below, options)
    return concluded if any(concluded) else ("", note)


def _stated(span: Span, options: Mapping[str, str]) -> tuple[str, str]:
    line = unbox(span.line)
    if span.boxed and _FORMULA.search(line):
        return "", ""
    letter, end = leading_letter(line)
    if letter and not is_wrong(line[end:]):
        return _sole(letter, line[end:])
    first = next(iter(split_sentences(line)), "")
    if by_text := (not span.loose and _by_text(first, options)) or _by_text(line, options):
        return by_text, ""
    if span.loose and len(first) > 80:
        return "", ""  # "Answer: Let's see, …" is reasoning
    mentions = [mention for mention in find_mentions(first) if not mention.denied]
    strong = [mention for mention in mentions if mention.strong] or mentions
    return (strong[0].letter, "") if strong else ("", "")


def _unstated(whole: str, options: Mapping[str, str]) -> tuple[str, str]:
    lead, end = leading_letter(whole)
    if lead and len(whole) > MAX_TAIL:
        return _sole(lead, whole[end : end + 80])
    text = whole[-MAX_TAIL:]
    mentions = list(find_mentions(text))
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
        inside = [mention for mention in find_mentions(part) if not mention.denied]
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
    letters = {text: letter for letter, text in options.items()}
    named = {mention.label for mention in drop_denied(find_labels(last, tuple(letters)))}
    return letters[named.pop()] if len(named) == 1 and len(options) > 1 else ""

"""Read which label of a fixed set a reply gives: a topic, a sentiment, an intent."""

from __future__ import annotations

import re
from collections.abc import Sequence

from askwell.core.errors import ConfigError
from askwell.tasks.grading.answer_markers import MAX_TAIL, Span, answer_regions, find_labelled, find_spans, unbox
from askwell.tasks.grading.context import GradingContext
from askwell.tasks.grading.normalize import normalize_answer, split_sentences, strip_markup, visible_text
from askwell.tasks.grading.options.choices import find_choice
from askwell.tasks.grading.options.label_mentions import (
    LabelMention,
    drop_denied,
    find_labels,
    joins_another,
    label_key,
)
from askwell.tasks.grading.options.questions import Option, listed_options
from askwell.tasks.grading.options.reviews import chosen_option, is_verdict, read_review
from askwell.tasks.grading.reading import read_reply

_HEAD = 4_000
"""How much of the start of a very long reply is read, beside its end, in characters."""
_ITEM = re.compile(r"^[ \t]*(?:[-*•+–][ \t]*|\(?(?:\d{1,2}|[A-Za-z])[.):][ \t]+)?", re.MULTILINE)
_BEFORE_LEAD = re.compile(
    r"[\s\"'(\[]*(?:(?:definitely|clearly|probably|likely|most|the|a|an|about|it|it's|is|that|of|in|topic|category|"
    r"label|"
    r"class|option|choice|sentiment|emotion|section|subject)[ :]+){0,5}[\"'(\[]*",
    re.IGNORECASE,
)
_AFTER_LEAD = re.compile(r"[\"')\]]*[ ]*(?:$|[.:,;!\n)(–—]|-[ ]|(?:because|since|as|due|given|based)\b)")
_LINK_BEFORE = re.compile(
    r"(?:\b(?:is|are|as|about|into|under|choose|chose|select|pick|be|to|category|label|class|sentiment|emotion|topic|"
    r"say|"
    r"of|it's|es|est|ist|è|é|som)|[:=→]|是|为|属于|は|คือ)[ ]*(?:(?:the|a|an|clearly|definitely|mostly|primarily|"
    r"mainly)[ ]+){0,2}"
    r"[\"'(\[]*$",
    re.IGNORECASE,
)
# "positive, though parts are negative": a label that the reply concedes
_CONCEDED = re.compile(r"\b(?:though|although|even if|despite|while|albeit)\b[^.,;!?\n]*$", re.IGNORECASE)
_CONCLUSION = re.compile(
    r"\b(?:so|therefore|thus|hence|in conclusion|overall|ultimately|consequently|in summary|finally|por lo tanto|"
    r"donc|daher)\b|所以|因此|综上|したがって|따라서",
    re.IGNORECASE,
)


def labels_for(target: str, context: GradingContext) -> tuple[tuple[Option, ...], str]:
    """Return the labels that a reply may give, and which of them the target is.

    The options that the question lists are the labels if the target is one of them, else those of the task.

    Raises:
        ConfigError: Neither the question nor the task gives labels.

    """
    options = listed_options(context.question)
    for option in options:
        if label_key(option.text) == label_key(target) or (option.mark and option.mark == normalize_mark(target)):
            return options, option.text
    if not context.labels:
        raise ConfigError(
            f"the labels beside {target!r} are not known; give labels=[…], or a question with a list of options"
        )
    texts = dict.fromkeys([*context.labels, target])
    return tuple(Option(mark="", text=label) for label in texts), target


def normalize_mark(target: str) -> str:
    """Return a target such as "(b)" or "2." as a mark: "B", "2"."""
    return normalize_answer(visible_text(target)).strip("()[].").upper()


def find_label(reply: str, options: Sequence[Option]) -> tuple[str, str]:
    """Return the label that a reply gives ("" for none) and a note."""
    text = strip_markup(read_reply(reply).text)
    if len(text) > _HEAD + MAX_TAIL:
        text = f"{text[:_HEAD]}\n{text[-MAX_TAIL:]}"
    note = ""
    for region in answer_regions(text):
        label, note = _read(region, options)
        if label:
            return label, note
    if by_mark := _read_mark(text, reply, options):
        return by_mark, ""
    return "", note or "no label named"


def _read(region: str, options: Sequence[Option]) -> tuple[str, str]:
    labels = [option.text for option in options]
    text = _without_options(region, labels)
    for span in find_spans(text):
        if any(stated := _stated(span, labels)):
            return stated
    if not any(is_verdict(normalize_answer(label)) for label in labels):
        label, note = chosen_option(read_review(text, {normalize_answer(label): label for label in labels}))
        if label:
            return label, note
    mentions = find_labels(text, labels)
    kept = drop_denied(mentions)
    if len({mention.label for mention in kept}) == 1:
        return kept[0].label, ""
    if lead := _leading(text, kept):
        return ("", _several(kept)) if joins_another(text, lead, mentions) else (lead.label, "label at the start")
    for span in find_labelled(text, "text"):
        if any(stated := _stated(span, labels)):
            return stated
    return _concluded(text, kept, labels)


def _stated(span: Span, labels: Sequence[str]) -> tuple[str, str]:
    """Read the label behind an answer cue: at the start of the line, else the first that is named."""
    for text in (unbox(span.line), unbox(span.block)):
        mentions = find_labels(text, labels)
        kept = drop_denied(mentions)
        if not kept:
            continue
        first = next(iter(split_sentences(text)), "")
        lead = _leading(text, kept) or kept[0]
        if span.loose and lead.start > 80 and lead.start > len(first):
            continue  # "Answer: Let's see. …" is reasoning
        if joins_another(text, lead, mentions):
            return "", _several(kept)
        return lead.label, ""
    return "", ""


def _concluded(text: str, kept: Sequence[LabelMention], labels: Sequence[str]) -> tuple[str, str]:
    """Read one of several labels: the last line, a conclusion, the only one not conceded, or behind "is" or "about"."""
    if not kept:
        return "", ""
    lines = [line for line in text.split("\n") if line.strip()]
    by_key = {label_key(label): label for label in labels}
    if alone := by_key.get(label_key(_ITEM.sub("", lines[-1], count=1))):
        return alone, "last line"
    for part in reversed(split_sentences(text[-MAX_TAIL:])):
        if conclusion := _CONCLUSION.search(part):
            named = {mention.label for mention in drop_denied(find_labels(part[conclusion.end() :], labels))}
            if len(named) == 1:
                return named.pop(), "label of the concluding sentence"
    main = [mention for mention in kept if not _CONCEDED.search(text[max(0, mention.start - 100) : mention.start])]
    if len({mention.label for mention in main}) == 1:
        return main[0].label, "the only label outside a concession"
    linked = [mention for mention in kept if _LINK_BEFORE.search(text[max(0, mention.start - 40) : mention.start])]
    if len({mention.label for mention in linked}) == 1 and not joins_another(text, linked[-1], kept):
        return linked[-1].label, ""
    return "", _several(kept)


def _leading(text: str, mentions: Sequence[LabelMention]) -> LabelMention | None:
    """Return the label at the start of a text, before an explanation ("Sports: the article …")."""
    if not mentions:
        return None
    before = text[: mentions[0].start]
    if not _BEFORE_LEAD.fullmatch(_ITEM.sub("", before, count=1)):
        return None
    return mentions[0] if _AFTER_LEAD.match(text[mentions[0].end :]) else None


def _without_options(text: str, labels: Sequence[str]) -> str:
    """Remove lines that repeat the list of options: two or more different labels, one a line."""
    keys = {label_key(label) for label in labels}
    lines = text.split("\n")
    listed = [label_key(_ITEM.sub("", line, count=1)) if len(line) < 200 else "" for line in lines]
    kept: list[str] = []
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and listed[end] in keys:
            end += 1
        if end - start > 1 and len(set(listed[start:end])) > 1:
            start = end
        else:
            kept.append(lines[start])
            start += 1
    return "\n".join(kept)


def _read_mark(text: str, reply: str, options: Sequence[Option]) -> str:
    """Read the letter or number of an option."""
    marks = {option.mark: option.text for option in options if option.mark}
    if not marks:
        return ""
    if all(mark.isalpha() for mark in marks):
        letter, _ = find_choice(reply, {mark: normalize_answer(label) for mark, label in marks.items()})
        return marks.get(letter, "")
    for candidate in (*(span.line for span in find_spans(text, "choice")), text):
        match = re.match(r"\W*(?:(?:option|choice|number|no\.)[ ]*)?(\d{1,2})\b(?![.,]\d)", candidate, re.IGNORECASE)
        if match and match[1] in marks:
            return marks[match[1]]
    return ""


def _several(mentions: Sequence[LabelMention]) -> str:
    return f"several labels named: {', '.join(dict.fromkeys(mention.label for mention in mentions))}"

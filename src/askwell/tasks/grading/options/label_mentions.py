"""Find the labels that a text names, as whole words, with the denied ones ("not Sports") marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from askwell.tasks.grading.boundaries import bounded
from askwell.tasks.grading.normalize import normalize_answer, visible_text

_SEPARATORS = re.compile(r"(?<=\w)[\s_/&-]+(?=\w)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not(?![ ](?:only|just)\b)|never|neither|nor|no|rather than|instead of|unlike|than|without|except|"
    r"excluding|"
    r"hardly|ruled? out|rules out|isn't|aren't|wasn't|cannot be|can't be|couldn't be|doesn't|don't|no es|no son|no|"
    r"n'est pas|pas|"
    r"nicht|kein\w*|non|não|не|niet|geen|nie|değil|bukan|tidak|không)[ ]+"
    r"(?:(?:a|an|the|about|really|very|at all|necessarily|related to|in|of|from|be|labell?ed|classified|as|quite|so|"
    r"of the|"
    r"un|une|una|de|es|é|é|è|ist|mainly|primarily|strictly|to|belong|fall|under|related|talk|talking)[ ]+){0,4}|"
    r"\bnon-|n't[ ]+|(?:不是|并不|并非|不|非|没有|无|未)(?:属于|太|很|是|算)?)[\"'(\[]*$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"[\"')\]]*(?:[ ]+(?:is|are|was|were|would be|seems|can|could|does|do|did)(?:n't|[ ](?:definitely |clearly |"
    r"probably )?"
    r"(?:not|wrong|incorrect|unlikely|ruled out|out|excluded|impossible|false))\b|[ ]+cannot\b|[ ]+can't\b|"
    r"[ ]?(?:不是|不对|不正确|ではな|じゃな|이 아니|가 아니|은 아니|는 아니|ist falsch|ist nicht|no es|n'est pas|"
    r"es incorrect|"
    r"не подходит)|[ ]?(?:[-–—:(|→=]|[ ])[ ]?[✗✘❌❎✕✖])",
    re.IGNORECASE,
)
_JOINS = re.compile(
    r"[\"')\]]*[ ]*(?:,|;|/|\||&|\+|(?:,[ ]*)?(?:or|and|nor|o|y|u|ou|et|oder|und|или|и)(?=[ ])|或者?|和|与|または|"
    r"또는)[ ]*"
    r"(?:(?:a|an|the|or|and)[ ]+)?[\"'(\[]*",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(r"[\"')\]]*[ ]*,?[ ]*(?:or|nor|oder|ni|ou|или|或者?)[ ]+[\"'(\[]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMention:
    """A label that a text names."""

    label: str
    start: int
    end: int
    denied: bool
    exact: bool
    """Written as the label is: "World" in "the world cup" is not, if the label has a capital."""


def label_key(label: str) -> str:
    """Return what labels are compared by: "Sci/Tech", "sci tech" and "sci_tech" are one label."""
    plain = normalize_answer(visible_text(label))
    return _SEPARATORS.sub("", plain)


def find_labels(text: str, labels: Sequence[str]) -> list[LabelMention]:
    """Return the labels that `text` names, in order; where labels overlap, the longest counts."""
    vocabulary = _vocabulary(tuple(labels))
    named: list[LabelMention] = []
    for match in vocabulary.pattern.finditer(text):
        label = vocabulary.by_key.get(label_key(match[0]), "")
        if not label:
            continue
        before, after = text[max(0, match.start() - 60) : match.start()], text[match.end() : match.end() + 40]
        denied = bool(_DENIED_BEFORE.search(before) or _DENIED_AFTER.match(after))
        if named and named[-1].denied and _ALTERNATIVE.fullmatch(text[named[-1].end : match.start()]):
            denied = True  # "neither World nor Sports"
        exact = match[0] == label or not any(character.isupper() for character in label)
        named.append(LabelMention(label=label, start=match.start(), end=match.end(), denied=denied, exact=exact))
    return list(_without_enumerations(text, named, len(set(vocabulary.by_key.values()))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vocabulary:
    pattern: re.Pattern[str]
    by_key: dict[str, str]


@lru_cache(maxsize=256)
def _vocabulary(labels: tuple[str, ...]) -> _Vocabulary:
    plain = [label for label in dict.fromkeys(labels) if visible_text(label)]
    spellings = [_spelling(visible_text(label)) for label in sorted(plain, key=len, reverse=True)]
    return _Vocabulary(
        pattern=re.compile("|".join(spellings) or r"(?!)", re.IGNORECASE),
        by_key={label_key(label): label for label in reversed(plain)},
    )


def _spelling(label: str) -> str:
    parts = [re.escape(word) for part in _SEPARATORS.split(label) for word in _HUMP.split(part)]
    return bounded(label, r"[\s_/&-]{0,3}".join(parts))


def _without_enumerations(text: str, mentions: list[LabelMention], labels: int) -> Iterator[LabelMention]:
    """Drop mentions that list the options ("World, Sports or Business"): all labels, or three or more in a row."""
    run: list[LabelMention] = []
    for mention in [*mentions, None]:
        if run and mention and _JOINS.fullmatch(text[run[-1].end : mention.start]):
            run.append(mention)
            continue
        different = len({member.label for member in run})
        if different < 2 or different < min(3, labels):
            yield from run
        run = [mention] if mention else []


def drop_denied(mentions: Sequence[LabelMention]) -> list[LabelMention]:
    """Return the mentions that the text does not deny; those written as the label is, if labels differ."""
    kept = [mention for mention in mentions if not mention.denied]
    exact = [mention for mention in kept if mention.exact]
    return exact if exact and len({mention.label for mention in kept}) > 1 else kept


def joins_another(text: str, mention: LabelMention, mentions: Sequence[LabelMention]) -> bool:
    """Return whether another label follows as an alternative or addition: "World or Sports"."""
    return any(
        other.start > mention.end
        and other.label != mention.label
        and not other.denied
        and _JOINS.fullmatch(text[mention.end : other.start])
        for other in mentions
    )

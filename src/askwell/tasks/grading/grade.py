"""Grade a reply against a target by answer type: one table, one function per type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, get_args

from askwell.core.errors import ConfigError, DataError, nearest
from askwell.core.types import Score
from askwell.tasks.grading import choices, free_text, numbers, sequences, yes_no
from askwell.tasks.grading.normalize import visible

AnswerType = Literal[
    "exact", "choice", "number", "boolean", "yesno", "words", "brackets", "contains", "regex", "f1", "rouge-l"
]
ANSWER_TYPES: tuple[AnswerType, ...] = get_args(AnswerType)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    judge: Callable[[str, str, str], Score]
    """(reply, one target, the question or "") -> score."""
    read: Callable[[str, str, str], str | None]
    """(reply, target or "", question or "") -> the answer read, or None."""
    combine: Callable[[list[Score]], Score]
    """How several targets make one score."""


def grade(answer_type: str, reply: str, target: str | Sequence[str]) -> float:
    """Return how right `reply` is, in 0..1, given the right answer or several of which any will do.

    Args:
        answer_type: One of `ANSWER_TYPES`. Every type gives 0.0 or 1.0 but "f1" and "rouge-l", which are in between.
        reply: What the model wrote, reasoning and markup included; the answer is looked for in it.
        target: The right answer. Of several, the best match counts; "rouge-l" takes the mean over them.

    Raises:
        ConfigError: An unknown answer type.
        DataError: An empty target, or one its type can't read (a "number" without a number, a broken pattern).

    """
    return judge(answer_type, reply, target).value


def judge(answer_type: str, reply: str, target: str | Sequence[str], *, question: str = "") -> Score:
    """Grade like `grade`, and say what was read as the answer and why.

    `question` may lend its options ("(A) Paris") and, for brackets, the sequence it opens with.
    """
    kind = _kind(answer_type)
    targets = targets_of(target)
    if answer_type not in ("regex", "number", "boolean", "yesno", "words", "brackets") and not visible(reply):
        return Score(value=0.0, note="empty reply")
    return kind.combine([kind.judge(reply, one, question) for one in targets])


def extract(answer_type: str, reply: str, target: str = "", *, question: str = "") -> str | None:
    """Return the answer `reply` gives, as text, or None where it gives none.

    `target` only lends its vocabulary (its family of verdicts, its words); it is needed for "regex". The answer is
    never bent towards it.
    """
    return _kind(answer_type).read(reply, target, question)


def targets_of(target: object) -> tuple[str, ...]:
    """Return the targets as a tuple; raise DataError where one is empty or not text."""
    found: tuple[object, ...] = tuple(target) if isinstance(target, (list, tuple)) else (target,)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - foreign data
    if not found:
        raise DataError("target is empty; give at least one right answer")
    for one in found:
        if not isinstance(one, str) or not one.strip():
            raise DataError(f"target {one!r} is empty or not text; every right answer must be a non-empty string")
    return tuple(str(one) for one in found)


def _kind(answer_type: str) -> _Kind:
    if answer_type not in _KINDS:
        raise ConfigError(f"unknown answer type {answer_type!r}; {nearest(answer_type, _KINDS)}")
    return _KINDS[answer_type]


def _best(scores: list[Score]) -> Score:
    return max(scores, key=lambda score: score.value)


def _mean(scores: list[Score]) -> Score:
    return Score(value=fmean(score.value for score in scores), answer=scores[0].answer, note=scores[0].note)


def _told(right: bool, answer: str, target: str, note: str) -> Score:
    if right:
        return Score(value=1.0, answer=answer, note=note)
    because = f"read {answer!r}, expected {target!r}" if answer else ""
    return Score(value=0.0, answer=answer, note="; ".join(part for part in (because, note) if part))


def _number(reply: str, target: str, _: str) -> Score:
    wanted = numbers.target_number(target)
    found, note = numbers.find_number(reply)
    return _told(found is not None and numbers.same_number(found, wanted), found.shown if found else "", target, note)


def _read_number(reply: str, *_: str) -> str | None:
    found, _note = numbers.find_number(reply)
    return found.shown if found else None


def _choice(reply: str, target: str, question: str) -> Score:
    options = choices.options_in(question)
    letter = choices.label_of(target)
    if not letter:
        return _labelled_text(reply, target, options)
    if letter not in options and (text := choices.text_of(target)):
        options = {**options, letter: free_text.normal(text)}
    answer, note = choices.find_choice(reply, options)
    return _told(answer == letter, answer, letter, note)


def _labelled_text(reply: str, target: str, options: dict[str, str]) -> Score:
    if (same := free_text.same_text(reply, target)) is not None:
        return _told(True, same.strip(), target, "")
    answer, note = choices.find_choice(reply, options)
    return _told(bool(answer) and options.get(answer) == free_text.normal(target), answer, target, note)


def _read_choice(reply: str, target: str, question: str) -> str | None:
    return choices.find_choice(reply, choices.options_in(question))[0] or None


def _boolean(reply: str, target: str, _: str) -> Score:
    family, positive = yes_no.target_verdict(target)
    found, note = yes_no.find_verdict(reply, family)
    answer = yes_no.verdict_word((family, found[1])) if found else ""
    return _told(found is not None and found[1] == positive, answer, target, note)


def _read_boolean(reply: str, target: str, _: str) -> str | None:
    family = yes_no.target_verdict(target)[0] if target else ""
    found, _note = yes_no.find_verdict(reply, family)
    return yes_no.verdict_word((family or found[0], found[1])) if found else None


def _word_list(reply: str, target: str, _: str) -> Score:
    wanted = sequences.target_words(target)
    found, note = sequences.find_words(reply, wanted)
    return _told(found == wanted, " ".join(found), target, note)


def _read_word_list(reply: str, target: str, _: str) -> str | None:
    found, _note = sequences.find_words(reply, sequences.target_words(target) if target else [])
    return " ".join(found) or None


def _bracket_sequence(reply: str, target: str, question: str) -> Score:
    wanted = sequences.target_brackets(target)
    found, note = sequences.find_brackets(reply, question)
    return _told(sequences.same_brackets(found, wanted), " ".join(found), target, note)


def _read_brackets(reply: str, _: str, question: str) -> str | None:
    return " ".join(sequences.find_brackets(reply, question)[0]) or None


def _exact(reply: str, target: str, _: str) -> Score:
    same = free_text.same_text(reply, target)
    answer = same if same is not None else next(free_text.exact_answers(reply), "")
    return _told(same is not None, answer.strip(), target, "")


def _read_exact(reply: str, *_: str) -> str | None:
    stated = list(free_text.exact_answers(reply))
    return (stated[1] if len(stated) > 1 else stated[0]).strip() or None


def _contains(reply: str, target: str, _: str) -> Score:
    right = free_text.contains(reply, target)
    return Score(value=float(right), answer=target if right else "", note="" if right else f"{target!r} does not occur")


def _regex(reply: str, target: str, _: str) -> Score:
    found = free_text.search(reply, target)
    return Score(value=float(found is not None), answer=found or "", note="" if found is not None else "no match")


def _f1(reply: str, target: str, _: str) -> Score:
    return Score(value=free_text.token_f1(reply, target), answer=visible(reply))


def _rouge_l(reply: str, target: str, _: str) -> Score:
    return Score(value=free_text.rouge_l(reply, target), answer=visible(reply))


def _read_all(reply: str, *_: str) -> str | None:
    return visible(reply) or None


_KINDS: dict[str, _Kind] = {
    "exact": _Kind(judge=_exact, read=_read_exact, combine=_best),
    "choice": _Kind(judge=_choice, read=_read_choice, combine=_best),
    "number": _Kind(judge=_number, read=_read_number, combine=_best),
    "boolean": _Kind(judge=_boolean, read=_read_boolean, combine=_best),
    "yesno": _Kind(judge=_boolean, read=_read_boolean, combine=_best),
    "words": _Kind(judge=_word_list, read=_read_word_list, combine=_best),
    "brackets": _Kind(judge=_bracket_sequence, read=_read_brackets, combine=_best),
    "contains": _Kind(
        judge=_contains,
        read=lambda reply, target, _: target if target and free_text.contains(reply, target) else None,
        combine=_best,
    ),
    "regex": _Kind(judge=_regex, read=lambda reply, target, _: free_text.search(reply, target), combine=_best),
    "f1": _Kind(judge=_f1, read=_read_all, combine=_best),
    "rouge-l": _Kind(judge=_rouge_l, read=_read_all, combine=_mean),
}

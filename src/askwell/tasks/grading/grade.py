"""Grade a reply against a target, with one function per answer type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, get_args

from askwell.core.errors import ConfigError, DataError, nearest
from askwell.core.types import Score
from askwell.tasks.grading import exact, free_text, overlap, sequences, yes_no
from askwell.tasks.grading.context import NO_CONTEXT, GradingContext
from askwell.tasks.grading.normalize import normalize_answer, visible_text
from askwell.tasks.grading.numbers.equality import same_number
from askwell.tasks.grading.numbers.find import find_number, target_number
from askwell.tasks.grading.options import choices, labels
from askwell.tasks.grading.options.questions import numbered_target

AnswerType = Literal[
    "exact", "choice", "number", "boolean", "yesno", "words", "brackets", "contains", "regex", "f1", "rouge-l", "label"
]
ANSWER_TYPES: tuple[AnswerType, ...] = get_args(AnswerType)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grader:
    score: Callable[[str, str, GradingContext], Score]
    """Score (reply, a single target, context)."""
    extract: Callable[[str, str, GradingContext], str | None]
    """Extract the answer from (reply, target or "", context); None if the reply gives none."""
    combine: Callable[[list[Score]], Score]
    """Combine the scores against several targets."""


def grade(
    answer_type: str,
    reply: str,
    target: str | Sequence[str],
    *,
    question: str = "",
    labels: Sequence[str] = (),
) -> float:
    """Return the score of `reply`, in 0..1, against one right answer or several accepted answers.

    Args:
        answer_type: One of `ANSWER_TYPES`. "f1" and "rouge-l" give any value in 0..1, every other type 0.0 or 1.0.
        reply: The model's text, with its reasoning and markup; the grader finds the answer in it.
        target: The right answer. If there are several, the best match counts; "rouge-l" takes the mean over them.
        question: The question as the model saw it. "choice" and "label" read the options from it.
        labels: All answers that the task allows, for "label".

    Raises:
        ConfigError: The answer type is unknown, or "label" has neither labels nor a question that lists options.
        DataError: The target is empty or does not fit its type (a "number" without a number, an invalid pattern).

    """
    context = GradingContext(question=question, labels=tuple(labels))
    return score_reply(answer_type, reply, target, context).value


def score_reply(
    answer_type: str, reply: str, target: str | Sequence[str], context: GradingContext = NO_CONTEXT
) -> Score:
    """Grade like `grade`, and also return the answer that was read and why."""
    grader = _grader(answer_type)
    targets = check_targets(target)
    if answer_type not in ("regex", "number", "boolean", "yesno", "words", "brackets") and not visible_text(reply):
        return Score(value=0.0, note="empty reply")
    return grader.combine([grader.score(reply, right, context) for right in targets])


def extract(answer_type: str, reply: str, target: str = "", context: GradingContext = NO_CONTEXT) -> str | None:
    """Return the answer that `reply` gives, as text; None if it gives none.

    `target` supplies only the vocabulary (yes/no or true/false, the words of a list) and, for "regex", the pattern. It
    does not influence which answer is read.
    """
    return _grader(answer_type).extract(reply, target, context)


def check_targets(target: object) -> tuple[str, ...]:
    """Return the targets as a tuple; raise `DataError` if any is empty or not text."""
    targets: tuple[object, ...] = tuple(target) if isinstance(target, (list, tuple)) else (target,)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - foreign data
    if not targets:
        raise DataError("target is empty; give at least one right answer")
    for right in targets:
        if not isinstance(right, str) or not right.strip():
            raise DataError(f"target {right!r} is empty or not text; every right answer must be a non-empty string")
    return tuple(str(right) for right in targets)


def _grader(answer_type: str) -> _Grader:
    if answer_type not in _GRADERS:
        raise ConfigError(f"unknown answer type {answer_type!r}; {nearest(answer_type, _GRADERS)}")
    return _GRADERS[answer_type]


def _best(scores: list[Score]) -> Score:
    return max(scores, key=lambda score: score.value)


def _mean(scores: list[Score]) -> Score:
    return Score(value=fmean(score.value for score in scores), answer=scores[0].answer, note=scores[0].note)


def _match_score(right: bool, answer: str, target: str, note: str) -> Score:
    if right:
        return Score(value=1.0, answer=answer, note=note)
    because = f"read {answer!r}, expected {target!r}" if answer else ""
    return Score(value=0.0, answer=answer, note="; ".join(part for part in (because, note) if part))


def _score_number(reply: str, target: str, _: GradingContext) -> Score:
    wanted = target_number(target)
    number, note = find_number(reply)
    return _match_score(
        number is not None and same_number(number, wanted), number.shown if number else "", target, note
    )


def _extract_number(reply: str, *_: object) -> str | None:
    number, _note = find_number(reply)
    return number.shown if number else None


def _score_choice(reply: str, target: str, context: GradingContext) -> Score:
    options = choices.parse_options(context.question)
    if not options and (label := numbered_target(target, context.question)):
        return _score_label(reply, label, context)
    letter = choices.target_letter(target, options)
    by_text = not letter or options.get(letter) == normalize_answer(target)
    if by_text and (same := exact.same_text(reply, target)) is not None:
        return _match_score(True, same.strip(), target, "")
    if letter and letter not in options and (text := choices.option_text(target)):
        options = {**options, letter: normalize_answer(text)}
    answer, note = choices.find_choice(reply, options)
    return _match_score(bool(answer) and answer == letter, answer, letter or target, note)


def _extract_choice(reply: str, target: str, context: GradingContext) -> str | None:
    return choices.find_choice(reply, choices.parse_options(context.question))[0] or None


def _score_label(reply: str, target: str, context: GradingContext) -> Score:
    options, wanted = labels.labels_for(target, context)
    answer, note = labels.find_label(reply, options)
    return _match_score(labels.label_key(answer) == labels.label_key(wanted), answer, wanted, note)


def _extract_label(reply: str, target: str, context: GradingContext) -> str | None:
    return labels.find_label(reply, labels.labels_for(target, context)[0])[0] or None


def _score_boolean(reply: str, target: str, _: GradingContext) -> Score:
    family, positive = yes_no.target_verdict(target)
    verdict, note = yes_no.find_verdict(reply, family)
    answer = yes_no.verdict_word((family, verdict[1])) if verdict else ""
    return _match_score(verdict is not None and verdict[1] == positive, answer, target, note)


def _extract_boolean(reply: str, target: str, _: GradingContext) -> str | None:
    family = yes_no.target_verdict(target)[0] if target else ""
    verdict, _note = yes_no.find_verdict(reply, family)
    return yes_no.verdict_word((family or verdict[0], verdict[1])) if verdict else None


def _score_word_list(reply: str, target: str, _: GradingContext) -> Score:
    wanted = sequences.target_words(target)
    words, note = sequences.find_words(reply, wanted)
    return _match_score(words == wanted, " ".join(words), target, note)


def _extract_word_list(reply: str, target: str, _: GradingContext) -> str | None:
    words, _note = sequences.find_words(reply, sequences.target_words(target) if target else [])
    return " ".join(words) or None


def _score_bracket_sequence(reply: str, target: str, context: GradingContext) -> Score:
    wanted = sequences.target_brackets(target)
    brackets, note = sequences.find_brackets(reply, context.question)
    return _match_score(sequences.same_brackets(brackets, wanted), " ".join(brackets), target, note)


def _extract_brackets(reply: str, _: str, context: GradingContext) -> str | None:
    return " ".join(sequences.find_brackets(reply, context.question)[0]) or None


def _score_exact(reply: str, target: str, _: GradingContext) -> Score:
    same = exact.same_text(reply, target)
    answer = same if same is not None else next(exact.exact_answers(reply), "")
    return _match_score(same is not None, answer.strip(), target, "")


def _extract_exact(reply: str, *_: object) -> str | None:
    stated = list(exact.exact_answers(reply))
    return (stated[1] if len(stated) > 1 else stated[0]).strip() or None


def _score_contains(reply: str, target: str, _: GradingContext) -> Score:
    right = free_text.contains(reply, target)
    return Score(value=float(right), answer=target if right else "", note="" if right else f"{target!r} does not occur")


def _score_regex(reply: str, target: str, _: GradingContext) -> Score:
    match = free_text.search(reply, target)
    return Score(value=float(match is not None), answer=match or "", note="" if match is not None else "no match")


def _score_f1(reply: str, target: str, _: GradingContext) -> Score:
    return Score(value=overlap.token_f1(reply, target), answer=visible_text(reply))


def _score_rouge_l(reply: str, target: str, _: GradingContext) -> Score:
    return Score(value=overlap.rouge_l(reply, target), answer=visible_text(reply))


def _extract_all(reply: str, *_: object) -> str | None:
    return visible_text(reply) or None


_GRADERS: dict[str, _Grader] = {
    "exact": _Grader(score=_score_exact, extract=_extract_exact, combine=_best),
    "choice": _Grader(score=_score_choice, extract=_extract_choice, combine=_best),
    "number": _Grader(score=_score_number, extract=_extract_number, combine=_best),
    "boolean": _Grader(score=_score_boolean, extract=_extract_boolean, combine=_best),
    "yesno": _Grader(score=_score_boolean, extract=_extract_boolean, combine=_best),
    "words": _Grader(score=_score_word_list, extract=_extract_word_list, combine=_best),
    "brackets": _Grader(score=_score_bracket_sequence, extract=_extract_brackets, combine=_best),
    "contains": _Grader(
        score=_score_contains,
        extract=lambda reply, target, _: target if target and free_text.contains(reply, target) else None,
        combine=_best,
    ),
    "regex": _Grader(
        score=_score_regex, extract=lambda reply, target, _: free_text.search(reply, target), combine=_best
    ),
    "f1": _Grader(score=_score_f1, extract=_extract_all, combine=_best),
    "rouge-l": _Grader(score=_score_rouge_l, extract=_extract_all, combine=_mean),
    "label": _Grader(score=_score_label, extract=_extract_label, combine=_best),
}

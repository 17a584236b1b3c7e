"""The bundled rewriter's moves: recombine the phrases of prompts that did well with new ones of the bank."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from askwell.core.text import edit_distance
from askwell.models.bundled.editor_bank import bank, phrase_words, split_phrases, weigh_phrases
from askwell.models.bundled.editor_reading import MetaPromptContent, TriedPrompt

MOST_PHRASES = 5
"""Longest prompt written, in phrases: longer ones say too many things at once to learn anything from their score."""
_SHARE = 12
"""New phrases set aside for one draw, so that the draws of a batch don't try the same ones."""

_ADVISED = 10.0
"""Points of credit for a phrase that feedback speaks for: about what a good phrase brings."""


def rewrite(reading: MetaPromptContent, *, shared: random.Random, own: random.Random, sample_index: int) -> str:
    """Return a prompt within the word budget that was not shown yet, if there is one; else the current prompt.

    `shared` must be equal for all draws of a batch (it deals out the bank among them), `own` is this draw's.
    """
    context = RewriteContext(reading=reading, new=_assign_phrases(reading, shared, sample_index), own=own)
    moves = _plan_moves(reading, sample_index)
    for move in (*moves, *_FALLBACKS):
        for _ in range(4):
            text = context.compose(move(context))
            if text and text not in context.shown and context.is_within_budget(text):
                return text
    return reading.current.prompt or " ".join(context.take(1))


def credit_phrases(tried: Sequence[TriedPrompt]) -> dict[str, float]:
    """Return for each phrase the mean score of the prompts with it minus that of those without, shrunk towards 0.

    In points of 0 to 100. A phrase that all prompts have, or a single prompt, tells nothing: 0.
    """
    scored = [
        (frozenset(split_phrases(tried_prompt.prompt)), tried_prompt.score)
        for tried_prompt in tried
        if tried_prompt.score is not None
    ]
    found: dict[str, float] = {}
    for phrase in dict.fromkeys(phrase for tried_prompt in tried for phrase in split_phrases(tried_prompt.prompt)):
        with_it = [score for phrases, score in scored if phrase in phrases]
        without = [score for phrases, score in scored if phrase not in phrases]
        shown = with_it and without
        gain = sum(with_it) / len(with_it) - sum(without) / len(without) if shown else 0.0
        found[phrase] = gain * len(with_it) / (len(with_it) + 1) + _complement_credit(phrase, tried)
    return found


def _complement_credit(phrase: str, tried: Sequence[TriedPrompt]) -> float:
    """Points for standing in a prompt that is right where the current one is wrong, even if it scores lower."""
    shares = [
        tried_prompt.fixes / (tried_prompt.fixes + tried_prompt.breaks)
        for tried_prompt in tried
        if tried_prompt.fixes and phrase in tried_prompt.prompt
    ]
    return _ADVISED * max(shares, default=0.0)


@dataclass(frozen=True, kw_only=True)
class RewriteContext:
    """One draw's working place: what was read, the new phrases to try, and chance."""

    reading: MetaPromptContent
    new: list[str]
    own: random.Random

    @cached_property
    def shown(self) -> frozenset[str]:
        """Prompts that were shown: writing one again would teach nothing."""
        return frozenset(tried_prompt.prompt for tried_prompt in self.reading.tried)

    @cached_property
    def credit(self) -> dict[str, float]:
        found = credit_phrases(self.reading.tried)
        for phrase in (*self.reading.advice.take, *self.reading.advice.keep):
            found[phrase] = found.get(phrase, 0.0) + _ADVISED
        return found

    @cached_property
    def parent(self) -> list[str]:
        """The phrases to start from: of the prompt to be modified or the best one shown, or drawn from several."""
        if not self.reading.parents:
            start = self.reading.current if self.reading.edits else best_tried(self.reading.tried)
            return list(split_phrases(start.prompt))
        combined = [*self.reading.parents, self.reading.current.prompt]
        phrases = list(dict.fromkeys(phrase for prompt in combined for phrase in split_phrases(prompt)))
        count = min(len(phrases), max(len(split_phrases(prompt)) for prompt in combined))
        kept = set(self.own.sample(phrases, count))
        return [phrase for phrase in phrases if phrase in kept]

    def take(self, count: int) -> list[str]:
        """Draw new phrases, never the same one twice."""
        taken = self.own.sample(self.new, min(count, len(self.new)))
        for phrase in taken:
            self.new.remove(phrase)
        return taken

    def compose(self, phrases: Sequence[str]) -> str:
        """Join phrases to a prompt; the current prompt's phrases with a {placeholder} are never lost."""
        pinned = [phrase for phrase in split_phrases(self.reading.current.prompt) if self._is_pinned(phrase)]
        *ahead, last = dict.fromkeys([*phrases, *pinned]) or [""]
        return " ".join([*(f"{phrase}." if phrase[-1].isalnum() else phrase for phrase in ahead), last])

    def _is_pinned(self, phrase: str) -> bool:
        kept = self.reading.advice.word_for_word
        return "{" in phrase or any(phrase in text or text in phrase for text in kept)

    def is_within_budget(self, text: str) -> bool:
        """Whether the text keeps to the word budget, measured from the current prompt."""
        budget = self.reading.budget_words
        return budget is None or edit_distance(self.reading.current.prompt, text) <= budget

    def find_weakest(self, phrases: Sequence[str]) -> str:
        """Return a phrase to give up: of the lowest credit, by chance among equals."""
        return min(phrases, key=lambda phrase: (self.credit.get(phrase, 0.0), self.own.random()))


Move = Callable[[RewriteContext], list[str]]


def best_tried(tried: Sequence[TriedPrompt]) -> TriedPrompt:
    """Return the best-scored prompt; of equals the latest shown, and the last of all where no score is known."""
    return max(reversed(tried), key=lambda tried_prompt: -1.0 if tried_prompt.score is None else tried_prompt.score)


def _start_fresh(count: int) -> Move:
    return lambda context: context.take(count)


def _extend(count: int) -> Move:
    def move(context: RewriteContext) -> list[str]:
        kept, added = context.parent[: MOST_PHRASES - count], context.take(count)
        return [*added, *kept] if context.own.random() < 0.5 else [*kept, *added]

    return move


def _swap(context: RewriteContext) -> list[str]:
    if not context.parent:
        return context.take(1)
    find_weakest, other = context.find_weakest(context.parent), context.take(1)
    return [new for phrase in context.parent for new in (other if phrase == find_weakest else [phrase])]


def _prune(context: RewriteContext) -> list[str]:
    if len(context.parent) < 2:
        return _reword(context)
    find_weakest = (
        context.find_weakest(context.parent) if context.own.random() < 0.5 else context.own.choice(context.parent)
    )
    return [phrase for phrase in context.parent if phrase != find_weakest]


def _halve(context: RewriteContext) -> list[str]:
    """Keep about half of the phrases: the quickest way to find out which of many did it."""
    if len(context.parent) < 2:
        return context.take(2)
    kept = set(context.own.sample(context.parent, (len(context.parent) + 1) // 2))
    return [phrase for phrase in context.parent if phrase in kept]


def _cross(context: RewriteContext) -> list[str]:
    """Join phrases of good credit from all the prompts shown, and one new one if there are too few."""
    good = [phrase for phrase, credit in context.credit.items() if credit >= 0]
    order = sorted(good, key=lambda phrase: -context.credit[phrase] * context.own.uniform(0.5, 1.5))
    chosen = order[: context.own.randint(1, 3)]
    return chosen if len(chosen) > 1 else [*chosen, *context.take(1)]


def _adopt(context: RewriteContext) -> list[str]:
    """Add what feedback says to take over, or else the phrase of highest credit that the prompt lacks."""
    lacking = [phrase for phrase in context.credit if phrase not in context.parent and context.credit[phrase] > 0]
    if not lacking:
        return [*context.parent[: MOST_PHRASES - 1], *context.take(1)]
    best = max(lacking, key=lambda phrase: context.credit[phrase] * context.own.uniform(0.5, 1.5))
    return [*context.parent[: MOST_PHRASES - 1], best]


def _reword(context: RewriteContext) -> list[str]:
    """Replace one phrase by one of the bank that says something alike."""
    if not context.parent:
        return context.take(1)
    phrase = context.own.choice(context.parent)
    alike = _weigh_similar(phrase, context.parent)
    other = context.own.choices(list(alike), weights=list(alike.values()))[0]
    return [other if tried_prompt == phrase else tried_prompt for tried_prompt in context.parent]


def _weigh_similar(phrase: str, shown: Sequence[str]) -> dict[str, float]:
    """Weigh the bank by the words shared with a phrase; phrases of its own section of the bank count more."""
    mine = phrase_words(phrase)
    found: dict[str, float] = {}
    for section in bank():
        home = 1.0 if phrase in section.phrases else 0.1
        for other in section.phrases:
            if other not in shown:
                theirs = phrase_words(other)
                found[other] = home * (0.1 + len(mine & theirs) / len(mine | theirs)) ** 2
    return found


_EXPLORE: tuple[Move, ...] = (
    _start_fresh(3), _halve, _start_fresh(5), _extend(1), _start_fresh(4), _start_fresh(1), _extend(2), _start_fresh(2),
)  # fmt: skip
_EXPLOIT: tuple[Move, ...] = (
    _start_fresh(3), _halve, _extend(1), _swap, _reword, _cross, _reword, _prune,
)  # fmt: skip
_LOCAL: tuple[Move, ...] = (_swap, _extend(1), _reword, _adopt, _prune, _reword, _cross, _extend(1))
_FALLBACKS: tuple[Move, ...] = (_extend(1), _swap, _prune)


def _plan_moves(reading: MetaPromptContent, sample_index: int) -> tuple[Move, ...]:
    """Explore on the more draws, the lower the best score is; the others work on the best prompt."""
    best = best_tried(reading.tried).score
    level = 0.5 if best is None else best / 100
    if reading.edits:
        return (_LOCAL[sample_index % len(_LOCAL)],)
    exploring = round(1 + 7 * (1 - level))
    place = sample_index % len(_EXPLORE)
    return (_EXPLORE[place] if place < exploring else _EXPLOIT[place],)


def _assign_phrases(reading: MetaPromptContent, shared: random.Random, sample_index: int) -> list[str]:
    """Return this draw's part of the bank: all draws see one shuffle, in which fitting phrases come early."""
    shown = {phrase for tried_prompt in reading.tried for phrase in split_phrases(tried_prompt.prompt)}
    fit = weigh_phrases((*reading.questions, reading.notes))
    # Weighted sampling without replacement (Efraimidis and Spirakis): the largest of u^(1/weight) come first.
    keys = {phrase: shared.random() ** (1 / weight) for phrase, weight in fit.items()}
    order = sorted((phrase for phrase in keys if phrase not in shown), key=lambda phrase: -keys[phrase])
    start = sample_index * _SHARE % max(1, len(order) - _SHARE)
    return order[start : start + _SHARE]

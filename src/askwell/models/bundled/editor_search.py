"""The bundled rewriter's moves: recombine the phrases of prompts that did well with new ones of the bank."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from askwell.core.text import edit_distance
from askwell.models.bundled.editor_bank import bank, split_phrases, weights, words_of
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
    desk = RewriteContext(reading=reading, new=_dealt(reading, shared, sample_index), own=own)
    moves = _plan(reading, sample_index)
    for move in (*moves, *_FALLBACKS):
        for _ in range(4):
            text = desk.written(move(desk))
            if text and text not in desk.known and desk.fits(text):
                return text
    return reading.current.prompt or " ".join(desk.take(1))


def credits_of(tried: Sequence[TriedPrompt]) -> dict[str, float]:
    """Return for each phrase the mean score of the prompts with it minus that of those without, shrunk towards 0.

    In points of 0 to 100. A phrase that all prompts have, or a single prompt, tells nothing: 0.
    """
    scored = [(frozenset(split_phrases(one.prompt)), one.score) for one in tried if one.score is not None]
    found: dict[str, float] = {}
    for phrase in dict.fromkeys(phrase for one in tried for phrase in split_phrases(one.prompt)):
        with_it = [score for phrases, score in scored if phrase in phrases]
        without = [score for phrases, score in scored if phrase not in phrases]
        known = with_it and without
        gain = sum(with_it) / len(with_it) - sum(without) / len(without) if known else 0.0
        found[phrase] = gain * len(with_it) / (len(with_it) + 1) + _complements(phrase, tried)
    return found


def _complements(phrase: str, tried: Sequence[TriedPrompt]) -> float:
    """Points for standing in a prompt that is right where the current one is wrong, even if it scores lower."""
    shares = [one.fixes / (one.fixes + one.breaks) for one in tried if one.fixes and phrase in one.prompt]
    return _ADVISED * max(shares, default=0.0)


@dataclass(frozen=True, kw_only=True)
class RewriteContext:
    """One draw's working place: what was read, the new phrases to try, and chance."""

    reading: MetaPromptContent
    new: list[str]
    own: random.Random

    @cached_property
    def known(self) -> frozenset[str]:
        """Prompts that were shown: writing one again would teach nothing."""
        return frozenset(one.prompt for one in self.reading.tried)

    @cached_property
    def credit(self) -> dict[str, float]:
        found = credits_of(self.reading.tried)
        for phrase in (*self.reading.advice.take, *self.reading.advice.keep):
            found[phrase] = found.get(phrase, 0.0) + _ADVISED
        return found

    @cached_property
    def parent(self) -> list[str]:
        """The phrases to start from: of the prompt to be modified or the best one shown, or drawn from several."""
        if not self.reading.parents:
            start = self.reading.current if self.reading.edits else best_of(self.reading.tried)
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

    def written(self, phrases: Sequence[str]) -> str:
        """Join phrases to a prompt; the current prompt's phrases with a {placeholder} are never lost."""
        pinned = [phrase for phrase in split_phrases(self.reading.current.prompt) if self._is_pinned(phrase)]
        *ahead, last = dict.fromkeys([*phrases, *pinned]) or [""]
        return " ".join([*(f"{phrase}." if phrase[-1].isalnum() else phrase for phrase in ahead), last])

    def _is_pinned(self, phrase: str) -> bool:
        kept = self.reading.advice.word_for_word
        return "{" in phrase or any(phrase in text or text in phrase for text in kept)

    def fits(self, text: str) -> bool:
        """Whether the text keeps to the word budget, measured from the current prompt."""
        budget = self.reading.budget_words
        return budget is None or edit_distance(self.reading.current.prompt, text) <= budget

    def weakest(self, phrases: Sequence[str]) -> str:
        """Return a phrase to give up: of the lowest credit, by chance among equals."""
        return min(phrases, key=lambda phrase: (self.credit.get(phrase, 0.0), self.own.random()))


Move = Callable[[RewriteContext], list[str]]


def best_of(tried: Sequence[TriedPrompt]) -> TriedPrompt:
    """Return the best-scored prompt; of equals the latest shown, and the last of all where no score is known."""
    return max(reversed(tried), key=lambda one: -1.0 if one.score is None else one.score)


def _fresh(count: int) -> Move:
    return lambda desk: desk.take(count)


def _extended(count: int) -> Move:
    def move(desk: RewriteContext) -> list[str]:
        kept, added = desk.parent[: MOST_PHRASES - count], desk.take(count)
        return [*added, *kept] if desk.own.random() < 0.5 else [*kept, *added]

    return move


def _swapped(desk: RewriteContext) -> list[str]:
    if not desk.parent:
        return desk.take(1)
    weakest, other = desk.weakest(desk.parent), desk.take(1)
    return [new for phrase in desk.parent for new in (other if phrase == weakest else [phrase])]


def _pruned(desk: RewriteContext) -> list[str]:
    if len(desk.parent) < 2:
        return _reworded(desk)
    weakest = desk.weakest(desk.parent) if desk.own.random() < 0.5 else desk.own.choice(desk.parent)
    return [phrase for phrase in desk.parent if phrase != weakest]


def _halved(desk: RewriteContext) -> list[str]:
    """Keep about half of the phrases: the quickest way to find out which of many did it."""
    if len(desk.parent) < 2:
        return desk.take(2)
    kept = set(desk.own.sample(desk.parent, (len(desk.parent) + 1) // 2))
    return [phrase for phrase in desk.parent if phrase in kept]


def _crossed(desk: RewriteContext) -> list[str]:
    """Join phrases of good credit from all the prompts shown, and one new one if there are too few."""
    good = [phrase for phrase, credit in desk.credit.items() if credit >= 0]
    order = sorted(good, key=lambda phrase: -desk.credit[phrase] * desk.own.uniform(0.5, 1.5))
    chosen = order[: desk.own.randint(1, 3)]
    return chosen if len(chosen) > 1 else [*chosen, *desk.take(1)]


def _adopted(desk: RewriteContext) -> list[str]:
    """Add what feedback says to take over, or else the phrase of highest credit that the prompt lacks."""
    lacking = [phrase for phrase in desk.credit if phrase not in desk.parent and desk.credit[phrase] > 0]
    if not lacking:
        return [*desk.parent[: MOST_PHRASES - 1], *desk.take(1)]
    best = max(lacking, key=lambda phrase: desk.credit[phrase] * desk.own.uniform(0.5, 1.5))
    return [*desk.parent[: MOST_PHRASES - 1], best]


def _reworded(desk: RewriteContext) -> list[str]:
    """Replace one phrase by one of the bank that says something alike."""
    if not desk.parent:
        return desk.take(1)
    phrase = desk.own.choice(desk.parent)
    alike = _alike(phrase, desk.parent)
    other = desk.own.choices(list(alike), weights=list(alike.values()))[0]
    return [other if one == phrase else one for one in desk.parent]


def _alike(phrase: str, known: Sequence[str]) -> dict[str, float]:
    """Weigh the bank by the words shared with a phrase; phrases of its own section of the bank count more."""
    mine = words_of(phrase)
    found: dict[str, float] = {}
    for section in bank():
        home = 1.0 if phrase in section.phrases else 0.1
        for other in section.phrases:
            if other not in known:
                theirs = words_of(other)
                found[other] = home * (0.1 + len(mine & theirs) / len(mine | theirs)) ** 2
    return found


_EXPLORE: tuple[Move, ...] = (
    _fresh(3), _halved, _fresh(5), _extended(1), _fresh(4), _fresh(1), _extended(2), _fresh(2),
)  # fmt: skip
_EXPLOIT: tuple[Move, ...] = (
    _fresh(3), _halved, _extended(1), _swapped, _reworded, _crossed, _reworded, _pruned,
)  # fmt: skip
_LOCAL: tuple[Move, ...] = (_swapped, _extended(1), _reworded, _adopted, _pruned, _reworded, _crossed, _extended(1))
_FALLBACKS: tuple[Move, ...] = (_extended(1), _swapped, _pruned)


def _plan(reading: MetaPromptContent, sample_index: int) -> tuple[Move, ...]:
    """Explore on the more draws, the lower the best score is; the others work on the best prompt."""
    best = best_of(reading.tried).score
    level = 0.5 if best is None else best / 100
    if reading.edits:
        return (_LOCAL[sample_index % len(_LOCAL)],)
    exploring = round(1 + 7 * (1 - level))
    place = sample_index % len(_EXPLORE)
    return (_EXPLORE[place] if place < exploring else _EXPLOIT[place],)


def _dealt(reading: MetaPromptContent, shared: random.Random, sample_index: int) -> list[str]:
    """Return this draw's part of the bank: all draws see one shuffle, in which fitting phrases come early."""
    shown = {phrase for one in reading.tried for phrase in split_phrases(one.prompt)}
    fit = weights((*reading.questions, reading.notes))
    # Weighted sampling without replacement (Efraimidis and Spirakis): the largest of u^(1/weight) come first.
    keys = {phrase: shared.random() ** (1 / weight) for phrase, weight in fit.items()}
    order = sorted((phrase for phrase in keys if phrase not in shown), key=lambda phrase: -keys[phrase])
    start = sample_index * _SHARE % max(1, len(order) - _SHARE)
    return order[start : start + _SHARE]

"""The bundled rewriter's moves: combine the phrases of good prompts with new ones of the bank."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from askwell.core.text import edit_distance
from askwell.models.bundled.editor_bank import bank, phrase_words, split_phrases, weigh_phrases
from askwell.models.bundled.editor_reading import MetaPromptContent, TriedPrompt

MAX_PHRASES = 5
"""Longest prompt written, in phrases: the score of a longer one says little about each of its phrases."""
_PHRASES_PER_SAMPLE = 12
"""New phrases reserved for one sample, so that the samples of a batch don't try the same ones."""

_ADVISED = 10.0
"""Points of credit for a phrase that feedback recommends: about the gain of a good phrase."""


def rewrite(content: MetaPromptContent, *, batch_rng: random.Random, rng: random.Random, sample_index: int) -> str:
    """Return a new prompt within the word budget; the current prompt if no move finds one.

    `batch_rng` must be in the same state for all samples of a batch (it distributes the bank among them); `rng` belongs
    to this sample.
    """
    context = RewriteContext(content=content, new=_assign_phrases(content, batch_rng, sample_index), rng=rng)
    moves = _plan_moves(content, sample_index)
    for move in (*moves, *_FALLBACKS):
        for _ in range(4):
            text = context.compose(move(context))
            if text and text not in context.shown and context.is_within_budget(text):
                return text
    return content.current.prompt or " ".join(context.draw_phrases(1))


def credit_phrases(tried: Sequence[TriedPrompt]) -> dict[str, float]:
    """Return for each phrase the mean score of the prompts with it minus that of those without, shrunk towards 0.

    In points of 0 to 100. A phrase of all prompts, or of a single one without others, has 0: there is no comparison.
    """
    scored = [(frozenset(split_phrases(entry.prompt)), entry.score) for entry in tried if entry.score is not None]
    credit: dict[str, float] = {}
    for phrase in dict.fromkeys(phrase for entry in tried for phrase in split_phrases(entry.prompt)):
        with_it = [score for phrases, score in scored if phrase in phrases]
        without = [score for phrases, score in scored if phrase not in phrases]
        is_comparable = with_it and without
        gain = sum(with_it) / len(with_it) - sum(without) / len(without) if is_comparable else 0.0
        credit[phrase] = gain * len(with_it) / (len(with_it) + 1) + _complement_credit(phrase, tried)
    return credit


def _complement_credit(phrase: str, tried: Sequence[TriedPrompt]) -> float:
    """Return points for a phrase of a prompt that is right where the current one is wrong, even if it scores lower."""
    shares = [entry.fixes / (entry.fixes + entry.breaks) for entry in tried if entry.fixes and phrase in entry.prompt]
    return _ADVISED * max(shares, default=0.0)


@dataclass(frozen=True, kw_only=True)
class RewriteContext:
    """The state of one sample: the parsed meta-prompt, the new phrases to try, and the random generator."""

    content: MetaPromptContent
    new: list[str]
    rng: random.Random

    @cached_property
    def shown(self) -> frozenset[str]:
        """The prompts in the request: to write one of them again would waste a sample."""
        return frozenset(entry.prompt for entry in self.content.tried)

    @cached_property
    def credit(self) -> dict[str, float]:
        credit = credit_phrases(self.content.tried)
        for phrase in (*self.content.advice.take, *self.content.advice.keep):
            credit[phrase] = credit.get(phrase, 0.0) + _ADVISED
        return credit

    @cached_property
    def parent(self) -> list[str]:
        """The phrases to start from: of the prompt to modify, of the best prompt, or sampled from several parents."""
        if not self.content.parents:
            start = self.content.current if self.content.edits else best_tried(self.content.tried)
            return list(split_phrases(start.prompt))
        combined = [*self.content.parents, self.content.current.prompt]
        phrases = list(dict.fromkeys(phrase for prompt in combined for phrase in split_phrases(prompt)))
        count = min(len(phrases), max(len(split_phrases(prompt)) for prompt in combined))
        kept = set(self.rng.sample(phrases, count))
        return [phrase for phrase in phrases if phrase in kept]

    def draw_phrases(self, count: int) -> list[str]:
        """Draw new phrases, never the same one twice."""
        taken = self.rng.sample(self.new, min(count, len(self.new)))
        for phrase in taken:
            self.new.remove(phrase)
        return taken

    def compose(self, phrases: Sequence[str]) -> str:
        """Join phrases to a prompt; the current prompt's phrases with a {placeholder} always stay."""
        pinned = [phrase for phrase in split_phrases(self.content.current.prompt) if self._is_pinned(phrase)]
        *ahead, last = dict.fromkeys([*phrases, *pinned]) or [""]
        return " ".join([*(f"{phrase}." if phrase[-1].isalnum() else phrase for phrase in ahead), last])

    def _is_pinned(self, phrase: str) -> bool:
        kept = self.content.advice.word_for_word
        return "{" in phrase or any(phrase in text or text in phrase for text in kept)

    def is_within_budget(self, text: str) -> bool:
        """Return whether the edit distance from the current prompt is within the word budget."""
        budget = self.content.budget_words
        return budget is None or edit_distance(self.content.current.prompt, text) <= budget

    def find_weakest(self, phrases: Sequence[str]) -> str:
        """Return the phrase of the lowest credit, a random one among equals."""
        return min(phrases, key=lambda phrase: (self.credit.get(phrase, 0.0), self.rng.random()))


Move = Callable[[RewriteContext], list[str]]


def best_tried(tried: Sequence[TriedPrompt]) -> TriedPrompt:
    """Return the prompt with the best score, the latest among equals; the last prompt if there are no scores."""
    return max(reversed(tried), key=lambda entry: -1.0 if entry.score is None else entry.score)


def _start_fresh(count: int) -> Move:
    return lambda context: context.draw_phrases(count)


def _extend(count: int) -> Move:
    def move(context: RewriteContext) -> list[str]:
        kept, added = context.parent[: MAX_PHRASES - count], context.draw_phrases(count)
        return [*added, *kept] if context.rng.random() < 0.5 else [*kept, *added]

    return move


def _swap(context: RewriteContext) -> list[str]:
    if not context.parent:
        return context.draw_phrases(1)
    find_weakest, other = context.find_weakest(context.parent), context.draw_phrases(1)
    return [new for phrase in context.parent for new in (other if phrase == find_weakest else [phrase])]


def _prune(context: RewriteContext) -> list[str]:
    if len(context.parent) < 2:
        return _reword(context)
    find_weakest = (
        context.find_weakest(context.parent) if context.rng.random() < 0.5 else context.rng.choice(context.parent)
    )
    return [phrase for phrase in context.parent if phrase != find_weakest]


def _halve(context: RewriteContext) -> list[str]:
    """Keep about half of the phrases: the fastest way to find the effective ones among many."""
    if len(context.parent) < 2:
        return context.draw_phrases(2)
    kept = set(context.rng.sample(context.parent, (len(context.parent) + 1) // 2))
    return [phrase for phrase in context.parent if phrase in kept]


def _cross(context: RewriteContext) -> list[str]:
    """Join phrases of good credit from all prompts shown, and a new phrase if there are too few."""
    good = [phrase for phrase, credit in context.credit.items() if credit >= 0]
    order = sorted(good, key=lambda phrase: -context.credit[phrase] * context.rng.uniform(0.5, 1.5))
    chosen = order[: context.rng.randint(1, 3)]
    return chosen if len(chosen) > 1 else [*chosen, *context.draw_phrases(1)]


def _adopt(context: RewriteContext) -> list[str]:
    """Add the phrase of highest credit that the prompt lacks (feedback adds credit), else a new phrase."""
    lacking = [phrase for phrase in context.credit if phrase not in context.parent and context.credit[phrase] > 0]
    if not lacking:
        return [*context.parent[: MAX_PHRASES - 1], *context.draw_phrases(1)]
    best = max(lacking, key=lambda phrase: context.credit[phrase] * context.rng.uniform(0.5, 1.5))
    return [*context.parent[: MAX_PHRASES - 1], best]


def _reword(context: RewriteContext) -> list[str]:
    """Replace one phrase by a similar one of the bank."""
    if not context.parent:
        return context.draw_phrases(1)
    phrase = context.rng.choice(context.parent)
    alike = _weigh_similar(phrase, context.parent)
    other = context.rng.choices(list(alike), weights=list(alike.values()))[0]
    return [other if kept == phrase else kept for kept in context.parent]


def _weigh_similar(phrase: str, shown: Sequence[str]) -> dict[str, float]:
    """Weigh the bank by the words in common with a phrase; phrases of its own section count more."""
    mine = phrase_words(phrase)
    weights: dict[str, float] = {}
    for section in bank():
        home = 1.0 if phrase in section.phrases else 0.1
        for other in section.phrases:
            if other not in shown:
                theirs = phrase_words(other)
                weights[other] = home * (0.1 + len(mine & theirs) / len(mine | theirs)) ** 2
    return weights


_EXPLORE: tuple[Move, ...] = (
    _start_fresh(3), _halve, _start_fresh(5), _extend(1), _start_fresh(4), _start_fresh(1), _extend(2), _start_fresh(2),
)  # fmt: skip
_EXPLOIT: tuple[Move, ...] = (
    _start_fresh(3), _halve, _extend(1), _swap, _reword, _cross, _reword, _prune,
)  # fmt: skip
_LOCAL: tuple[Move, ...] = (_swap, _extend(1), _reword, _adopt, _prune, _reword, _cross, _extend(1))
_FALLBACKS: tuple[Move, ...] = (_extend(1), _swap, _prune)


def _plan_moves(content: MetaPromptContent, sample_index: int) -> tuple[Move, ...]:
    """Return the moves of a sample: the lower the best score, the more samples explore; the others exploit."""
    best = best_tried(content.tried).score
    level = 0.5 if best is None else best / 100
    if content.edits:
        return (_LOCAL[sample_index % len(_LOCAL)],)
    exploring = round(1 + 7 * (1 - level))
    index = sample_index % len(_EXPLORE)
    return (_EXPLORE[index] if index < exploring else _EXPLOIT[index],)


def _assign_phrases(content: MetaPromptContent, batch_rng: random.Random, sample_index: int) -> list[str]:
    """Return this sample's part of the bank. All samples use one shuffle, in which fitting phrases come early."""
    shown = {phrase for entry in content.tried for phrase in split_phrases(entry.prompt)}
    fit = weigh_phrases((*content.questions, content.notes))
    # Weighted sampling without replacement (Efraimidis and Spirakis): the largest of u^(1/weight) come first.
    keys = {phrase: batch_rng.random() ** (1 / weight) for phrase, weight in fit.items()}
    order = sorted((phrase for phrase in keys if phrase not in shown), key=lambda phrase: -keys[phrase])
    start = sample_index * _PHRASES_PER_SAMPLE % max(1, len(order) - _PHRASES_PER_SAMPLE)
    return order[start : start + _PHRASES_PER_SAMPLE]

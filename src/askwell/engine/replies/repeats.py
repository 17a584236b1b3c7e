"""Compare replies to the same request: a server at temperature 0 need not give the same one twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from askwell.core.types import Prompt, Rollout
from askwell.engine.rollout_queue import RolloutSlot


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAgain:
    """How the replies to some questions differ from those of the first time."""

    asked: int = 0
    """Questions that were answered both times."""
    replies_differ: int = 0
    scores_differ: int = 0


def choose_again(slots: Sequence[RolloutSlot], count: int) -> list[RolloutSlot]:
    """Choose first samples that are asked again: at most `count`, at even distances over all prompts and examples."""
    first = [slot for slot in slots if slot.sample_index == 0]
    chosen = min(count, len(first))
    return [first[index * len(first) // chosen] for index in range(chosen)]


def compare_again(rollouts: Iterable[Rollout], *, sample_index: int) -> AskedAgain:
    """Compare the first sample of each question with the one that asked it again."""
    samples: dict[tuple[Prompt, str], dict[int, Rollout]] = {}
    for rollout in rollouts:
        if rollout.score is not None:
            samples.setdefault((rollout.prompt, rollout.example_id), {})[rollout.sample_index] = rollout
    pairs = [
        (by_index[0], by_index[sample_index]) for by_index in samples.values() if {0, sample_index} <= by_index.keys()
    ]
    return AskedAgain(
        asked=len(pairs),
        replies_differ=sum(first.completion.text != again.completion.text for first, again in pairs),
        scores_differ=sum(first.score != again.score for first, again in pairs),
    )


def add_again(parts: Iterable[AskedAgain]) -> AskedAgain:
    """Add up the comparisons of several prompts."""
    total = AskedAgain()
    for part in parts:
        total = AskedAgain(
            asked=total.asked + part.asked,
            replies_differ=total.replies_differ + part.replies_differ,
            scores_differ=total.scores_differ + part.scores_differ,
        )
    return total


def format_again(again: AskedAgain, *, temperature: float) -> str:
    """Format the comparison as a sentence or two."""
    text = (
        f"Asked again at temperature {temperature:g}: {again.replies_differ} of {again.asked} replies differ, and "
        f"{again.scores_differ} of {again.asked} scores."
    )
    if not again.scores_differ:
        return text
    return f"{text} One call per question is a noisy score here: set target.repeats above 1."

"""A task without a model: a prompt's score is a known function of its phrases."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Example, Message, Prompt
from askwell.models.bundled.editor_bank import bank, split_phrases
from askwell.optimizers.gpo.optimizer import GPO

START = "Let's think step by step."

NUMBERS = tuple(
    Example(id=str(i), input=", ".join(str((7 * i + 13 * j) % 50) for j in range(6)), target=str(i)) for i in range(12)
)
WORDS = tuple(
    Example(id=str(i), input=", ".join(("horse", "apple", "chair", "otter", "plum")[i % 3 :]), target=str(i))
    for i in range(12)
)


def q_end(prompt: Prompt, example: Example) -> tuple[Message, ...]:
    return (Message(role="user", content=f"{example.input}\n{prompt.instruction}"),)


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """Score of a prompt: the largest gain of its phrases, minus a cost per further phrase; within 0..1."""

    gains: Mapping[str, float]
    base: float = 0.1
    idle: float = 0.03
    conflict: bool = False
    """Whether several phrases that ask for a task split the gain, as they would with a language model."""

    def score(self, prompt: Prompt) -> float:
        phrases = split_phrases(prompt.instruction)
        gained = max((self.gains.get(phrase, 0.0) for phrase in phrases), default=0.0)
        if self.conflict:
            gained /= max(1, sum(phrase in _ASKING for phrase in phrases))
        return min(1.0, max(0.0, self.base + gained - self.idle * (len(phrases) - 1)))


async def optimize(gpo: GPO, landscape: Landscape, *, steps: int, seed: int) -> Trajectory:
    """Run the paper's loop on the landscape."""
    start = Prompt(instruction=START)
    history = Trajectory(candidates=(Candidate(step=0, prompt=start, score=landscape.score(start), n=48),))
    for step in range(1, steps + 1):
        proposals = await gpo.propose(history, seed=1000 * seed + step)
        history = history.extended(
            Candidate(step=step, prompt=p.prompt, score=landscape.score(p.prompt), n=48, parent=p.parent)
            for p in proposals
            if not p.rejected
        )
    return history


def sample_best(landscape: Landscape, *, prompts: int, seed: int) -> float:
    """Return the best score of `prompts` random prompts of one to five phrases of the bank."""
    rng = random.Random(seed)
    phrases = [phrase for section in bank() for phrase in section.phrases]
    drawn = [Prompt(instruction=" ".join(rng.sample(phrases, rng.randint(1, 5)))) for _ in range(prompts)]
    return max(landscape.score(prompt) for prompt in drawn)


_ASKING = frozenset(phrase for section in bank() if section.about for phrase in section.phrases)

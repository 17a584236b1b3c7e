"""Contrastive, verified reflection: what one prompt does better than another, and whether a prompt made of it won.

Two prompts are tried on the same training examples. Those that one gets right and the other wrong say more than
errors alone: an error may be the target model's, a difference is the prompts'. A lesson is remembered only if a prompt
made from it beat its parent on the dev split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.trajectory import Trajectory, penalized_score
from askwell.core.types import Candidate, Rollout
from askwell.optimizers.gpo.metaprompt import PLACEHOLDER, Exemplar, prompt_block


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """On how many shared dev examples a prompt scores higher (fixes) and lower (breaks) than another. No texts."""

    fixes: int
    breaks: int


def delta(candidate: Candidate, other: Candidate) -> Delta:
    """Compare per-example scores; examples that only one of them was scored on don't count."""
    pairs = [
        (score, other.example_scores[name])
        for name, score in candidate.example_scores.items()
        if name in other.example_scores
    ]
    return Delta(fixes=sum(ours > theirs for ours, theirs in pairs), breaks=sum(a < b for a, b in pairs))


def gain(candidate: Candidate, parent: Candidate) -> float:
    """Return the mean difference on the dev examples both were scored on, less the difference in penalty."""
    shared = candidate.example_scores.keys() & parent.example_scores.keys()
    if not shared:
        return penalized_score(candidate) - penalized_score(parent)
    total = sum(candidate.example_scores[name] - parent.example_scores[name] for name in sorted(shared))
    return total / len(shared) - candidate.penalty + parent.penalty


def verified_lessons(trajectory: Trajectory, most: int) -> tuple[str, ...]:
    """Return the lessons that led to a prompt better than its parent, the largest gain first."""
    gains: dict[str, float] = {}
    for candidate in trajectory.candidates:
        parent = trajectory.find(candidate.parent) if candidate.parent and candidate.lesson else None
        if parent is not None and (gained := gain(candidate, parent)) > 0:
            gains[candidate.lesson] = max(gained, gains.get(candidate.lesson, 0.0))
    return tuple(sorted(gains, key=lambda lesson: -gains[lesson])[:most])


def rival_of(parent: Candidate, trajectory: Trajectory) -> Candidate | None:
    """Return the prompt that is right on the most dev examples where the parent is not; of equals, the best.

    Without such a one, the best other prompt: what the parent does better can be learnt too. None if there is no other.
    """
    others = [one for one in trajectory.candidates if one.prompt != parent.prompt]

    def rank(other: Candidate) -> tuple[int, float]:
        return delta(other, parent).fixes, trajectory.expected_score(other) - other.penalty

    return max(others, key=rank, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Training examples that two prompts differ on; replies are the current prompt's."""

    gained: Sequence[tuple[Exemplar, Rollout]]
    """Right with the other prompt alone."""
    lost: Sequence[tuple[Exemplar, Rollout]]
    """Right with the current prompt alone."""


def contrast_request(current: str, other: str, contrast: Contrast) -> str:
    """Ask what the current prompt should take over from the other one, and what it must keep."""
    return "\n\n".join(
        part
        for part in (
            f"A language model answered the same questions with two prompts in the place of {PLACEHOLDER}.",
            f"<current>\n{prompt_block(current)}\n</current>",
            f"<other>\n{prompt_block(other)}\n</other>",
            _shown("gained", "Right with the other prompt only (the replies are to the current one):", contrast.gained),
            _shown("lost", "Right with the current prompt only (the replies are to the current one):", contrast.lost),
            "Reflect: say in at most three sentences what the current prompt should take over from the other one, and "
            "what it must keep. Don't write a new prompt.",
        )
        if part
    )


def _shown(tag: str, heading: str, pairs: Sequence[tuple[Exemplar, Rollout]]) -> str:
    if not pairs:
        return ""
    examples = "\n".join(
        f"<example>\n<question>\n{exemplar.question}\n</question>\n<reply>\n{rollout.completion.text}\n</reply>\n"
        f"<answer>{exemplar.answer}</answer>\n</example>"
        for exemplar, rollout in pairs
    )
    return f"{heading}\n<{tag}>\n{examples}\n</{tag}>"

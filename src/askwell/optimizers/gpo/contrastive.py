"""Contrastive, verified reflection: what one prompt does better than another, and whether the lesson helped.

Two prompts are run on the same training examples. Examples that only one of them gets right say more than errors alone:
an error may be due to the target model, a difference is due to the prompts. A lesson is kept only if a prompt made from
it beat its parent on the dev split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.trajectory import Trajectory, penalized_score
from askwell.core.types import Candidate, Rollout
from askwell.optimizers.gpo.metaprompt import PLACEHOLDER, Exemplar, format_prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """Number of shared dev examples on which a prompt scores higher (fixes) and lower (breaks) than another."""

    fixes: int
    breaks: int


def count_delta(candidate: Candidate, other: Candidate) -> Delta:
    """Compare per-example scores on the examples that both were scored on."""
    pairs = [
        (score, other.example_scores[name])
        for name, score in candidate.example_scores.items()
        if name in other.example_scores
    ]
    return Delta(fixes=sum(ours > theirs for ours, theirs in pairs), breaks=sum(a < b for a, b in pairs))


def measure_gain(candidate: Candidate, parent: Candidate) -> float:
    """Return the mean score difference on the shared dev examples, less the difference in penalty."""
    shared = candidate.example_scores.keys() & parent.example_scores.keys()
    if not shared:
        return penalized_score(candidate) - penalized_score(parent)
    # Sorted: a sum in the order of a set would differ in its last bit between processes.
    total = sum(candidate.example_scores[name] - parent.example_scores[name] for name in sorted(shared))
    return total / len(shared) - candidate.penalty + parent.penalty


def select_verified_lessons(trajectory: Trajectory, most: int) -> tuple[str, ...]:
    """Return the lessons that led to a prompt better than its parent, the largest gain first."""
    gains: dict[str, float] = {}
    for candidate in trajectory.candidates:
        parent = trajectory.find(candidate.parent) if candidate.parent and candidate.lesson else None
        if parent is not None and (gained := measure_gain(candidate, parent)) > 0:
            gains[candidate.lesson] = max(gained, gains.get(candidate.lesson, 0.0))
    return tuple(sorted(gains, key=lambda lesson: -gains[lesson])[:most])


def find_rival(parent: Candidate, trajectory: Trajectory) -> Candidate | None:
    """Return the prompt that beats the parent on the most dev examples; of equals, the best. None if there is no other.

    If none beats the parent anywhere, that is the best other prompt: what the parent does better is a lesson too.
    """
    others = [candidate for candidate in trajectory.candidates if candidate.prompt != parent.prompt]

    def rank(other: Candidate) -> tuple[int, float]:
        return count_delta(other, parent).fixes, trajectory.expected_score(other) - other.penalty

    return max(others, key=rank, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Training examples on which two prompts differ; the replies are those to the current prompt."""

    gained: Sequence[tuple[Exemplar, Rollout]]
    """Right with the other prompt only."""
    lost: Sequence[tuple[Exemplar, Rollout]]
    """Right with the current prompt only."""


def format_contrast_request(current: str, other: str, contrast: Contrast) -> str:
    """Format the request for what the current prompt should take over from the other one, and what it must keep."""
    return "\n\n".join(
        part
        for part in (
            f"A language model answered the same questions with two prompts in the place of {PLACEHOLDER}.",
            f"<current>\n{format_prompt(current)}\n</current>",
            f"<other>\n{format_prompt(other)}\n</other>",
            _format_examples(
                "gained", "Right with the other prompt only (the replies are to the current one):", contrast.gained
            ),
            _format_examples(
                "lost", "Right with the current prompt only (the replies are to the current one):", contrast.lost
            ),
            "Reflect: say in at most three sentences what the current prompt should take over from the other one, and "
            "what it must keep. Don't write a new prompt.",
        )
        if part
    )


def _format_examples(tag: str, heading: str, pairs: Sequence[tuple[Exemplar, Rollout]]) -> str:
    if not pairs:
        return ""
    examples = "\n".join(
        f"<example>\n<question>\n{exemplar.question}\n</question>\n<reply>\n{rollout.completion.text}\n</reply>\n"
        f"<answer>{exemplar.answer}</answer>\n</example>"
        for exemplar, rollout in pairs
    )
    return f"{heading}\n<{tag}>\n{examples}\n</{tag}>"

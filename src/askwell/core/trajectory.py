"""The history an optimizer learns from: every scored candidate, in order, never changed in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from askwell.core.types import Candidate, Prompt


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Scored candidates, ordered by step and then by order of proposal. Step 0 holds the initial prompt(s).

    Candidates that a race stopped early are in it too, marked `partial`; no winner, no best and no current prompt is
    ever one of those.
    """

    candidates: tuple[Candidate, ...] = ()

    def extended(self, candidates: Iterable[Candidate]) -> Trajectory:
        """Return a trajectory with one more step's candidates at its end."""
        return Trajectory(candidates=(*self.candidates, *candidates))

    @cached_property
    def steps(self) -> tuple[tuple[Candidate, ...], ...]:
        """Candidates grouped by step, ascending; steps without any candidate are left out."""
        grouped: dict[int, list[Candidate]] = {}
        for candidate in self.candidates:
            grouped.setdefault(candidate.step, []).append(candidate)
        return tuple(tuple(grouped[step]) for step in sorted(grouped))

    @cached_property
    def complete(self) -> tuple[Candidate, ...]:
        """The candidates that were scored on the whole dev split: only their scores compare."""
        return tuple(candidate for candidate in self.candidates if not candidate.partial)

    @cached_property
    def winners(self) -> tuple[Candidate, ...]:
        """The best candidate of each step: what GPO calls the trajectory (paper, section 3.1).

        A step whose candidates all lost a race to an earlier prompt has no winner.
        """
        steps = [[candidate for candidate in step if not candidate.partial] for step in self.steps]
        return tuple(best_of(step) for step in steps if step)

    @property
    def current(self) -> Candidate:
        """The winner of the latest step that has one: the prompt the next step starts from."""
        return self.winners[-1]

    @property
    def best(self) -> Candidate:
        """The highest dev score less its penalty so far; of equals, the earliest."""
        return best_of(self.complete)

    def top(self, count: int) -> tuple[Candidate, ...]:
        """The `count` best different prompts so far (as `best` ranks them), best first; of equals, the earlier."""
        ranked: dict[Prompt, Candidate] = {}
        for candidate in sorted(self.complete, key=merit, reverse=True):
            ranked.setdefault(candidate.prompt, candidate)
        return tuple(ranked.values())[:count]

    def expected(self, candidate: Candidate) -> float:
        """Return what a candidate's score on the whole dev split is likely to be; its score, where it is complete.

        A partial one is compared with the best prompt on the examples it was tried on, and the difference is added to
        the best prompt's score: whether those examples were easy ones cancels.
        """
        if not candidate.partial:
            return candidate.score
        best = self.best
        shared = [name for name in candidate.example_scores if name in best.example_scores]
        if not shared:
            return candidate.score
        lead = sum(candidate.example_scores[name] - best.example_scores[name] for name in shared) / len(shared)
        return min(max(best.score + lead, 0.0), 1.0)

    @property
    def next_step(self) -> int:
        """Number of the step to be made next; 1 when only the initial prompt has been scored."""
        return 1 + max((candidate.step for candidate in self.candidates), default=-1)

    def find(self, prompt: Prompt) -> Candidate | None:
        """Return the first complete scoring of exactly this prompt, or else its latest partial one, if any."""
        return self._by_prompt.get(prompt)

    @cached_property
    def _by_prompt(self) -> dict[Prompt, Candidate]:
        by_prompt: dict[Prompt, Candidate] = {}
        for candidate in self.candidates:
            earlier = by_prompt.get(candidate.prompt)
            if earlier is None or earlier.partial:
                by_prompt[candidate.prompt] = candidate
        return by_prompt

    def __len__(self) -> int:
        return len(self.candidates)


def best_of(candidates: Iterable[Candidate]) -> Candidate:
    """Return the candidate with the highest score less its penalty; of equals, the first."""
    return max(candidates, key=merit)


def merit(candidate: Candidate) -> float:
    """Return the score less the penalty: what candidates are chosen by."""
    return candidate.score - candidate.penalty

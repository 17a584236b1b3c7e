"""The history of an optimization: every scored candidate, in order. It is never changed in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from askwell.core.types import Candidate, Prompt


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Scored candidates, ordered by step and then by order of proposal. Step 0 holds the initial prompt(s).

    It includes the candidates that a race eliminated early (`partial`). `winners`, `best` and `current` skip those.
    """

    candidates: tuple[Candidate, ...] = ()

    def extended(self, candidates: Iterable[Candidate]) -> Trajectory:
        """Return a trajectory with the candidates of one more step appended."""
        return Trajectory(candidates=(*self.candidates, *candidates))

    @cached_property
    def steps(self) -> tuple[tuple[Candidate, ...], ...]:
        """The candidates grouped by step, in ascending order, without empty steps."""
        grouped: dict[int, list[Candidate]] = {}
        for candidate in self.candidates:
            grouped.setdefault(candidate.step, []).append(candidate)
        return tuple(tuple(grouped[step]) for step in sorted(grouped))

    @cached_property
    def complete(self) -> tuple[Candidate, ...]:
        """The candidates that were scored on the whole dev split: only their scores are comparable."""
        return tuple(candidate for candidate in self.candidates if not candidate.partial)

    @cached_property
    def winners(self) -> tuple[Candidate, ...]:
        """The best candidate of each step, which GPO calls the trajectory (paper, section 3.1).

        A step has no winner if a race eliminated all of its candidates.
        """
        steps = [[candidate for candidate in step if not candidate.partial] for step in self.steps]
        return tuple(best_candidate(step) for step in steps if step)

    @property
    def current(self) -> Candidate:
        """The winner of the latest step that has one: the prompt that the next step starts from."""
        return self.winners[-1]

    @property
    def best(self) -> Candidate:
        """The candidate with the highest penalized dev score so far; of equals, the earliest."""
        return best_candidate(self.complete)

    def top(self, count: int) -> tuple[Candidate, ...]:
        """Return the `count` best distinct prompts so far, ranked like `best`, best first."""
        ranked: dict[Prompt, Candidate] = {}
        for candidate in sorted(self.complete, key=penalized_score, reverse=True):
            ranked.setdefault(candidate.prompt, candidate)
        return tuple(ranked.values())[:count]

    def expected_score(self, candidate: Candidate) -> float:
        """Estimate a candidate's score on the whole dev split; the score itself if the candidate is complete.

        A partial candidate is compared with the best prompt on the examples that both were scored on. The mean
        difference is added to the best prompt's score, so that the difficulty of those examples cancels out.
        """
        if not candidate.partial:
            return candidate.score
        best = self.best
        shared = [name for name in candidate.example_scores if name in best.example_scores]
        if not shared:
            return candidate.score
        difference = sum(candidate.example_scores[name] - best.example_scores[name] for name in shared) / len(shared)
        return min(max(best.score + difference, 0.0), 1.0)

    @property
    def next_step(self) -> int:
        """Number of the next step; 1 if only the initial prompt has been scored."""
        return 1 + max((candidate.step for candidate in self.candidates), default=-1)

    def find(self, prompt: Prompt) -> Candidate | None:
        """Return the first complete candidate with exactly this prompt, else its latest partial one, else None."""
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


def best_candidate(candidates: Iterable[Candidate]) -> Candidate:
    """Return the candidate with the highest penalized score; of equals, the first."""
    return max(candidates, key=penalized_score)


def penalized_score(candidate: Candidate) -> float:
    """Return the score minus the penalty: the value that candidates are ranked by."""
    return candidate.score - candidate.penalty

"""The history an optimizer learns from: every scored candidate, in order, never changed in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from askwell.types import Candidate, Prompt


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Scored candidates, ordered by step and then by order of proposal. Step 0 holds the initial prompt(s)."""

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
    def winners(self) -> tuple[Candidate, ...]:
        """The best candidate of each step: what GPO calls the trajectory (paper, section 3.1)."""
        return tuple(best_of(step) for step in self.steps)

    @property
    def current(self) -> Candidate:
        """The winner of the latest step: the prompt the next step starts from."""
        return self.winners[-1]

    @property
    def best(self) -> Candidate:
        """The highest dev score less its penalty so far; of equals, the earliest."""
        return best_of(self.candidates)

    @property
    def next_step(self) -> int:
        """Number of the step to be made next; 1 when only the initial prompt has been scored."""
        return 1 + max((candidate.step for candidate in self.candidates), default=-1)

    def find(self, prompt: Prompt) -> Candidate | None:
        """Return the first scoring of exactly this prompt, if there was one."""
        return self._by_prompt.get(prompt)

    @cached_property
    def _by_prompt(self) -> dict[Prompt, Candidate]:
        found: dict[Prompt, Candidate] = {}
        for candidate in self.candidates:
            found.setdefault(candidate.prompt, candidate)
        return found

    def __len__(self) -> int:
        return len(self.candidates)


def best_of(candidates: Iterable[Candidate]) -> Candidate:
    """Return the candidate with the highest score less its penalty; of equals, the first."""
    return max(candidates, key=lambda candidate: candidate.score - candidate.penalty)

"""EvoPrompt: a population of prompts under a genetic algorithm or differential evolution, with an LLM as the operator.

Source: arXiv 2309.08532 (ICLR 2024), algorithms 2 and 3. The loop scores children on the dev split, as the paper does.

    ga  parents drawn by roulette wheel; child = mutate(cross(parents)); the best N of population and children remain
    de  per member: child = cross(member, best + mutated parts in which two others differ); the better one remains

Deviations from the paper:

1. The paper starts from a list of hand-written prompts and wordings of them. Here the first step requests
   other wordings of the run's initial prompt(s); they and the initial prompt(s) are the first population.
2. The meta-prompts are ours, in the markup that all methods here share, and show training examples.
3. The two parents of a child are never the same prompt. A child that is already in the population is dropped, so a step
   may have fewer than N children.
4. N = 8 children per step, as in all presets here; the paper has 10.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from askwell.core.protocols import ChatModel, Demand, Render
from askwell.core.trajectory import Trajectory, best_candidate
from askwell.core.types import Candidate, Example, Prompt, Proposal
from askwell.core.validation import check_at_least, check_one_of
from askwell.optimizers.baselines.crossover_prompts import format_crossover_request, format_differential_request
from askwell.optimizers.baselines.population import (
    draw_by_roulette,
    draw_exemplars,
    drop_duplicates,
    request_wordings,
    select_fittest,
)
from askwell.optimizers.gpo.client import OptimizerClient
from askwell.optimizers.gpo.metaprompt import Exemplar

_CHILD = "evolution"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRequest:
    """The request for a child, and its parent."""

    text: str
    parent: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolution:
    """One of the paper's two algorithms."""

    population: Callable[[Trajectory, int], list[Candidate]]
    """(trajectory, N) -> the current population."""
    breed: Callable[[Sequence[Candidate], int, Sequence[Exemplar], random.Random], list[ChildRequest]]
    """(population, N, shown examples, rng) -> requests for at most N children."""
    min_members: int
    """Fewest members that breeding needs."""


def select_ga_population(trajectory: Trajectory, size: int) -> list[Candidate]:
    """Return the best of all candidates so far: equal to keeping the best N of parents and children in each step."""
    return select_fittest(drop_duplicates(trajectory.complete), size)


def breed_ga(
    population: Sequence[Candidate], count: int, shown: Sequence[Exemplar], rng: random.Random
) -> list[ChildRequest]:
    """Request children of two parents each, drawn by score: crossed, then mutated."""
    pairs = [draw_by_roulette(population, 2, rng) for _ in range(count)]
    return [
        ChildRequest(
            text=format_crossover_request([parent.prompt.instruction for parent in pair], shown, mutate=True),
            parent=best_candidate(pair),
        )
        for pair in pairs
    ]


def replay_de_population(trajectory: Trajectory, size: int) -> list[Candidate]:
    """Replay the replacements: start from the first `size` prompts; a better child replaces its parent."""
    members: list[Candidate] = []
    for candidate in trajectory.complete:
        if any(candidate.prompt == member.prompt for member in members):
            continue
        if candidate.origin != _CHILD:
            members += [candidate] if len(members) < size else []
            continue
        for index, member in enumerate(members):
            if member.prompt == candidate.parent and candidate.score > member.score:
                members[index] = candidate
                break
    return members


def breed_de(
    population: Sequence[Candidate], count: int, shown: Sequence[Exemplar], rng: random.Random
) -> list[ChildRequest]:
    """Request one child per member, with two other members as donors."""
    best = best_candidate(population).prompt.instruction
    requests: list[ChildRequest] = []
    for member in population[:count]:
        donors = rng.sample([other.prompt.instruction for other in population if other is not member], 2)
        text = format_differential_request(member.prompt.instruction, best, donors, shown)
        requests.append(ChildRequest(text=text, parent=member))
    return requests


EVOLUTIONS: Mapping[str, Evolution] = MappingProxyType(
    {
        "ga": Evolution(population=select_ga_population, breed=breed_ga, min_members=2),
        "de": Evolution(population=replay_de_population, breed=breed_de, min_members=3),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvoPromptSettings:
    """The settings of EvoPrompt, each a key of `[optimizer]` in a config."""

    evolution: str = "ga"
    """Which algorithm: "ga" or "de"."""
    candidates: int = 8
    """N: members of the population (no fewer than breeding needs), and children per step."""
    exemplars: int = 3
    """Training examples shown, which define the task."""
    temperature: float = 1.0
    """Temperature of the optimizer model."""
    max_tokens: int = 512
    """Longest reply of the optimizer model, in its tokens."""

    def __post_init__(self) -> None:
        check_one_of("evolution", self.evolution, EVOLUTIONS)
        check_at_least("candidates", self.candidates, 1)
        check_at_least("exemplars", self.exemplars, 0)
        check_at_least("temperature", self.temperature, 0)
        check_at_least("max_tokens", self.max_tokens, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvoPrompt:
    """Propose the next generation. Stateless: the population is computed from the trajectory."""

    model: ChatModel
    """The optimizer model."""
    train: Sequence[Example]
    render: Render
    settings: EvoPromptSettings = field(default_factory=EvoPromptSettings)

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        evolution = EVOLUTIONS[self.settings.evolution]
        population = evolution.population(trajectory, self._size)
        shown = draw_exemplars(self.train, self.settings.exemplars, self.render, seed)
        if trajectory.next_step == 1 or len(population) < evolution.min_members:
            return await self._propose_founders(population, trajectory.next_step, shown, seed)
        requests = evolution.breed(population, self.settings.candidates, shown, random.Random(f"{seed}:broods"))
        initial = trajectory.candidates[0].prompt.instruction
        return await self._propose_children(requests, {member.prompt for member in population}, seed, initial)

    def demand(self, step: int) -> Demand:
        new = self._size - 1 if step == 1 else self.settings.candidates
        return Demand(
            proposals=new,
            optimizer_calls=new,
            reply_tokens=self.settings.max_tokens,
            shown_texts=4,
            shown_examples=self.settings.exemplars,
        )

    @property
    def _size(self) -> int:
        return max(self.settings.candidates, EVOLUTIONS[self.settings.evolution].min_members)

    @property
    def _client(self) -> OptimizerClient:
        return OptimizerClient(
            model=self.model, temperature=self.settings.temperature, max_tokens=self.settings.max_tokens
        )

    async def _propose_founders(
        self, members: Sequence[Candidate], step: int, shown: Sequence[Exemplar], seed: int
    ) -> list[Proposal]:
        """Fill the population with other wordings of its members; also in a later step that has too few of them."""
        count = self._size - min(len(members), self._size - 1) if step == 1 else self.settings.candidates
        texts = await request_wordings(
            self._client, [member.prompt.instruction for member in members], shown, count, seed
        )
        parent = members[0].prompt
        return [
            Proposal(prompt=Prompt(instruction=text, demos=parent.demos), parent=parent, origin="wording")
            for text in texts
        ]

    async def _propose_children(
        self, requests: Sequence[ChildRequest], members: set[Prompt], seed: int, initial: str
    ) -> list[Proposal]:
        texts = await self._client.request_usable_prompts(
            [request.text for request in requests], range(len(requests)), seed, initial=initial
        )
        proposals: dict[Prompt, Proposal] = {}
        for request, text in zip(requests, texts, strict=True):
            prompt = Prompt(instruction=text, demos=request.parent.prompt.demos)
            if text and prompt not in members:
                proposals.setdefault(prompt, Proposal(prompt=prompt, parent=request.parent.prompt, origin=_CHILD))
        return list(proposals.values())

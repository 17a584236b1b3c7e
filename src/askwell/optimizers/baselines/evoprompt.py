"""EvoPrompt: a population of prompts under a genetic algorithm or differential evolution, with an LLM as the operator.

Source: arXiv 2309.08532 (ICLR 2024), algorithms 2 and 3. The loop scores children on the dev split, as the paper does.

    ga  parents drawn by roulette wheel; child = mutate(cross(parents)); the best N of population and children stay
    de  for each member: child = cross(member, best + mutated parts in which two others differ); the better one stays

Deviations from the paper:

1. The paper starts from a list of hand-written prompts and wordings of them. Here the first step asks the optimizer
   model for wordings of the run's initial prompt(s), and those and the initial ones are the first population.
2. The meta-prompts are ours, in the markup that all methods here share, and show training examples of the task.
3. Two parents of a roulette draw are never the same prompt. A child that is in the population already is dropped, so a
   step may have fewer than N children.
4. N = 8 children a step, as with all presets here; the paper has 10.
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
from askwell.optimizers.baselines.crossover_prompts import crossover_request, differential_request
from askwell.optimizers.baselines.population import distinct, fittest, roulette, shown_examples, wordings
from askwell.optimizers.gpo.metaprompt import Exemplar
from askwell.optimizers.gpo.queries import OptimizerQueries

_CHILD = "evolution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brood:
    """A child to be asked for: the question, and whose child it is."""

    question: str
    parent: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolution:
    """One of the paper's two algorithms."""

    population: Callable[[Trajectory, int], list[Candidate]]
    """(trajectory, N) -> who is alive."""
    breed: Callable[[Sequence[Candidate], int, Sequence[Exemplar], random.Random], list[Brood]]
    """(population, N, shown examples, dice) -> at most N children to ask for."""
    least: int
    """Members that breeding needs."""


def ga_population(trajectory: Trajectory, size: int) -> list[Candidate]:
    """Return the best of all that ever lived: what keeping the best N of parents and children comes to."""
    return fittest(distinct(trajectory.complete), size)


def ga_broods(
    population: Sequence[Candidate], count: int, shown: Sequence[Exemplar], dice: random.Random
) -> list[Brood]:
    """Cross two parents a child, drawn by their scores, and mutate."""
    pairs = [roulette(population, 2, dice) for _ in range(count)]
    return [
        Brood(
            question=crossover_request([one.prompt.instruction for one in pair], shown, mutate=True),
            parent=best_candidate(pair),
        )
        for pair in pairs
    ]


def de_population(trajectory: Trajectory, size: int) -> list[Candidate]:
    """Replay who took whose place: the first `size` prompts, each replaced by any better child of its own."""
    members: list[Candidate] = []
    for candidate in trajectory.complete:
        if any(candidate.prompt == member.prompt for member in members):
            continue
        if candidate.origin != _CHILD:
            members += [candidate] if len(members) < size else []
            continue
        for place, member in enumerate(members):
            if member.prompt == candidate.parent and candidate.score > member.score:
                members[place] = candidate
                break
    return members


def de_broods(
    population: Sequence[Candidate], count: int, shown: Sequence[Exemplar], dice: random.Random
) -> list[Brood]:
    """Ask for one child of each member, with two others as donors."""
    best = best_candidate(population).prompt.instruction
    broods: list[Brood] = []
    for member in population[:count]:
        donors = dice.sample([other.prompt.instruction for other in population if other is not member], 2)
        question = differential_request(member.prompt.instruction, best, donors, shown)
        broods.append(Brood(question=question, parent=member))
    return broods


EVOLUTIONS: Mapping[str, Evolution] = MappingProxyType(
    {
        "ga": Evolution(population=ga_population, breed=ga_broods, least=2),
        "de": Evolution(population=de_population, breed=de_broods, least=3),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvoPromptSettings:
    """Everything about EvoPrompt that a config can choose."""

    evolution: str = "ga"
    """Which algorithm: "ga" or "de"."""
    candidates: int = 8
    """N: members of the population (but no fewer than breeding needs), and children a step."""
    exemplars: int = 3
    """Training examples shown, to say what the task is."""
    temperature: float = 1.0
    """Of the optimizer model."""
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
    """Propose the next generation. Stateless: the population is read off the trajectory."""

    model: ChatModel
    """The optimizer model."""
    train: Sequence[Example]
    render: Render
    settings: EvoPromptSettings = field(default_factory=EvoPromptSettings)

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        evolution = EVOLUTIONS[self.settings.evolution]
        population = evolution.population(trajectory, self._size)
        shown = shown_examples(self.train, self.settings.exemplars, self.render, seed)
        if trajectory.next_step == 1 or len(population) < evolution.least:
            return await self._founders(population, trajectory.next_step, shown, seed)
        broods = evolution.breed(population, self.settings.candidates, shown, random.Random(f"{seed}:broods"))
        return await self._children(broods, {member.prompt for member in population}, seed)

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
        return max(self.settings.candidates, EVOLUTIONS[self.settings.evolution].least)

    @property
    def _asker(self) -> OptimizerQueries:
        return OptimizerQueries(
            model=self.model, temperature=self.settings.temperature, max_tokens=self.settings.max_tokens
        )

    async def _founders(
        self, known: Sequence[Candidate], step: int, shown: Sequence[Exemplar], seed: int
    ) -> list[Proposal]:
        """Fill the population with wordings of the prompts there are; again where the first step brought too few."""
        wanted = self._size - min(len(known), self._size - 1) if step == 1 else self.settings.candidates
        texts = await wordings(self._asker, [one.prompt.instruction for one in known], shown, wanted, seed)
        parent = known[0].prompt
        return [
            Proposal(prompt=Prompt(instruction=text, demos=parent.demos), parent=parent, origin="wording")
            for text in texts
        ]

    async def _children(self, broods: Sequence[Brood], alive: set[Prompt], seed: int) -> list[Proposal]:
        texts = await self._asker.prompts([brood.question for brood in broods], range(len(broods)), seed)
        proposals: dict[Prompt, Proposal] = {}
        for brood, text in zip(broods, texts, strict=True):
            prompt = Prompt(instruction=text, demos=brood.parent.prompt.demos)
            if text and prompt not in alive:
                proposals.setdefault(prompt, Proposal(prompt=prompt, parent=brood.parent.prompt, origin=_CHILD))
        return list(proposals.values())

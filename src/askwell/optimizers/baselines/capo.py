"""CAPO: a population of instructions with demonstrations, crossed and mutated, raced, and penalized for length.

Source: arXiv 2504.16005 (AutoML 2025), algorithms 1 to 4. One step:

    crossover  two members at random; the instruction is crossed by the optimizer model, the child's demonstrations
               are drawn from both parents', as many as their mean
    mutation   the child's instruction is changed by the optimizer model; a demonstration is added, dropped or neither
               (a third each), and their order shuffled
    survival   the `population` best by score − γ · length / longest prompt of the first population

The loop does the racing: the preset sets it to paired t-tests over blocks of 30 dev examples, as published.

Deviations from the paper:

1. Members of the population take part in a race with their known scores; if the dev split is no longer than a block,
   no candidate can be stopped early. The paper's blocks come from a larger development set.
2. The first population is the run's initial prompt(s), without demonstrations, and other wordings of them by the
   optimizer model, with 0 to `shots` demonstrations each; the paper starts from a list of instructions.
3. Length is counted in words of the instruction and the demonstrations; the paper counts tokens.
4. The meta-prompts are ours, in the markup that all methods here share, and show training examples.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from askwell.core.errors import RunFailed
from askwell.core.protocols import ChatModel, Demand, PromptRunner, Render
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Example, Prompt, Proposal, Rollout
from askwell.core.validation import check_at_least
from askwell.optimizers.baselines.crossover_prompts import format_crossover_request, format_mutation_request
from askwell.optimizers.baselines.minibatch import run_trials
from askwell.optimizers.baselines.population import draw_exemplars, drop_duplicates, request_wordings, select_fittest
from askwell.optimizers.gpo.client import OptimizerClient
from askwell.optimizers.gpo.metaprompt import Exemplar
from askwell.optimizers.gpo.prompt_length import count_prompt_words


@dataclass(frozen=True, slots=True, kw_only=True)
class CAPOSettings:
    """The settings of CAPO, each a key of `[optimizer]` in a config. Defaults are the published ones."""

    candidates: int = 4
    """c: children per step."""
    population: int = 10
    """μ: members of the population."""
    shots: int = 5
    """Most demonstrations of a prompt."""
    length_penalty: float = 0.05
    """γ: score subtracted for a prompt as long as the longest of the first population."""
    replies: bool = True
    """Whether a demonstration shows the target model's own reply, with its reasoning, if that was right, instead of the
    answer alone: one target call per new demonstration."""
    exemplars: int = 3
    """Training examples shown to the optimizer model, which define the task."""
    temperature: float = 1.0
    """Temperature of the optimizer model."""
    max_tokens: int = 512
    """Longest reply of the optimizer model, in its tokens."""

    def __post_init__(self) -> None:
        check_at_least("population", self.population, 2)
        for name in ("candidates", "max_tokens"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("shots", "length_penalty", "exemplars", "temperature"):
            check_at_least(name, getattr(self, name), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CAPO:
    """Propose the first population, then children. Stateless: the population is computed from the trajectory."""

    model: ChatModel
    """The optimizer model."""
    train: Sequence[Example]
    render: Render
    run_prompt: PromptRunner
    settings: CAPOSettings = field(default_factory=CAPOSettings)

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        settings = self.settings
        longest = longest_initial_prompt(trajectory)
        members = select_fittest(
            drop_duplicates(trajectory.complete),
            settings.population,
            lambda member: member.score - settings.length_penalty * count_prompt_words(member.prompt) / longest,
        )
        needs_founders = trajectory.next_step == 1 or len(members) < 2
        propose = self._propose_founders if needs_founders else self._propose_children
        proposals = [
            proposal
            for proposal in drop_duplicates(await propose(members, trajectory.next_step, seed))
            if trajectory.find(proposal.prompt) is None
        ]
        if trajectory.next_step == 1:
            longest = max([longest, *(count_prompt_words(proposal.prompt) for proposal in proposals)])
        return [
            replace(proposal, penalty=settings.length_penalty * count_prompt_words(proposal.prompt) / longest)
            for proposal in proposals
        ]

    def demand(self, step: int) -> Demand:
        settings = self.settings
        shots = min(settings.shots, len(self.train))
        new = settings.population - 1 if step == 1 else settings.candidates
        demos = new * (shots if step == 1 else min(shots, 1))  # a child gets at most one new demonstration
        return Demand(
            proposals=new,
            optimizer_calls=new if step == 1 else 2 * new,
            train_calls=demos * settings.replies,
            reply_tokens=settings.max_tokens,
            shown_texts=2,
            shown_examples=settings.exemplars,
            demos=shots,
        )

    @property
    def _client(self) -> OptimizerClient:
        return OptimizerClient(
            model=self.model, temperature=self.settings.temperature, max_tokens=self.settings.max_tokens
        )

    async def _propose_founders(self, members: Sequence[Candidate], step: int, seed: int) -> list[Proposal]:
        """Request other wordings of the members, and draw demonstrations for each.

        Also used in a later step if the first step gave no usable prompt; those wordings have no demonstrations.
        """
        count = max(1, self.settings.population - len(members)) if step == 1 else self.settings.candidates
        instructions = [member.prompt.instruction for member in members]
        texts = await request_wordings(self._client, instructions, self._draw_exemplars(seed), count, seed)
        rng = random.Random(f"{seed}:first demonstrations")
        most = min(self.settings.shots, len(self.train)) if step == 1 else 0
        drawn = [rng.sample(list(self.train), rng.randint(0, most)) for _ in texts]
        demos = await self._insert_replies(list(zip(texts, drawn, strict=True)), step)
        return [
            Proposal(prompt=Prompt(instruction=text, demos=shown), parent=members[0].prompt, origin="wording")
            for text, shown in zip(texts, demos, strict=True)
        ]

    async def _propose_children(self, members: Sequence[Candidate], step: int, seed: int) -> list[Proposal]:
        shown, rng, first = self._draw_exemplars(seed), random.Random(f"{seed}:children"), members[0].prompt.instruction
        pairs = [rng.sample(list(members), 2) for _ in range(self.settings.candidates)]
        crossings = [
            format_crossover_request([parent.prompt.instruction for parent in pair], shown, mutate=False)
            for pair in pairs
        ]
        crossed = await self._client.request_usable_prompts(crossings, range(len(pairs)), seed, initial=first)
        children = [
            (pair, text, self._cross_demos(pair, rng)) for pair, text in zip(pairs, crossed, strict=True) if text
        ]
        mutations = [format_mutation_request(text, shown) for _, text, _ in children]
        texts = await self._client.request_usable_prompts(mutations, range(len(children)), seed, initial=first)
        mutants = [(pair, text, *demos) for (pair, _, demos), text in zip(children, texts, strict=True) if text]
        added = await self._insert_replies([(text, new) for _, text, _, new in mutants], step)
        proposals: list[Proposal] = []
        for (pair, text, kept, _), new in zip(mutants, added, strict=True):
            demos = [*kept, *new]
            rng.shuffle(demos)
            prompt = Prompt(instruction=text, demos=tuple(demos))
            proposals.append(Proposal(prompt=prompt, parent=pair[0].prompt, origin="evolution"))
        return proposals

    def _cross_demos(self, pair: Sequence[Candidate], rng: random.Random) -> tuple[list[Example], list[Example]]:
        """Cross and mutate demonstrations; return those kept of the parents, and at most one new training example."""
        both = list({demo.id: demo for parent in pair for demo in parent.prompt.demos}.values())
        kept = rng.sample(both, min(len(both), sum(len(parent.prompt.demos) for parent in pair) // 2))
        change = rng.choice(("keep", "drop", "add"))
        if change == "drop":
            return kept[:-1], []
        others = [example for example in self.train if example.id not in {demo.id for demo in kept}]
        if change == "keep" or not others or len(kept) >= self.settings.shots:
            return kept, []
        return kept, [rng.choice(others)]

    async def _insert_replies(
        self, drawn: Sequence[tuple[str, Sequence[Example]]], step: int
    ) -> list[tuple[Example, ...]]:
        """Turn training examples into demonstrations: with the target's reply to the instruction, if it is right."""
        if not self.settings.replies:
            return [tuple(examples) for _, examples in drawn]
        trials = [(Prompt(instruction=text), examples) for text, examples in drawn if examples]
        with contextlib.suppress(RunFailed):  # answers alone suffice; if the target is down, scoring on dev reports it
            results = iter(await run_trials(self.run_prompt, trials, step=step))
            right = [_select_right_replies(next(results)) if examples else {} for _, examples in drawn]
            return [
                tuple(replace(example, target=replies.get(example.id, example.target)) for example in examples)
                for (_, examples), replies in zip(drawn, right, strict=True)
            ]
        return [tuple(examples) for _, examples in drawn]

    def _draw_exemplars(self, seed: int) -> tuple[Exemplar, ...]:
        return draw_exemplars(self.train, self.settings.exemplars, self.render, seed)


def _select_right_replies(result: Sequence[tuple[Example, Rollout]]) -> dict[str, str]:
    replies = {e.id: r.completion.text.strip() for e, r in result if r.score is not None and r.score.value >= 1}
    return {example_id: reply for example_id, reply in replies.items() if reply}


def longest_initial_prompt(trajectory: Trajectory) -> int:
    """Return the words of the longest prompt of the first population, at least 1 (penalties are divided by it)."""
    return max(
        [1, *(count_prompt_words(candidate.prompt) for candidate in trajectory.candidates if candidate.step <= 1)]
    )

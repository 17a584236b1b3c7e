"""CAPO: a population of instructions with demonstrations, crossed and mutated, raced, and charged for their length.

Source: arXiv 2504.16005 (AutoML 2025), algorithms 1 to 4. One step:

    crossover  two members at random; the instruction is crossed by the optimizer model, the child's demonstrations
               are drawn from both parents', as many as their mean
    mutation   the child's instruction is changed by the optimizer model; a demonstration is added, dropped or neither
               (a third each), and their order shuffled
    survival   the `population` best by score − γ·length/longest of the first population

Racing is the loop's: the preset sets it to paired t-tests over blocks of 30 dev examples, as published.

Deviations from the paper:

1. Members of the population run along in a race with the scores they have; where the dev split is no longer than a
   block, nothing can be stopped early. The paper's blocks come from a larger development set.
2. The first population is the run's initial prompt(s), without demonstrations, and wordings of them by the optimizer
   model, with 0 to `shots` demonstrations each; the paper starts from a list of instructions.
3. Length is counted in words of the instruction and the demonstrations; the paper counts tokens.
4. The meta-prompts are ours, in the markup that all methods here share, and show training examples of the task.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from askwell.core.errors import RunFailed
from askwell.core.protocols import ChatModel, Demand, PromptRunner, Render
from askwell.core.text import words
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Example, Prompt, Proposal, Rollout
from askwell.core.validation import check_at_least
from askwell.optimizers.baselines.crossover_prompts import crossover_request, mutation_request
from askwell.optimizers.baselines.minibatch import run_trials
from askwell.optimizers.baselines.population import distinct, fittest, shown_examples, wordings
from askwell.optimizers.gpo.metaprompt import Exemplar
from askwell.optimizers.gpo.queries import OptimizerQueries


@dataclass(frozen=True, slots=True, kw_only=True)
class CAPOSettings:
    """Everything about CAPO that a config can choose. Defaults are the published ones."""

    candidates: int = 4
    """c: children a step."""
    population: int = 10
    """μ: members that live on."""
    shots: int = 5
    """Most demonstrations of a prompt."""
    length_penalty: float = 0.05
    """γ: taken off the score of a prompt as long as the longest of the first population."""
    replies: bool = True
    """Whether a demonstration shows the target model's own reply where that was right, reasoning included, and not the
    bare answer: one target call for each new demonstration."""
    exemplars: int = 3
    """Training examples shown to the optimizer model, to say what the task is."""
    temperature: float = 1.0
    """Of the optimizer model."""
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
    """Propose the first population, then children. Stateless: who lives is read off the trajectory."""

    model: ChatModel
    """The optimizer model."""
    train: Sequence[Example]
    render: Render
    run_prompt: PromptRunner
    settings: CAPOSettings = field(default_factory=CAPOSettings)

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        settings = self.settings
        longest = longest_founder(trajectory)
        members = fittest(
            distinct(trajectory.complete),
            settings.population,
            lambda one: one.score - settings.length_penalty * length(one.prompt) / longest,
        )
        founding = trajectory.next_step == 1 or len(members) < 2
        made = await (self._founders if founding else self._children)(members, trajectory.next_step, seed)
        proposals = [one for one in distinct(made) if trajectory.find(one.prompt) is None]
        if trajectory.next_step == 1:
            longest = max([longest, *(length(one.prompt) for one in proposals)])
        return [replace(one, penalty=settings.length_penalty * length(one.prompt) / longest) for one in proposals]

    def demand(self, step: int) -> Demand:
        settings = self.settings
        shots = min(settings.shots, len(self.train))
        new = settings.population - 1 if step == 1 else settings.candidates
        demos = new * (shots if step == 1 else min(shots, 1))
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
    def _asker(self) -> OptimizerQueries:
        return OptimizerQueries(
            model=self.model, temperature=self.settings.temperature, max_tokens=self.settings.max_tokens
        )

    async def _founders(self, members: Sequence[Candidate], step: int, seed: int) -> list[Proposal]:
        """Word the prompts there are anew, and give each wording demonstrations.

        In a later step only where the first brought nothing: then a step's worth of bare wordings.
        """
        wanted = max(1, self.settings.population - len(members)) if step == 1 else self.settings.candidates
        known = [member.prompt.instruction for member in members]
        texts = await wordings(self._asker, known, self._shown(seed), wanted, seed)
        dice = random.Random(f"{seed}:first demonstrations")
        most = min(self.settings.shots, len(self.train)) if step == 1 else 0
        drawn = [dice.sample(list(self.train), dice.randint(0, most)) for _ in texts]
        demos = await self._as_shown(list(zip(texts, drawn, strict=True)), step)
        return [
            Proposal(prompt=Prompt(instruction=text, demos=found), parent=members[0].prompt, origin="wording")
            for text, found in zip(texts, demos, strict=True)
        ]

    async def _children(self, members: Sequence[Candidate], step: int, seed: int) -> list[Proposal]:
        shown, dice = self._shown(seed), random.Random(f"{seed}:children")
        pairs = [dice.sample(list(members), 2) for _ in range(self.settings.candidates)]
        crossings = [crossover_request([one.prompt.instruction for one in pair], shown, mutate=False) for pair in pairs]
        crossed = await self._asker.prompts(crossings, range(len(pairs)), seed)
        bred = [(pair, text, self._demos(pair, dice)) for pair, text in zip(pairs, crossed, strict=True) if text]
        mutations = [mutation_request(text, shown) for _, text, _ in bred]
        texts = await self._asker.prompts(mutations, range(len(bred)), seed)
        born = [(pair, text, *demos) for (pair, _, demos), text in zip(bred, texts, strict=True) if text]
        added = await self._as_shown([(text, new) for _, text, _, new in born], step)
        proposals: list[Proposal] = []
        for (pair, text, kept, _), new in zip(born, added, strict=True):
            demos = [*kept, *new]
            dice.shuffle(demos)
            prompt = Prompt(instruction=text, demos=tuple(demos))
            proposals.append(Proposal(prompt=prompt, parent=pair[0].prompt, origin="evolution"))
        return proposals

    def _demos(self, pair: Sequence[Candidate], dice: random.Random) -> tuple[list[Example], list[Example]]:
        """Cross and mutate demonstrations: those kept of the parents', and at most one new training example."""
        both = list({demo.id: demo for one in pair for demo in one.prompt.demos}.values())
        kept = dice.sample(both, min(len(both), sum(len(one.prompt.demos) for one in pair) // 2))
        change = dice.choice(("keep", "drop", "add"))
        if change == "drop":
            return kept[:-1], []
        others = [example for example in self.train if example.id not in {demo.id for demo in kept}]
        if change == "keep" or not others or len(kept) >= self.settings.shots:
            return kept, []
        return kept, [dice.choice(others)]

    async def _as_shown(self, drawn: Sequence[tuple[str, Sequence[Example]]], step: int) -> list[tuple[Example, ...]]:
        """Turn training examples into demonstrations: with the target's reply under the instruction, if it is right."""
        if not self.settings.replies:
            return [tuple(examples) for _, examples in drawn]
        trials = [(Prompt(instruction=text), examples) for text, examples in drawn if examples]
        with contextlib.suppress(RunFailed):  # bare answers do; where the target is down, scoring on dev will say so
            results = iter(await run_trials(self.run_prompt, trials, step=step))
            right = [_right_replies(next(results)) if examples else {} for _, examples in drawn]
            return [
                tuple(replace(example, target=found.get(example.id, example.target)) for example in examples)
                for (_, examples), found in zip(drawn, right, strict=True)
            ]
        return [tuple(examples) for _, examples in drawn]

    def _shown(self, seed: int) -> tuple[Exemplar, ...]:
        return shown_examples(self.train, self.settings.exemplars, self.render, seed)


def _right_replies(result: Sequence[tuple[Example, Rollout]]) -> dict[str, str]:
    replies = {e.id: r.completion.text.strip() for e, r in result if r.score is not None and r.score.value >= 1}
    return {example_id: reply for example_id, reply in replies.items() if reply}


def length(prompt: Prompt) -> int:
    """Count the words of a prompt: its instruction, and the questions and answers of its demonstrations."""
    texts = [prompt.instruction]
    for demo in prompt.demos:
        texts += [demo.input, demo.target if isinstance(demo.target, str) else demo.target[0]]
    return sum(len(words(text)) for text in texts)


def longest_founder(trajectory: Trajectory) -> int:
    """Return the length of the longest prompt of the first population, at least 1."""
    return max([1, *(length(candidate.prompt) for candidate in trajectory.candidates if candidate.step <= 1)])

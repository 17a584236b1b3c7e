"""ProTeGi (automatic prompt optimization, APO): textual gradients, edits along them, and a beam chosen by a bandit.

Source: arXiv 2305.03495 (EMNLP 2023), section 3 and algorithms 1 to 4. One step:

    gradients   the beam's prompts are tried on a minibatch of train; groups of their errors are criticized
    edits       one new prompt along each criticism
    variations  other wordings of each new prompt and of the parent (the paper's Monte Carlo paraphrases)
    selection   of the beam and its successors, a bandit on train examples picks the next beam

Deviations from the paper:

1. The loop scores each new beam on the dev split and ends with the best on dev; the paper selects on minibatches alone.
2. A minibatch has 16 examples (the paper: 64) and a pull 4 (32 in its code): train splits here hold some dozens. All
   arms walk the same shuffled examples (`bandit.py`); batches are walked by epochs, as for GPO's reflections.
3. A criticism is one request, with its own group of errors; the wording is ours, as for all meta-prompts here, and
   edits and variations show training examples of the task.
4. A parent without an error on the minibatch gets variations only.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel, Demand, PromptRunner, Render
from askwell.core.trajectory import Trajectory
from askwell.core.types import Example, Prompt, Proposal, Rollout
from askwell.core.validation import check_at_least, check_one_of
from askwell.optimizers.baselines.bandit import SELECTORS, BanditPlan
from askwell.optimizers.baselines.crossover_prompts import edit_request, wording_request
from askwell.optimizers.baselines.minibatch import run_trials
from askwell.optimizers.baselines.population import distinct, shown_examples
from askwell.optimizers.gpo.metaprompt import exemplar, reflection_request
from askwell.optimizers.gpo.queries import OptimizerQueries
from askwell.optimizers.gpo.schedule import train_batch


@dataclass(frozen=True, slots=True, kw_only=True)
class ProTeGiSettings:
    """Everything about ProTeGi that a config can choose. Defaults are the published ones, but for the sample sizes."""

    candidates: int = 4
    """b: width of the beam, which is what is scored on dev in a step."""
    batch: int = 16
    """Training examples a beam is tried on to find errors."""
    gradients: int = 4
    """Criticisms of each prompt of the beam."""
    group: int = 4
    """Errors shown to one criticism."""
    variations: int = 2
    """Paraphrases of each new prompt, and of its parent."""
    successors: int = 8
    """Most new prompts of one parent that go to the selection; of more, this many are drawn."""
    selection: str = "ucb"
    """How the next beam is chosen: "ucb", "successive-rejects", or "uniform"."""
    calls_per_arm: int = 6
    """Target calls the selection may make, for each prompt it chooses from."""
    per_pull: int = 4
    """Training examples of one pull."""
    exploration: float = 1.0
    """c of the upper confidence bound."""
    exemplars: int = 3
    """Training examples that variations show, to say what the task is."""
    temperature: float = 1.0
    """Of the optimizer model."""
    max_tokens: int = 512
    """Longest reply of the optimizer model, in its tokens."""
    data_seed: int = 0
    """Seed of the order in which training batches are walked; the same for the whole run."""

    def __post_init__(self) -> None:
        check_one_of("selection", self.selection, SELECTORS)
        for name in ("candidates", "batch", "group", "successors", "per_pull", "max_tokens"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("gradients", "variations", "calls_per_arm", "exploration", "exemplars", "temperature"):
            check_at_least(name, getattr(self, name), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProTeGi:
    """Propose the next beam. Stateless: the beam is the trajectory's last step."""

    model: ChatModel
    """The optimizer model."""
    train: Sequence[Example]
    render: Render
    run_prompt: PromptRunner
    settings: ProTeGiSettings = field(default_factory=ProTeGiSettings)

    def __post_init__(self) -> None:
        if not self.train:
            raise ConfigError("ProTeGi learns from errors on training examples: it needs a train split; give one")

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        step = trajectory.next_step
        beam = list(dict.fromkeys(one.prompt for one in trajectory.steps[-1]))[: self.settings.candidates]
        batch = train_batch(self.train, step - 1, self.settings.batch, self.settings.data_seed)
        tried = await run_trials(self.run_prompt, [(prompt, batch) for prompt in beam], step=step)
        edits = await self._edits(beam, tried, seed)
        arms = [Proposal(prompt=prompt, origin="kept") for prompt in beam]
        arms = distinct([*arms, *await self._successors(beam, edits, seed)])
        return [arms[place] for place in await self._select([arm.prompt for arm in arms], step, seed)]

    def demand(self, step: int) -> Demand:
        settings = self.settings
        beam = 1 if step == 1 else settings.candidates
        a_parent = 2 * settings.gradients + settings.variations * (settings.gradients + 1)
        new = min(settings.successors, a_parent - settings.gradients)
        select = settings.calls_per_arm * beam * (1 + new)
        return Demand(
            proposals=settings.candidates,
            optimizer_calls=beam * a_parent,
            train_calls=beam * min(settings.batch, len(self.train)) + min(select, beam * (1 + new) * len(self.train)),
            reply_tokens=settings.max_tokens,
            shown_texts=2,
            shown_examples=max(settings.group, settings.exemplars),
        )

    @property
    def _asker(self) -> OptimizerQueries:
        return OptimizerQueries(
            model=self.model, temperature=self.settings.temperature, max_tokens=self.settings.max_tokens
        )

    async def _edits(
        self, beam: Sequence[Prompt], tried: Sequence[Sequence[tuple[Example, Rollout]]], seed: int
    ) -> list[tuple[Prompt, str]]:
        """Criticize groups of each prompt's errors, and mend the prompt along each criticism: (parent, text)."""
        dice = random.Random(f"{seed}:errors")
        groups: list[tuple[Prompt, list[tuple[Example, Rollout]]]] = []
        for prompt, results in zip(beam, tried, strict=True):
            wrong = [(e, rollout) for e, rollout in results if rollout.score is not None and rollout.score.value < 1]
            count = self.settings.gradients if wrong else 0
            groups += [(prompt, dice.sample(wrong, min(self.settings.group, len(wrong)))) for _ in range(count)]
        if not groups:
            return []
        shown = [[(exemplar(e, self.render), rollout) for e, rollout in group] for _, group in groups]
        asked = [reflection_request(p.instruction, group) for (p, _), group in zip(groups, shown, strict=True)]
        critiques = await self._asker.texts(asked, range(len(asked)), seed)
        found = [
            (prompt, edit_request(prompt.instruction, critique, [one for one, _ in group]))
            for (prompt, _), critique, group in zip(groups, critiques, shown, strict=True)
            if critique
        ]
        texts = await self._asker.prompts([question for _, question in found], range(len(found)), seed)
        return [(prompt, text) for (prompt, _), text in zip(found, texts, strict=True) if text]

    async def _successors(
        self, beam: Sequence[Prompt], edits: Sequence[tuple[Prompt, str]], seed: int
    ) -> list[Proposal]:
        """Add variations to the edits, and draw of each parent's new prompts as many as may go on."""
        shown = shown_examples(self.train, self.settings.exemplars, self.render, seed)
        sources = [*edits, *((prompt, prompt.instruction) for prompt in beam)]
        asked = [
            (parent, wording_request(text, shown)) for parent, text in sources for _ in range(self.settings.variations)
        ]
        texts = await self._asker.prompts([question for _, question in asked], range(len(asked)), seed)
        varied = [(parent, text) for (parent, _), text in zip(asked, texts, strict=True) if text]
        dice = random.Random(f"{seed}:successors")
        chosen: list[Proposal] = []
        for parent in beam:
            new = [
                Proposal(prompt=Prompt(instruction=text, demos=parent.demos), parent=parent, origin=origin)
                for origin, found in (("editing", edits), ("resampling", varied))
                for of, text in found
                if of == parent
            ]
            kept = sorted(dice.sample(range(len(new)), min(self.settings.successors, len(new))))
            chosen += [new[place] for place in kept]
        return chosen

    async def _select(self, prompts: Sequence[Prompt], step: int, seed: int) -> list[int]:
        order = random.Random(f"{seed}:selection").sample(list(self.train), len(self.train))

        async def pull(trials: Sequence[tuple[int, range]]) -> list[list[float]]:
            asked = [(prompts[arm], [order[place] for place in places]) for arm, places in trials]
            results = await run_trials(self.run_prompt, asked, step=step)
            return [[one.score.value for _, one in result if one.score is not None] for result in results]

        plan = BanditPlan(
            arms=len(prompts),
            keep=min(self.settings.candidates, len(prompts)),
            calls=self.settings.calls_per_arm * len(prompts),
            examples=len(order),
            per_pull=self.settings.per_pull,
            exploration=self.settings.exploration,
        )
        return await SELECTORS[self.settings.selection](pull, plan)

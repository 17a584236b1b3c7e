"""Plan one step of GPO: the parent of each new prompt, and the content of each meta-prompt."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from askwell.core.protocols import PromptRunner, Render
from askwell.core.text import words
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Example, Prompt
from askwell.models.embedder import get_embedder
from askwell.optimizers.gpo.client import OptimizerClient
from askwell.optimizers.gpo.constraints import placeholder_texts
from askwell.optimizers.gpo.contrastive import find_rival, select_verified_lessons
from askwell.optimizers.gpo.demo_search import is_demo_slot, vary_demos
from askwell.optimizers.gpo.direction import (
    DIRECTIONS,
    MOMENTA,
    POOLS,
    RecallContext,
    ScoredExamples,
    contrast,
    reflect,
)
from askwell.optimizers.gpo.metaprompt import Exemplar, Memory, MetaPrompt, make_exemplar
from askwell.optimizers.gpo.population import PARENTS, count_idle_steps, is_at_plateau
from askwell.optimizers.gpo.schedule import select_train_batch
from askwell.optimizers.gpo.settings import GPOSettings
from askwell.optimizers.gpo.trust_region import BUDGET_RULES, RESTART


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalSlot:
    """One proposal to be made."""

    parent: Candidate
    meta_prompt: MetaPrompt | None
    """Content of the request to the optimizer model; None keeps the parent's instruction without a request."""
    demos: tuple[Example, ...]
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlanner:
    """Plan the next step of a trajectory."""

    trajectory: Trajectory
    seed: int
    settings: GPOSettings
    client: OptimizerClient
    """Answers the requests for reflections and summaries."""
    train: Sequence[Example]
    render: Render
    run_prompt: PromptRunner | None

    async def plan(self) -> list[ProposalSlot]:
        """Return a slot per candidate of the step."""
        settings = self.settings
        rng = random.Random(f"{self.seed}:parents")
        parents = PARENTS[settings.parent](self.trajectory, settings.candidates, settings.population, rng)
        main_parent = Counter(parent.prompt for parent in parents).most_common(1)[0][0]
        is_due = count_idle_steps(self.trajectory) >= settings.reflect_after
        meta_prompts: dict[Prompt, MetaPrompt] = {}
        for parent in parents:
            if parent.prompt not in meta_prompts:
                # One reflection per step: each costs a request and target calls on a training batch.
                with_reflection = is_due and parent.prompt == main_parent
                meta_prompts[parent.prompt] = await self._compose(parent, with_reflection=with_reflection)
        slots = [
            ProposalSlot(
                parent=parent,
                meta_prompt=meta_prompts[parent.prompt],
                demos=parent.prompt.demos,
                origin=meta_prompts[parent.prompt].refinement,
            )
            for parent in parents
        ]
        if settings.restart != "none" and is_at_plateau(self.trajectory, settings.plateau):
            half = len(slots) // 2
            slots[half:] = [self._plan_restart()] * (len(slots) - half)
        return [self._vary_demos(slot, index) for index, slot in enumerate(slots)]

    async def _compose(self, parent: Candidate, *, with_reflection: bool) -> MetaPrompt:
        """Compose the meta-prompt of a parent; asks for the summary and the reflection that it needs."""
        settings = self.settings
        direction = DIRECTIONS[settings.direction]
        context = RecallContext(
            trajectory=self.trajectory,
            pool=POOLS[settings.pool](self.trajectory),
            current=parent,
            k=settings.trajectory_size,
            embedder=get_embedder(settings.embedder),
            seed=self.seed,
            ask=self.client.request_note,
            deltas=settings.deltas,
        )
        budget_words = BUDGET_RULES[settings.schedule](self.trajectory, parent, settings.budget_schedule)
        initial = self.trajectory.candidates[0].prompt.instruction
        return MetaPrompt(
            current=parent.prompt.instruction,
            score=parent.score if direction.score else None,
            memory=await MOMENTA[settings.momentum](context),
            reflection=await self._reflect(parent) if with_reflection and direction.reflection else "",
            lessons=select_verified_lessons(self.trajectory, settings.lessons),
            exemplars=self._draw_exemplars(),
            refinement=self._choose_refinement(parent, budget_words),
            budget_words=budget_words,
            keep=self._required_texts(initial),
            max_words=max(settings.limits.max_words, len(words(initial))) if "length" in settings.constraints else None,
        )

    def _plan_restart(self) -> ProposalSlot:
        """Plan a new prompt from the initial prompt, or from the training examples alone."""
        first = self.trajectory.candidates[0]
        from_initial = self.settings.restart == "initial"
        meta_prompt = MetaPrompt(
            current=first.prompt.instruction if from_initial else None,
            score=first.score if from_initial and DIRECTIONS[self.settings.direction].score else None,
            memory=Memory(),
            exemplars=self._draw_exemplars(),
            refinement="generation" if from_initial else "scratch",
            keep=self._required_texts(first.prompt.instruction),
        )
        return ProposalSlot(parent=first, meta_prompt=meta_prompt, demos=first.prompt.demos, origin=RESTART)

    def _vary_demos(self, slot: ProposalSlot, index: int) -> ProposalSlot:
        if not self.settings.joint_demos or not is_demo_slot(index):
            return slot
        rng = random.Random(f"{self.seed}:demos:{index}")
        demos = vary_demos(slot.demos, self.train, self.settings.joint_demos, rng)
        return replace(slot, meta_prompt=None, demos=demos, origin="demos")

    def _required_texts(self, initial: str) -> tuple[str, ...]:
        constraints = self.settings.constraints
        return (*placeholder_texts(initial), *(self.settings.limits.frozen if "frozen" in constraints else ()))

    def _choose_refinement(self, parent: Candidate, budget_words: int | None) -> str:
        """Resolve "staged": generation if the budget has room for a whole new text, else editing."""
        if self.settings.refinement != "staged":
            return self.settings.refinement
        has_room = budget_words is None or budget_words >= len(words(parent.prompt.instruction))
        return "generation" if has_room else "editing"

    def _draw_exemplars(self) -> tuple[Exemplar, ...]:
        count = min(self.settings.exemplars, len(self.train))
        drawn = random.Random(f"{self.seed}:exemplars").sample(list(self.train), count)
        return tuple(make_exemplar(example, self.render) for example in drawn)

    async def _reflect(self, parent: Candidate) -> str:
        settings, render, ask = self.settings, self.render, self.client.request_note
        ours = await self._score_train_batch(parent.prompt)
        if DIRECTIONS[settings.direction].reflection == "wrong" or not (rival := find_rival(parent, self.trajectory)):
            return await reflect(parent.prompt, ours, settings.reflected, render, ask)
        theirs = await self._score_train_batch(rival.prompt)
        return await contrast(parent.prompt, ours, rival.prompt, theirs, settings.reflected, render, ask)

    async def _score_train_batch(self, prompt: Prompt) -> ScoredExamples:
        assert self.run_prompt is not None  # GPO refuses a direction that reflects without a runner
        step = self.trajectory.next_step
        batch = select_train_batch(self.train, step - 1, self.settings.batch, self.settings.data_seed)
        examples = {example.id: example for example in batch}
        rollouts = await self.run_prompt(prompt, batch, step=step)
        return [(examples[rollout.example_id], rollout) for rollout in rollouts]

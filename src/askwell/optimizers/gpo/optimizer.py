"""GPO: the optimizer model rewrites one prompt, step by step, guided by the trajectory of past prompts.

Source: arXiv 2402.17564 (AAAI 2025), section 3. Its analogy, and where each part lives here:

    descent direction  current prompt, score, reflection   direction.py
    momentum           summary or retrieval of the past    direction.py, retrieve.py
    learning rate      decaying word budget                schedule.py, step_size.py
    descent step       generation or editing               metaprompt.py

Deviations from the paper:

1. The current prompt is shown once, in its own section with its true score, and not again among the past prompts.
2. A prompt that won several steps is one entry of the trajectory, at its latest place.
3. Scores are rounded to integers, halves up; ties of retrieval go to the later prompt.
4. Of several <START>…<END> pairs in a reply the last counts; equal proposals of a batch are one.
5. Training batches are shuffled anew in each epoch, by seed (the paper does not say).
6. Reflections show at most `reflected` wrong examples of the batch, worst first; none are asked for if all are right.
7. Switches beyond the paper, for the preset `askwell` (docs/algorithms/askwell.md): contrastive reflection and verified
   lessons, deltas, a measured budget or trust region, populations, restarts, constraints, demonstrations that are
   searched too, a length penalty; and the controls "random" and "shuffled". The preset `gpo` uses none of them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel, Demand, PromptRunner, Render
from askwell.core.text import words
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Example, Prompt, Proposal
from askwell.models.embedder import get_embedder
from askwell.optimizers.gpo.constraints import (
    CONSTRAINTS,
    Attempt,
    budget,
    check_frozen,
    reason_against,
    required_placeholders,
)
from askwell.optimizers.gpo.contrastive import rival_of, verified_lessons
from askwell.optimizers.gpo.demo_search import varied, varies_demos
from askwell.optimizers.gpo.direction import DIRECTIONS, MOMENTA, POOLS, Judged, Moment, contrast, reflect
from askwell.optimizers.gpo.metaprompt import Memory, Situation, exemplar, meta_prompt
from askwell.optimizers.gpo.population import PARENTS, at_plateau, idle_steps
from askwell.optimizers.gpo.queries import OptimizerQueries
from askwell.optimizers.gpo.schedule import train_batch
from askwell.optimizers.gpo.settings import GPOSettings
from askwell.optimizers.gpo.trust_region import RESTART, STRIDES
from askwell.tasks.render import demo_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One proposal to be made."""

    parent: Candidate
    situation: Situation | None
    """What the optimizer model is told; None keeps the parent's instruction."""
    demos: tuple[Example, ...]
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GPO:
    """Propose prompts from a trajectory. Stateless: the same trajectory and seed put the same requests."""

    model: ChatModel
    """The optimizer model M_O."""
    train: Sequence[Example]
    """The only split GPO sees: exemplars, demonstrations, and the batches of reflections."""
    render: Render
    settings: GPOSettings = field(default_factory=GPOSettings)
    run_prompt: PromptRunner | None = None
    """Needed by the directions that reflect; tries prompts on a training batch."""

    def __post_init__(self) -> None:
        if DIRECTIONS[self.settings.direction].reflection and (self.run_prompt is None or not self.train):
            raise ConfigError(
                f"the direction {self.settings.direction!r} reflects on wrong training examples: "
                "it needs a prompt runner and a train split; give both, or choose 'P+M'"
            )

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        """Return at most `candidates` distinct proposals, in draw order, beside those that were turned down.

        `seed` is this step's own. A list without a usable one means that every reply was unusable (logged). Raises
        `ModelError` with the provider's message for a fault that is final, `RunFailed` if all calls failed.
        """
        check_frozen(self.settings.limits, trajectory.candidates[0].prompt.instruction)
        slots = await self._slots(trajectory, seed)
        made: dict[Prompt, Proposal] = {}
        asked = 0
        for _ in range(self._rounds):
            texts = await self._texts(slots, asked, seed)
            asked += len(slots)
            tried = [
                (slot, self._proposal(slot, text, trajectory)) for slot, text in zip(slots, texts, strict=True) if text
            ]
            for _, proposal in tried:
                if proposal.prompt not in made or made[proposal.prompt].rejected:
                    made[proposal.prompt] = proposal
            slots = [slot for slot, proposal in tried if proposal.rejected and slot.situation]
            if not slots:
                break
        return list(made.values())

    def demand(self, step: int) -> Demand:
        settings = self.settings
        sides = {"": 0, "wrong": 1, "contrast": 2}[DIRECTIONS[settings.direction].reflection]
        # one request for a summary a step: the log answers the earlier ones
        notes = bool(sides) + (settings.momentum == "summarization")
        return Demand(
            proposals=settings.candidates,
            optimizer_calls=self._rounds * settings.candidates + notes,
            train_calls=sides * min(settings.batch, len(self.train)),
            typical_calls=settings.candidates + notes,
            reply_tokens=settings.max_tokens,
            # the current prompt, and a reflection or a summary; a rival prompt takes the place of the past
            shown_texts=settings.trajectory_size + settings.lessons + 2,
            shown_examples=max(settings.exemplars, sides * settings.reflected),
            demos=settings.joint_demos,
        )

    @property
    def _rounds(self) -> int:
        may_reject = self.settings.budget_mode == "enforce" or self.settings.constraints
        return 1 + (self.settings.resamples if may_reject else 0)

    async def _slots(self, trajectory: Trajectory, seed: int) -> list[Slot]:
        """Lay out a step: who starts from which prompt, and what each is told."""
        settings = self.settings
        chance = random.Random(f"{seed}:parents")
        parents = PARENTS[settings.parent](trajectory, settings.candidates, settings.population, chance)
        main = Counter(parent.prompt for parent in parents).most_common(1)[0][0]
        is_due = idle_steps(trajectory) >= settings.reflect_after
        told: dict[Prompt, Situation] = {}
        for parent in parents:
            if parent.prompt not in told:
                reflect = is_due and parent.prompt == main
                told[parent.prompt] = await self._situation(trajectory, parent, seed, reflect=reflect)
        slots = [
            Slot(
                parent=parent,
                situation=told[parent.prompt],
                demos=parent.prompt.demos,
                origin=told[parent.prompt].refinement,
            )
            for parent in parents
        ]
        if at_plateau(trajectory, settings.plateau) and settings.restart != "none":
            half = len(slots) // 2
            slots[half:] = [self._restarted(trajectory, seed)] * (len(slots) - half)
        return [self._with_other_demos(slot, place, seed) for place, slot in enumerate(slots)]

    async def _situation(self, trajectory: Trajectory, parent: Candidate, seed: int, *, reflect: bool) -> Situation:
        settings = self.settings
        direction = DIRECTIONS[settings.direction]
        moment = Moment(
            trajectory=trajectory,
            pool=POOLS[settings.pool](trajectory),
            current=parent,
            k=settings.trajectory_size,
            embedder=get_embedder(settings.embedder),
            seed=seed,
            ask=self._asker.note,
            deltas=settings.deltas,
        )
        budget_words = STRIDES[settings.schedule](trajectory, parent, settings.pace)
        initial = trajectory.candidates[0].prompt.instruction
        return Situation(
            current=parent.prompt.instruction,
            score=parent.score if direction.score else None,
            memory=await MOMENTA[settings.momentum](moment),
            reflection=await self._reflection(trajectory, parent) if reflect and direction.reflection else "",
            lessons=verified_lessons(trajectory, settings.lessons),
            exemplars=tuple(exemplar(example, self.render) for example in self._exemplars(seed)),
            refinement=self._refinement(parent, budget_words),
            budget_words=budget_words,
            keep=self._keep(initial),
            max_words=max(settings.limits.max_words, len(words(initial))) if "length" in settings.constraints else None,
        )

    def _restarted(self, trajectory: Trajectory, seed: int) -> Slot:
        """Leave the current prompts behind: write anew from the initial prompt, or from the examples alone."""
        first = trajectory.candidates[0]
        from_initial = self.settings.restart == "initial"
        situation = Situation(
            current=first.prompt.instruction if from_initial else None,
            score=first.score if from_initial and DIRECTIONS[self.settings.direction].score else None,
            memory=Memory(),
            exemplars=tuple(exemplar(example, self.render) for example in self._exemplars(seed)),
            refinement="generation" if from_initial else "scratch",
            keep=self._keep(first.prompt.instruction),
        )
        return Slot(parent=first, situation=situation, demos=first.prompt.demos, origin=RESTART)

    def _with_other_demos(self, slot: Slot, place: int, seed: int) -> Slot:
        if not self.settings.joint_demos or not varies_demos(place):
            return slot
        chance = random.Random(f"{seed}:demos:{place}")
        demos = varied(slot.demos, self.train, self.settings.joint_demos, chance)
        return replace(slot, situation=None, demos=demos, origin="demos")

    def _keep(self, initial: str) -> tuple[str, ...]:
        asked = self.settings.constraints
        marks = required_placeholders(initial) if "placeholders" in asked else []
        return (*marks, *(self.settings.limits.frozen if "frozen" in asked else ()))

    def _refinement(self, parent: Candidate, budget_words: int | None) -> str:
        """Resolve "staged": a new text where the budget has room for one, local edits where it has not."""
        if self.settings.refinement != "staged":
            return self.settings.refinement
        roomy = budget_words is None or budget_words >= len(words(parent.prompt.instruction))
        return "generation" if roomy else "editing"

    async def _texts(self, slots: Sequence[Slot], first_draw: int, seed: int) -> list[str]:
        """Return an instruction a slot, "" where no reply held one."""
        draws = range(first_draw, first_draw + len(slots))
        asking = [
            (meta_prompt(slot.situation), sample_index)
            for slot, sample_index in zip(slots, draws, strict=True)
            if slot.situation
        ]
        replies = iter(
            await self._asker.prompts([text for text, _ in asking], [sample_index for _, sample_index in asking], seed)
        )
        return [next(replies) if slot.situation else slot.parent.prompt.instruction for slot in slots]

    def _proposal(self, slot: Slot, text: str, trajectory: Trajectory) -> Proposal:
        settings = self.settings
        prompt = Prompt(instruction=text, demos=slot.demos)
        attempt = Attempt(
            prompt=prompt,
            parent=slot.parent.prompt,
            trajectory=trajectory,
            train=self.train,
            limits=settings.limits,
            budget_words=slot.situation.budget_words if slot.situation else None,
        )
        checks = [CONSTRAINTS[name] for name in settings.constraints]
        return Proposal(
            prompt=prompt,
            parent=slot.parent.prompt,
            origin=slot.origin,
            lesson=slot.situation.reflection if slot.situation and settings.lessons else "",
            penalty=length_penalty(prompt, trajectory.candidates[0].prompt, settings.length_penalty),
            rejected=reason_against(attempt, [*checks, budget] if settings.budget_mode == "enforce" else checks),
        )

    @property
    def _asker(self) -> OptimizerQueries:
        return OptimizerQueries(
            model=self.model, temperature=self.settings.temperature, max_tokens=self.settings.max_tokens
        )

    def _exemplars(self, seed: int) -> list[Example]:
        count = min(self.settings.exemplars, len(self.train))
        return random.Random(f"{seed}:exemplars").sample(list(self.train), count)

    async def _reflection(self, trajectory: Trajectory, parent: Candidate) -> str:
        settings, render, ask = self.settings, self.render, self._asker.note
        ours = await self._judged(trajectory, parent.prompt)
        if DIRECTIONS[settings.direction].reflection == "wrong" or not (rival := rival_of(parent, trajectory)):
            return await reflect(parent.prompt, ours, settings.reflected, render, ask)
        theirs = await self._judged(trajectory, rival.prompt)
        return await contrast(parent.prompt, ours, rival.prompt, theirs, settings.reflected, render, ask)

    async def _judged(self, trajectory: Trajectory, prompt: Prompt) -> Judged:
        assert self.run_prompt is not None  # held by __post_init__
        step = trajectory.next_step
        batch = train_batch(self.train, step - 1, self.settings.batch, self.settings.data_seed)
        examples = {example.id: example for example in batch}
        return [
            (examples[rollout.example_id], rollout) for rollout in await self.run_prompt(prompt, batch, step=step)
        ]  # fmt: skip


def length_penalty(prompt: Prompt, initial: Prompt, per_100_words: float) -> float:
    """Return what a prompt's growth over the initial one costs (0..1), demonstrations included; never negative."""
    grown = prompt_words(prompt) - prompt_words(initial)
    return per_100_words * max(0, grown) / 100


def prompt_words(prompt: Prompt) -> int:
    """Count the words of the instruction and of the demonstrations, each as it is shown."""
    shown = [text for demo in prompt.demos for text in (demo.input, demo_target(demo))]
    return sum(len(words(text)) for text in (prompt.instruction, *shown))

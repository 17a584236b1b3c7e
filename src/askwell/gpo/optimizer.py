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
7. Switches beyond the paper: budget mode "enforce" (measured word edit distance), pool "all", parent "best", the
   controls "random" and "shuffled". The preset `gpo` uses none of them.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from askwell.budget import Demand
from askwell.errors import ConfigError
from askwell.gpo.asking import Asker
from askwell.gpo.direction import DIRECTIONS, MOMENTA, PARENTS, POOLS, Judge, Moment, reflect
from askwell.gpo.embed import Embedder, embedder_named
from askwell.gpo.metaprompt import Situation, exemplar, meta_prompt
from askwell.gpo.schedule import budget_words, train_batch, warmup_steps
from askwell.gpo.settings import GPOSettings
from askwell.gpo.step_size import BUDGET_MODES
from askwell.models.base import ChatModel
from askwell.tasks.base import Render
from askwell.trajectory import Trajectory
from askwell.types import Candidate, Example, Prompt, Proposal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GPO:
    """Propose prompts from a trajectory. Stateless: the same trajectory and seed put the same requests."""

    model: ChatModel
    """The optimizer model M_O."""
    train: Sequence[Example]
    """The only split GPO sees: exemplars, and the batches of reflections."""
    render: Render
    settings: GPOSettings = field(default_factory=GPOSettings)
    judge: Judge | None = None
    """Needed by the direction "P+M+R"; tries the current prompt on a training batch."""

    def __post_init__(self) -> None:
        if DIRECTIONS[self.settings.direction].reflection and (self.judge is None or not self.train):
            raise ConfigError(
                f"the direction {self.settings.direction!r} reflects on wrong training examples: "
                "it needs a judge and a train split; give both, or choose 'P+M'"
            )

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        """Return at most `candidates` distinct proposals, in draw order; `seed` is this step's own.

        An empty list means that every reply was unusable (logged). Raises `ModelError` with the provider's message for
        a fault that is final, `RunFailed` if all calls failed.
        """
        parent = PARENTS[self.settings.parent](trajectory)
        situation = await self._situation(trajectory, parent, seed)
        accepts = BUDGET_MODES[self.settings.budget_mode]
        proposals: dict[Prompt, Proposal] = {}
        accepted, asked, rounds = 0, 0, 1 + (self.settings.resamples if self.settings.budget_mode == "enforce" else 0)
        for _ in range(rounds):
            draws = range(asked, asked + self.settings.candidates - accepted)
            replies = await self._asker.prompts([meta_prompt(situation)] * len(draws), draws, seed)
            texts = [text for text in replies if text]
            asked = draws.stop
            within = [text for text in texts if accepts(situation.current, text, situation.budget_words)]
            if rejected := len(texts) - len(within):
                log.info("rejected %d prompts over the budget of %s words", rejected, situation.budget_words)
            accepted += len(within)
            for text in within:
                prompt = Prompt(instruction=text, demos=parent.prompt.demos)
                proposal = Proposal(prompt=prompt, parent=parent.prompt, origin=self.settings.refinement)
                proposals.setdefault(prompt, proposal)
            if not rejected:
                break
        return list(proposals.values())

    def demand(self, step: int) -> Demand:
        settings = self.settings
        rounds = 1 + (settings.resamples if settings.budget_mode == "enforce" else 0)
        reflects = DIRECTIONS[settings.direction].reflection
        summarizes = settings.momentum == "summarization"  # one request a step: the log answers the earlier ones
        return Demand(
            proposals=settings.candidates,
            optimizer_calls=rounds * settings.candidates + reflects + summarizes,
            train_cells=min(settings.batch, len(self.train)) if reflects else 0,
            usual_calls=settings.candidates + reflects + summarizes,
            reply_tokens=settings.max_tokens,
            shown_texts=settings.trajectory_size + 2,  # the current prompt, and a reflection or a summary
            shown_examples=max(settings.exemplars, settings.reflected if reflects else 0),
        )

    async def _situation(self, trajectory: Trajectory, parent: Candidate, seed: int) -> Situation:
        settings = self.settings
        direction = DIRECTIONS[settings.direction]
        step = trajectory.next_step - 1  # 0-based: step 0 of the trajectory holds the initial prompt
        moment = Moment(
            trajectory=trajectory,
            pool=POOLS[settings.pool](trajectory),
            current=parent,
            k=settings.trajectory_size,
            embedder=self._embedder,
            seed=seed,
            ask=self._asker.note,
        )
        return Situation(
            current=parent.prompt.instruction,
            score=parent.score if direction.score else None,
            memory=await MOMENTA[settings.momentum](moment),
            reflection=await self._reflection(parent.prompt, step) if direction.reflection else "",
            exemplars=tuple(exemplar(example, self.render) for example in self._exemplars(seed)),
            refinement=settings.refinement,
            budget_words=self._budget(step),
        )

    @property
    def _asker(self) -> Asker:
        return Asker(model=self.model, temperature=self.settings.temperature, max_tokens=self.settings.max_tokens)

    @property
    def _embedder(self) -> Embedder:
        return embedder_named(self.settings.embedder)

    def _exemplars(self, seed: int) -> list[Example]:
        count = min(self.settings.exemplars, len(self.train))
        return random.Random(f"{seed}:exemplars").sample(list(self.train), count)

    def _budget(self, step: int) -> int | None:
        settings = self.settings
        if settings.schedule == "none":
            return None
        warmup = warmup_steps(settings.warmup_share, settings.total_steps)
        first, final = settings.first_words, settings.final_words
        return budget_words(settings.schedule, step, settings.total_steps, first, final, warmup)

    async def _reflection(self, current: Prompt, step: int) -> str:
        assert self.judge is not None  # held by __post_init__
        batch = train_batch(self.train, step, self.settings.batch, self.settings.data_seed)
        rollouts = await self.judge(current, batch, step=step + 1)
        examples = {example.id: example for example in batch}
        judged = [(examples[rollout.example_id], rollout) for rollout in rollouts]
        return await reflect(current, judged, self.settings.reflected, self.render, self._asker.note)

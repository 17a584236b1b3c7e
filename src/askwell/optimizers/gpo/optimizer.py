"""GPO: the optimizer model rewrites one prompt, step by step, guided by the trajectory of past prompts.

Source: arXiv 2402.17564 (AAAI 2025), section 3. The paper's analogy to gradient descent, and the module of each part:

    descent direction  current prompt, score, reflection   direction.py
    momentum           summary or retrieval of the past    direction.py, retrieve.py
    learning rate      decaying word budget                schedule.py, trust_region.py
    descent step       generation or editing               metaprompt.py

Deviations from the paper:

1. The current prompt is shown once, in its own section with its true score, and not again among the past prompts.
2. A prompt that won several steps is one entry of the trajectory, at its latest position.
3. Scores are rounded to integers, halves up; ties of retrieval go to the later prompt.
4. Of several <START>…<END> pairs in a reply the last outermost one counts; equal proposals of a batch count once.
   Echoes of the meta-prompt and prompts with lost or invented placeholders are rejected (`proposal_checks`).
5. Training batches are shuffled again in each epoch, by seed (the paper does not say).
6. Reflections show at most `reflected` wrong examples of the batch, worst first; no request is made if all are right.
7. Options beyond the paper, for the preset `askwell` (docs/algorithms/askwell.md): contrastive reflection and verified
   lessons, deltas, a measured budget or trust region, populations, restarts, constraints, a joint search of
   demonstrations, a length penalty; and the controls "random" and "shuffled". The preset `gpo` uses none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel, Demand, PromptRunner, Render
from askwell.core.trajectory import Trajectory
from askwell.core.types import Example, Prompt, Proposal
from askwell.optimizers.gpo.client import OptimizerClient
from askwell.optimizers.gpo.constraints import (
    ALWAYS,
    CONSTRAINTS,
    Attempt,
    check_budget,
    find_violation,
    require_frozen,
)
from askwell.optimizers.gpo.direction import DIRECTIONS
from askwell.optimizers.gpo.metaprompt import format_meta_prompt
from askwell.optimizers.gpo.prompt_length import compute_length_penalty
from askwell.optimizers.gpo.settings import GPOSettings
from askwell.optimizers.gpo.step_plan import ProposalSlot, StepPlanner


@dataclass(frozen=True, slots=True, kw_only=True)
class GPO:
    """Propose prompts from a trajectory. Stateless: the same trajectory and seed make the same requests."""

    model: ChatModel
    """The optimizer model M_O."""
    train: Sequence[Example]
    """The only split GPO sees: exemplars, demonstrations, and the batches of reflections."""
    render: Render
    settings: GPOSettings = field(default_factory=GPOSettings)
    run_prompt: PromptRunner | None = None
    """Runs prompts on a training batch; the directions that reflect need it."""

    def __post_init__(self) -> None:
        if DIRECTIONS[self.settings.direction].reflection and (self.run_prompt is None or not self.train):
            raise ConfigError(
                f"the direction {self.settings.direction!r} reflects on wrong training examples: "
                "it needs a prompt runner and a train split; give both, or choose 'P+M'"
            )

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        """Return at most `candidates` distinct proposals, in order of the samples, together with the rejected ones.

        `seed` is this step's own. If no proposal is usable, no reply held a usable prompt (logged). Raises `ModelError`
        with the provider's message for a final fault, `RunFailed` if all calls failed.
        """
        require_frozen(self.settings.limits, trajectory.candidates[0].prompt.instruction)
        slots = await self._planner(trajectory, seed).plan()
        proposals: dict[Prompt, Proposal] = {}
        requested = 0
        for _ in range(self._max_rounds):
            texts = await self._request_texts(slots, requested, seed)
            requested += len(slots)
            attempts = [
                (slot, self._check(slot, text, trajectory)) for slot, text in zip(slots, texts, strict=True) if text
            ]
            for _, proposal in attempts:
                if proposal.prompt not in proposals or proposals[proposal.prompt].rejected:
                    proposals[proposal.prompt] = proposal
            slots = [slot for slot, proposal in attempts if proposal.rejected and slot.meta_prompt]
            if not slots:
                break
        return list(proposals.values())

    def demand(self, step: int) -> Demand:
        settings = self.settings
        batches = {"": 0, "wrong": 1, "contrast": 2}[DIRECTIONS[settings.direction].reflection]
        # A summary takes one new request per step: the log answers those of earlier steps.
        notes = bool(batches) + (settings.momentum == "summarization")
        return Demand(
            proposals=settings.candidates,
            optimizer_calls=self._max_rounds * settings.candidates + notes,
            train_calls=batches * min(settings.batch, len(self.train)),
            typical_calls=settings.candidates + notes,
            reply_tokens=settings.max_tokens,
            # The current prompt, and a reflection or a summary. A contrast shows a rival prompt but no past prompts.
            shown_texts=settings.trajectory_size + settings.lessons + 2,
            shown_examples=max(settings.exemplars, batches * settings.reflected),
            demos=settings.joint_demos,
        )

    @property
    def _max_rounds(self) -> int:
        may_reject = self.settings.budget_mode == "enforce" or self.settings.constraints
        return 1 + (self.settings.resamples if may_reject else 0)

    @property
    def _client(self) -> OptimizerClient:
        return OptimizerClient(
            model=self.model, temperature=self.settings.temperature, max_tokens=self.settings.max_tokens
        )

    def _planner(self, trajectory: Trajectory, seed: int) -> StepPlanner:
        return StepPlanner(
            trajectory=trajectory,
            seed=seed,
            settings=self.settings,
            client=self._client,
            train=self.train,
            render=self.render,
            run_prompt=self.run_prompt,
        )

    async def _request_texts(self, slots: Sequence[ProposalSlot], first_sample: int, seed: int) -> list[str]:
        """Return an instruction per slot, "" if the reply held none."""
        samples = range(first_sample, first_sample + len(slots))
        requests = [
            (format_meta_prompt(slot.meta_prompt), sample_index)
            for slot, sample_index in zip(slots, samples, strict=True)
            if slot.meta_prompt
        ]
        replies = iter(
            await self._client.request_prompts(
                [text for text, _ in requests], [sample_index for _, sample_index in requests], seed
            )
        )
        return [next(replies) if slot.meta_prompt else slot.parent.prompt.instruction for slot in slots]

    def _check(self, slot: ProposalSlot, text: str, trajectory: Trajectory) -> Proposal:
        """Make a slot's proposal, rejected if it violates a constraint."""
        settings = self.settings
        prompt = Prompt(instruction=text, demos=slot.demos)
        attempt = Attempt(
            prompt=prompt,
            parent=slot.parent.prompt,
            trajectory=trajectory,
            train=self.train,
            limits=settings.limits,
            budget_words=slot.meta_prompt.budget_words if slot.meta_prompt else None,
            request=format_meta_prompt(slot.meta_prompt) if slot.meta_prompt else "",
        )
        checks = list(dict.fromkeys([*ALWAYS, *(CONSTRAINTS[name] for name in settings.constraints)]))
        return Proposal(
            prompt=prompt,
            parent=slot.parent.prompt,
            origin=slot.origin,
            lesson=slot.meta_prompt.reflection if slot.meta_prompt and settings.lessons else "",
            penalty=compute_length_penalty(prompt, trajectory.candidates[0].prompt, settings.length_penalty),
            rejected=find_violation(attempt, [*checks, check_budget] if settings.budget_mode == "enforce" else checks),
        )

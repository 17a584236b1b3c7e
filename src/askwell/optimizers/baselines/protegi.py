"""ProTeGi (automatic prompt optimization, APO): textual gradients, edits along them, and a beam chosen by a bandit.

Source: arXiv 2305.03495 (EMNLP 2023), section 3 and algorithms 1 to 4. One step:

    gradients   the beam's prompts are run on a minibatch of train; groups of their errors are criticized
    edits       one new prompt along each criticism
    variations  other wordings of each new prompt and of the parent (the paper's Monte Carlo paraphrases)
    selection   of the beam and its successors, a bandit on train examples picks the next beam

Deviations from the paper:

1. The loop scores each new beam on the dev split and ends with the best on dev; the paper selects on minibatches alone.
2. A minibatch has 16 examples (the paper: 64) and a pull 4 (32 in its code): train splits here hold some dozens. All
   arms see the same shuffled examples (`bandit.py`); batches follow epochs, as for GPO's reflections.
3. A criticism is one request, with its own group of errors; the wording is ours, as in all meta-prompts here, and edits
   and variations show training examples.
4. A parent without errors on the minibatch gets variations only.
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
from askwell.optimizers.baselines.crossover_prompts import format_edit_request, format_wording_request
from askwell.optimizers.baselines.minibatch import run_trials
from askwell.optimizers.baselines.population import draw_exemplars, drop_duplicates
from askwell.optimizers.gpo.client import OptimizerClient
from askwell.optimizers.gpo.metaprompt import format_reflection_request, make_exemplar
from askwell.optimizers.gpo.schedule import select_train_batch


@dataclass(frozen=True, slots=True, kw_only=True)
class ProTeGiSettings:
    """The settings of ProTeGi, each a key of `[optimizer]` in a config.

    Defaults are the published ones, except for the sample sizes.
    """

    candidates: int = 4
    """b: width of the beam, which each step scores on dev."""
    batch: int = 16
    """Training examples on which the beam is run to find errors."""
    gradients: int = 4
    """Criticisms per prompt of the beam."""
    group: int = 4
    """Most errors shown to one criticism."""
    variations: int = 2
    """Paraphrases per new prompt, and of its parent."""
    successors: int = 8
    """Most new prompts per parent in the selection; if there are more, this many are drawn."""
    selection: str = "ucb"
    """How the next beam is chosen: "ucb", "successive-rejects", or "uniform"."""
    calls_per_arm: int = 6
    """Most target calls of the selection, per prompt that it selects from."""
    per_pull: int = 4
    """Training examples per pull."""
    exploration: float = 1.0
    """c of the upper confidence bound."""
    exemplars: int = 3
    """Training examples that variations show, which define the task."""
    temperature: float = 1.0
    """Temperature of the optimizer model."""
    max_tokens: int = 512
    """Longest reply of the optimizer model, in its tokens."""
    data_seed: int = 0
    """Seed of the order of training batches; the same for the whole run."""

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
        beam = list(dict.fromkeys(candidate.prompt for candidate in trajectory.steps[-1]))[: self.settings.candidates]
        batch = select_train_batch(self.train, step - 1, self.settings.batch, self.settings.data_seed)
        results = await run_trials(self.run_prompt, [(prompt, batch) for prompt in beam], step=step)
        initial = trajectory.candidates[0].prompt.instruction
        edits = await self._edit(beam, results, seed, initial)
        arms = [Proposal(prompt=prompt, origin="kept") for prompt in beam]
        arms = drop_duplicates([*arms, *await self._add_variations(beam, edits, seed, initial)])
        return [arms[index] for index in await self._select([arm.prompt for arm in arms], step, seed)]

    def demand(self, step: int) -> Demand:
        settings = self.settings
        beam = 1 if step == 1 else settings.candidates
        per_parent = 2 * settings.gradients + settings.variations * (settings.gradients + 1)
        new = min(settings.successors, per_parent - settings.gradients)
        select = settings.calls_per_arm * beam * (1 + new)
        return Demand(
            proposals=settings.candidates,
            optimizer_calls=beam * per_parent,
            train_calls=beam * min(settings.batch, len(self.train)) + min(select, beam * (1 + new) * len(self.train)),
            reply_tokens=settings.max_tokens,
            shown_texts=2,
            shown_examples=max(settings.group, settings.exemplars),
        )

    @property
    def _client(self) -> OptimizerClient:
        return OptimizerClient(
            model=self.model, temperature=self.settings.temperature, max_tokens=self.settings.max_tokens
        )

    async def _edit(
        self, beam: Sequence[Prompt], results: Sequence[Sequence[tuple[Example, Rollout]]], seed: int, initial: str
    ) -> list[tuple[Prompt, str]]:
        """Criticize groups of each prompt's errors, and edit the prompt along each criticism; return (parent, text)."""
        rng = random.Random(f"{seed}:errors")
        groups: list[tuple[Prompt, list[tuple[Example, Rollout]]]] = []
        for prompt, scored in zip(beam, results, strict=True):
            wrong = [(e, rollout) for e, rollout in scored if rollout.score is not None and rollout.score.value < 1]
            count = self.settings.gradients if wrong else 0
            groups += [(prompt, rng.sample(wrong, min(self.settings.group, len(wrong)))) for _ in range(count)]
        if not groups:
            return []
        shown = [[(make_exemplar(e, self.render), rollout) for e, rollout in group] for _, group in groups]
        requests = [
            format_reflection_request(prompt.instruction, group)
            for (prompt, _), group in zip(groups, shown, strict=True)
        ]
        criticisms = await self._client.request_texts(requests, range(len(requests)), seed)
        edits = [
            (prompt, format_edit_request(prompt.instruction, criticism, [exemplar for exemplar, _ in group]))
            for (prompt, _), criticism, group in zip(groups, criticisms, shown, strict=True)
            if criticism
        ]
        texts = await self._client.request_usable_prompts(
            [request for _, request in edits], range(len(edits)), seed, initial=initial
        )
        return [(prompt, text) for (prompt, _), text in zip(edits, texts, strict=True) if text]

    async def _add_variations(
        self, beam: Sequence[Prompt], edits: Sequence[tuple[Prompt, str]], seed: int, initial: str
    ) -> list[Proposal]:
        """Add variations to the edits, and draw at most `successors` of each parent's new prompts."""
        shown = draw_exemplars(self.train, self.settings.exemplars, self.render, seed)
        sources = [*edits, *((prompt, prompt.instruction) for prompt in beam)]
        requests = [
            (parent, format_wording_request(text, shown))
            for parent, text in sources
            for _ in range(self.settings.variations)
        ]
        texts = await self._client.request_usable_prompts(
            [request for _, request in requests], range(len(requests)), seed, initial=initial
        )
        variations = [(parent, text) for (parent, _), text in zip(requests, texts, strict=True) if text]
        rng = random.Random(f"{seed}:successors")
        chosen: list[Proposal] = []
        for parent in beam:
            new = [
                Proposal(prompt=Prompt(instruction=text, demos=parent.demos), parent=parent, origin=origin)
                for origin, successors in (("editing", edits), ("resampling", variations))
                for source, text in successors
                if source == parent
            ]
            kept = sorted(rng.sample(range(len(new)), min(self.settings.successors, len(new))))
            chosen += [new[index] for index in kept]
        return chosen

    async def _select(self, prompts: Sequence[Prompt], step: int, seed: int) -> list[int]:
        order = random.Random(f"{seed}:selection").sample(list(self.train), len(self.train))

        async def pull(trials: Sequence[tuple[int, range]]) -> list[list[float]]:
            runs = [(prompts[arm], [order[index] for index in indices]) for arm, indices in trials]
            results = await run_trials(self.run_prompt, runs, step=step)
            return [[r.score.value for _, r in result if r.score is not None] for result in results]

        plan = BanditPlan(
            arms=len(prompts),
            keep=min(self.settings.candidates, len(prompts)),
            calls=self.settings.calls_per_arm * len(prompts),
            examples=len(order),
            per_pull=self.settings.per_pull,
            exploration=self.settings.exploration,
        )
        return await SELECTORS[self.settings.selection](pull, plan)

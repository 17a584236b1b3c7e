"""Race a step's prompts against the best so far on blocks of the dev split, as a stream of target calls.

The log reserves positions for the full evaluation of every prompt beforehand, and a race uses only some of them. So a
race never makes more calls than full evaluation, and its log is the same whichever call is answered first, however many
run at once, and wherever the run was stopped and resumed.
"""

from __future__ import annotations

import math
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from askwell.core.errors import ConfigError, nearest
from askwell.core.types import Example, Prompt, Rollout
from askwell.engine.evaluator import Evaluator
from askwell.engine.racing.rules import (
    RACING_RULES,
    ExpectedGain,
    FullEvaluation,
    PairedT,
    RacingRule,
    SuccessiveHalving,
)
from askwell.engine.racing.scheduler import RaceScheduler
from askwell.engine.racing.table import BlockCell, BlockScore, RaceLayout, block_sizes
from askwell.engine.rollout_queue import RolloutQueue, RolloutSlot
from askwell.engine.scores import mean, mean_of_samples

_PRICE_EXAMPLES = 300
"""Size of the dev splits that the default price was chosen on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceSettings:
    """How the candidates of a step are scored on the dev split."""

    method: str = "full"
    """full (every prompt on all examples), askwell (expected gain), successive-halving or capo-paired-t."""
    block: int = 6
    """Dev examples that are run, and compared, together."""
    lookahead: int = 16
    """Calls made ahead of the results they are decided on. Much less than the concurrency leaves workers idle; more
    makes calls that later prove unnecessary."""
    price: float = 0.005
    """askwell: score (0..1) that one full evaluation of all prompts has to be worth, on 300 dev examples or more. With
    fewer, n, scores are noisier, and the price and the indifference are √(300/n) times as large."""
    share: float = 0.3
    """successive-halving: share of the full table to score."""
    alpha: float = 0.2
    """capo-paired-t: significance level of its tests."""
    survivors: int = 1
    """How many of a race's prompts are scored on the whole dev split in the end."""
    incumbents: int = 1
    """How many of the best prompts so far take part. Their scores are known and cost nothing."""

    def __post_init__(self) -> None:
        if self.method not in RACING_RULES:
            raise ConfigError(f"unknown racing method {self.method!r}; {nearest(self.method, RACING_RULES)}")
        for name, least in (("block", 1), ("lookahead", 0), ("survivors", 1), ("incumbents", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"racing: {name} = {getattr(self, name)!r} must be at least {least}")

    def rule(self, *, entrants: int, examples: int) -> RacingRule:
        """Return the rule for a race of `entrants` prompts over a dev split of `examples` examples."""
        survivors = min(self.survivors, entrants)
        if self.method == "askwell":
            # The standard error of a mean falls with √n: on a small split, a difference of half a point is noise.
            noise = max(1.0, math.sqrt(_PRICE_EXAMPLES / examples))
            rule = ExpectedGain(survivors=survivors, price=self.price * noise, complete=True)
            return replace(rule, indifference=rule.indifference * noise)
        if self.method == "successive-halving":
            return SuccessiveHalving(survivors=survivors, share=self.share)
        if self.method == "capo-paired-t":
            return PairedT(survivors=survivors, alpha=self.alpha)
        return FullEvaluation(survivors=survivors)


class Race:
    """The race of one step.

    `entrants` maps prompt -> penalty (subtracted from its scores when prompts are compared); ties go to the earlier.
    `known` holds the scores of earlier steps, by prompt and example id. `slots` is the full evaluation of the entrants
    that are not complete yet, as `Evaluator.slots` lays it out. `blocks` covers the dev split, in order of use.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        slots: Sequence[RolloutSlot],
        *,
        entrants: Mapping[Prompt, float],
        known: Mapping[Prompt, Mapping[str, float]],
        settings: RaceSettings,
        blocks: Sequence[Sequence[Example]],
    ) -> None:
        self.calls = 0
        """Slots run so far, including those answered from the log."""
        self._evaluator = evaluator
        self._slots = slots
        self._prompts = list(entrants)
        self._names = {prompt: str(number) for number, prompt in enumerate(entrants)}
        self._penalties = entrants
        self._blocks = blocks
        self._slots_of: dict[tuple[Prompt, str], list[RolloutSlot]] = {}
        for slot in slots:
            self._slots_of.setdefault((slot.prompt, slot.example.id), []).append(slot)
        self._scores: dict[tuple[Prompt, str], dict[int, float]] = {}
        self._slots_left: dict[BlockCell, int] = {}
        self._cell_of: dict[int, BlockCell] = {}
        self._queue = RolloutQueue(most=len(slots))
        self._scheduler = self._make_scheduler(known, settings)

    async def rollouts(self) -> AsyncGenerator[Rollout, None]:
        """Run the race; yield a rollout for each slot it ran, missing ones last. Raises as `Evaluator.rollouts`."""
        missing = self._evaluator.missing_calls()
        self._enqueue_cells()
        async with aclosing(self._evaluator.arrivals(self._queue)) as arrivals:
            async for slot, rollout in arrivals:
                if rollout.score is not None:
                    missing.record_answer(slot.prompt)
                    self._scores.setdefault((slot.prompt, slot.example.id), {})[slot.sample_index] = rollout.score.value
                    yield rollout
                elif (retry := missing.record_failure(slot, rollout, requested=self.calls)) is not None:
                    self._queue.put(retry)
                    continue
                else:
                    # Even if all slots were run, too many would be missing: do not pay for the rest.
                    missing.check_share(of=len(self._slots), requested=self.calls)
                self._finish_slot(slot)
        async with aclosing(missing.finish(requested=self.calls)) as unanswered:
            async for rollout in unanswered:
                yield rollout

    def is_complete(self, prompt: Prompt) -> bool:
        """Return whether a prompt has been run on the whole dev split by now."""
        return self._scheduler.is_complete(self._names[prompt])

    def _make_scheduler(self, known: Mapping[Prompt, Mapping[str, float]], settings: RaceSettings) -> RaceScheduler:
        layout = RaceLayout(candidates=tuple(self._names.values()), blocks=tuple(len(block) for block in self._blocks))
        scores: dict[str, dict[int, BlockScore]] = {name: {} for name in layout.candidates}
        excluded: set[BlockCell] = set()
        with_slots = {slot.prompt for slot in self._slots}
        for prompt, name in self._names.items():
            for number, block in enumerate(self._blocks):
                score = self._block_score(prompt, [known.get(prompt, {}).get(example.id) for example in block])
                if score is not None:
                    scores[name][number] = score
                elif prompt not in with_slots:
                    # The prompt counts as complete, yet all its calls on this block failed in an earlier step.
                    excluded.add(BlockCell(name, number))
        return RaceScheduler(
            settings.rule(entrants=len(layout.candidates), examples=sum(layout.blocks)),
            layout,
            scores,
            survivors=min(settings.survivors, len(layout.candidates)),
            lookahead=settings.lookahead,
            calls_per_example=self._evaluator.sampling.repeats,
            excluded=excluded,
        )

    def _enqueue_cells(self) -> None:
        while (cell := self._scheduler.next_cell()) is not None:
            prompt = self._prompts[int(cell.candidate)]
            slots = [slot for example in self._blocks[cell.block] for slot in self._slots_of[prompt, example.id]]
            self._slots_left[cell] = len(slots)
            self._cell_of |= {slot.position: cell for slot in slots}
            self.calls += len(slots)
            self._queue.put(*slots)
        if self._scheduler.finished:
            self._queue.close()

    def _finish_slot(self, slot: RolloutSlot) -> None:
        """Count a slot as done; after the last one of its cell, record the cell's score and enqueue the next cells."""
        cell = self._cell_of[slot.position]
        self._slots_left[cell] -= 1
        if self._slots_left[cell]:
            return
        by_sample = [self._scores.get((slot.prompt, example.id)) for example in self._blocks[cell.block]]
        scores = [None if samples is None else mean_of_samples(samples) for samples in by_sample]
        self._scheduler.record(cell, self._block_score(slot.prompt, scores))
        self._enqueue_cells()

    def _block_score(self, prompt: Prompt, scores: Sequence[float | None]) -> BlockScore | None:
        """Return a block's per-example scores less the penalty; their mean if some are missing, None if all are."""
        present = [score - self._penalties[prompt] for score in scores if score is not None]
        if len(present) == len(scores):
            return tuple(present)
        return mean(present) if present else None


def cut_blocks(examples: Sequence[Example], size: int, *, seed: int, order_seed: int) -> list[list[Example]]:
    """Split examples into blocks. `seed` decides which examples share a block, `order_seed` the order of the blocks."""
    shuffled = random.Random(seed).sample(list(examples), len(examples))
    blocks: list[list[Example]] = []
    start = 0
    for length in block_sizes(len(shuffled), size):
        blocks.append(shuffled[start : start + length])
        start += length
    return random.Random(order_seed).sample(blocks, len(blocks))

"""Racing inside a run: new prompts against the best so far on blocks of the dev split, streamed to the target model.

Every cell of the full evaluation has its place in the log, and a race leaves those empty that it does not need: never
more calls than full evaluation, and the same log whichever call is answered first, however many run at once, and
wherever the run was stopped and resumed.
"""

from __future__ import annotations

import math
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from askwell.belief import BlockScore, Field
from askwell.errors import ConfigError, nearest
from askwell.evaluation import Evaluator, mean, mean_of_draws
from askwell.feed import Cell, Feed
from askwell.lookahead import Lookahead, Unit
from askwell.racing import RACINGS, ExpectedGain, FullEvaluation, PairedT, Racing, SuccessiveHalving, blocks_of
from askwell.types import Example, Prompt, Rollout

_EXAMPLES_OF_PRICE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceSettings:
    """How the candidates of a step are scored on the dev split."""

    method: str = "full"
    """full (everybody on everything), askwell (expected gain), successive-halving or capo-paired-t."""
    block: int = 6
    """Dev examples that are asked for, and judged, together."""
    lookahead: int = 16
    """Calls asked for ahead of the results they are decided on. Slots idle where it is well below the concurrency;
    where it is higher, more calls turn out needless."""
    price: float = 0.005
    """askwell: score (0..1) that one full evaluation of everybody has to be worth, on 300 dev examples or more. A score
    on fewer, n, is less sure to begin with: there it is √(300/n) times as much, as is the indifference."""
    share: float = 0.3
    """successive-halving: part of the full table to spend."""
    alpha: float = 0.2
    """capo-paired-t: level of its tests."""
    survivors: int = 1
    """How many of a race's prompts are scored on the whole dev split in the end."""
    incumbents: int = 1
    """How many of the best prompts so far run along. Their scores are known and cost nothing."""

    def __post_init__(self) -> None:
        if self.method not in RACINGS:
            raise ConfigError(f"unknown racing {self.method!r}; {nearest(self.method, RACINGS)}")
        for name, least in (("block", 1), ("lookahead", 0), ("survivors", 1), ("incumbents", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"racing: {name} = {getattr(self, name)!r} must be at least {least}")

    def racing(self, *, entrants: int, examples: int) -> Racing:
        """Return who decides in a race of so many prompts over a dev split of so many examples."""
        survivors = min(self.survivors, entrants)
        if self.method == "askwell":
            noise = max(1.0, math.sqrt(_EXAMPLES_OF_PRICE / examples))
            ours = ExpectedGain(survivors=survivors, price=self.price * noise, complete=True)
            return replace(ours, indifference=ours.indifference * noise)
        if self.method == "successive-halving":
            return SuccessiveHalving(survivors=survivors, share=self.share)
        if self.method == "capo-paired-t":
            return PairedT(survivors=survivors, alpha=self.alpha)
        return FullEvaluation(survivors=survivors)


class Race:
    """One step's race over a layout of cells.

    `entrants` are prompt -> penalty (taken off its scores where prompts are compared); of equals the earlier wins.
    `known` holds what earlier steps scored, by prompt and example id. `cells` is the full evaluation of those entrants
    that are not complete yet, as `Evaluator.cells` lays it out. `blocks` are all of the dev split, in order of use.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        cells: Sequence[Cell],
        *,
        entrants: Mapping[Prompt, float],
        known: Mapping[Prompt, Mapping[str, float]],
        settings: RaceSettings,
        blocks: Sequence[Sequence[Example]],
    ) -> None:
        self.calls = 0
        """Cells asked for so far, answers from the log included."""
        self._evaluator = evaluator
        self._cells = cells
        self._names = {prompt: str(number) for number, prompt in enumerate(entrants)}
        self._prompts = list(entrants)
        self._penalties = entrants
        self._blocks = blocks
        self._by_place: dict[tuple[Prompt, str], list[Cell]] = {}
        for cell in cells:
            self._by_place.setdefault((cell.prompt, cell.example.id), []).append(cell)
        self._found: dict[tuple[Prompt, str], dict[int, float]] = {}
        self._left: dict[Unit, int] = {}
        self._unit_of: dict[int, Unit] = {}
        self._feed = Feed(most=len(cells))
        self._planner = self._plan(known, settings)

    async def rollouts(self) -> AsyncGenerator[Rollout, None]:
        """Run the race; yield a rollout for each cell asked for, missing ones too. Raises as `Evaluator.rollouts`."""
        missing: list[tuple[Cell, Rollout]] = []
        failed: dict[int, tuple[Cell, Rollout]] = {}
        evaluator = self._evaluator
        self._hand_out()
        async with aclosing(evaluator.arrivals(self._feed)) as arrivals:
            async for cell, rollout in arrivals:
                if rollout.score is not None:
                    self._found.setdefault((cell.prompt, cell.example.id), {})[cell.draw] = rollout.score.value
                    yield rollout
                elif cell.position not in failed:  # once more, behind what is waiting
                    failed[cell.position] = (cell, rollout)
                    if not self._found and len(failed) >= evaluator.dead_after:
                        raise evaluator.too_many(list(failed.values()), self.calls)
                    self._feed.put(cell)
                    continue
                else:
                    missing.append((cell, rollout))
                    if len(missing) > evaluator.max_missing * len(self._cells):
                        raise evaluator.too_many(missing, self.calls)
                self._settle(cell)
        unscored = {cell.prompt for cell, _ in missing} - {prompt for prompt, _ in self._found}
        if unscored or len(missing) > evaluator.max_missing * self.calls:
            raise evaluator.too_many(missing, self.calls)
        for _, rollout in missing:
            await evaluator.write_missing(rollout)
            yield rollout

    def is_complete(self, prompt: Prompt) -> bool:
        """Whether a prompt has been tried on the whole dev split, by now."""
        return self._planner.is_complete(self._names[prompt])

    def _plan(self, known: Mapping[Prompt, Mapping[str, float]], settings: RaceSettings) -> Lookahead:
        field = Field(candidates=tuple(self._names.values()), blocks=tuple(len(block) for block in self._blocks))
        scores: dict[str, dict[int, BlockScore]] = {name: {} for name in field.candidates}
        barred: set[Unit] = set()
        raced = {cell.prompt for cell in self._cells}
        for prompt, name in self._names.items():
            for number, block in enumerate(self._blocks):
                score = self._judged(prompt, [known.get(prompt, {}).get(example.id) for example in block])
                if score is not None:
                    scores[name][number] = score
                elif prompt not in raced:
                    barred.add(Unit(name, number))  # a complete prompt, all of whose calls failed there
        return Lookahead(
            settings.racing(entrants=len(field.candidates), examples=sum(field.blocks)),
            field,
            scores,
            survivors=min(settings.survivors, len(field.candidates)),
            lookahead=settings.lookahead,
            calls_per_example=self._evaluator.sampling.repeats,
            barred=barred,
        )

    def _hand_out(self) -> None:
        while (unit := self._planner.next_unit()) is not None:
            prompt = self._prompts[int(unit.candidate)]
            cells = [cell for example in self._blocks[unit.block] for cell in self._by_place[prompt, example.id]]
            self._left[unit] = len(cells)
            self._unit_of |= {cell.position: unit for cell in cells}
            self.calls += len(cells)
            self._feed.put(*cells)
        if self._planner.over:
            self._feed.close()

    def _settle(self, cell: Cell) -> None:
        """Book a cell that is done; with the last one of its unit, judge and go on."""
        unit = self._unit_of[cell.position]
        self._left[unit] -= 1
        if self._left[unit]:
            return
        cells = ((cell.prompt, example.id) for example in self._blocks[unit.block])
        found = [mean_of_draws(self._found[place]) if place in self._found else None for place in cells]
        self._planner.result(unit, self._judged(cell.prompt, found))
        self._hand_out()

    def _judged(self, prompt: Prompt, scores: Sequence[float | None]) -> BlockScore | None:
        """Return a block's scores one by one, less the penalty; their mean where some are missing, None where all."""
        there = [score - self._penalties[prompt] for score in scores if score is not None]
        if len(there) == len(scores):
            return tuple(there)
        return mean(there) if there else None


def cut_blocks(examples: Sequence[Example], size: int, *, seed: int, order_seed: int) -> list[list[Example]]:
    """Deal examples into blocks. `seed` decides who stands together, `order_seed` which block comes first."""
    dealt = random.Random(seed).sample(list(examples), len(examples))
    blocks: list[list[Example]] = []
    for length in blocks_of(len(dealt), size):
        start = sum(len(block) for block in blocks)
        blocks.append(dealt[start : start + length])
    return random.Random(order_seed).sample(blocks, len(blocks))

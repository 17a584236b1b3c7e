"""Which part of a race to ask for next, while other parts are still being answered: no barrier, and no guessing.

A *unit* is one candidate on one block of examples. Results count in the order in which their units were asked for, and
the next unit is decided on no more of them than it has to be: one more is taken in only when `lookahead` calls are out
beyond what was taken in, or when that leaves nothing to ask for. So what is asked is a function of the results alone,
not of which came first or of how many calls run at once, and a race that is played again asks the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product

from askwell.engine.racing.posterior import BlockScore, Field, Scores
from askwell.engine.racing.rules import Decision, Racing


@dataclass(frozen=True, slots=True)
class Unit:
    """One candidate on one block (its number in the field)."""

    candidate: str
    block: int


class Lookahead:
    """Hand out a race's units one by one; give their results back in any order.

    A unit without a result (all its calls failed) makes its block void: nobody is judged by it. So does a `barred`
    unit, which is neither known nor to be asked for. Once the decisions leave nothing to ask for, the best `survivors`
    get every block they lack.
    """

    def __init__(
        self,
        racing: Racing,
        field: Field,
        known: Scores,
        *,
        survivors: int = 1,
        lookahead: int = 0,
        calls_per_example: int = 1,
        barred: Collection[Unit] = (),
    ) -> None:
        self.over = False
        """Whether nothing will be handed out any more."""
        self._racing = racing
        self._field = field
        self._survivors = survivors
        self._lookahead = lookahead
        self._calls = [size * calls_per_example for size in field.blocks]
        self._evidence = {name: dict(known.get(name, {})) for name in field.candidates}
        self._void = {unit.block for unit in barred}
        self._asked: list[Unit] = []
        self._open = {
            Unit(name, block)
            for name, block in product(field.candidates, range(len(field.blocks)))
            if block not in self._evidence[name]
        }.difference(barred)
        self._results: dict[Unit, BlockScore | None] = {}
        self._taken_in = 0
        self._calls_ahead = 0
        self._decision: Decision | None = None

    def next_unit(self) -> Unit | None:
        """Return what to ask for now; None until more results are in, and for good once `over`."""
        while not self.over:
            pending = self._taken_in < len(self._asked)
            if not pending or self._calls_ahead < self._lookahead:
                unit = self._choice()
                if unit is not None:
                    self._open.remove(unit)
                    self._asked.append(unit)
                    self._calls_ahead += self._calls[unit.block]
                    return unit
                self.over = not pending
            if pending and not self._take_in():
                return None
        return None

    def result(self, unit: Unit, score: BlockScore | None) -> None:
        """Give back what a unit brought; None where every call of it failed."""
        self._results[unit] = score

    def is_complete(self, candidate: str) -> bool:
        """Whether a candidate has been tried on every block."""
        return all(Unit(candidate, block) not in self._open for block in range(len(self._field.blocks)))

    def _take_in(self) -> bool:
        unit = self._asked[self._taken_in]
        if unit not in self._results:
            return False
        score = self._results[unit]
        if score is None:
            self._void.add(unit.block)
        else:
            self._evidence[unit.candidate][unit.block] = score
        self._taken_in += 1
        self._calls_ahead -= self._calls[unit.block]
        self._decision = None
        return True

    def _choice(self) -> Unit | None:
        blocks = [block for block in range(len(self._field.blocks)) if block not in self._void]
        if not blocks:
            return None
        self._decision = self._decision or self._decide(blocks)
        decision = self._decision
        every = range(len(self._field.blocks))
        wanted = [Unit(name, blocks[place]) for name, place in decision.wanted]
        needed = [Unit(name, block) for name, block in product(decision.ranking[: self._survivors], every)]
        if wanted:
            # All asked for already, and slots are free: what the leaders will need in the end, then a further look at
            # whoever is still in contention.
            contenders = [name for name in decision.ranking if name not in decision.stopped]
            needed += [Unit(name, block) for block, name in product(blocks, contenders)]
        wanted += needed
        return next((unit for unit in wanted if unit in self._open), None)

    def _decide(self, blocks: Sequence[int]) -> Decision:
        sizes = tuple(self._field.blocks[block] for block in blocks)
        scores = {
            name: {place: row[block] for place, block in enumerate(blocks) if block in row}
            for name, row in self._evidence.items()
        }
        return self._racing.decide(Field(candidates=self._field.candidates, blocks=sizes), scores)

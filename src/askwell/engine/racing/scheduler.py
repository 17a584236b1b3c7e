"""Choose the next cell of a race while other cells are still running: without a barrier, and reproducibly.

A *cell* is one candidate on one block of examples. Results are used in the order in which their cells were requested,
and the next cell is decided on as few of them as possible: one more result is used only if `lookahead` calls are
already requested beyond the results used, or if there is nothing to request without it. So what is requested is a
function of the results alone, not of which came first or of how many calls run at once, and a replayed race requests
the same cells.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import product

from askwell.engine.racing.rules import Decision, RacingRule
from askwell.engine.racing.table import BlockCell, BlockScore, RaceLayout, Scores


class RaceScheduler:
    """Request a race's cells one by one; record their scores in any order.

    A cell without a score (all its calls failed) makes its block void: no candidate is judged by it. So does an
    `excluded` cell, which is neither known nor to be requested. Once the rule wants nothing more, the best `survivors`
    get every block they lack.
    """

    def __init__(
        self,
        rule: RacingRule,
        layout: RaceLayout,
        known: Scores,
        *,
        survivors: int = 1,
        lookahead: int = 0,
        calls_per_example: int = 1,
        excluded: Collection[BlockCell] = (),
    ) -> None:
        self.finished = False
        """Whether no cell will be requested any more."""
        self._rule = rule
        self._layout = layout
        self._survivors = survivors
        self._lookahead = lookahead
        self._calls = [size * calls_per_example for size in layout.blocks]
        self._evidence = {name: dict(known.get(name, {})) for name in layout.candidates}
        self._void_blocks = {cell.block for cell in excluded}
        self._requested: list[BlockCell] = []
        self._open = {
            BlockCell(name, block)
            for name, block in product(layout.candidates, range(len(layout.blocks)))
            if block not in self._evidence[name]
        }.difference(excluded)
        self._results: dict[BlockCell, BlockScore | None] = {}
        self._used = 0
        """How many requested cells, in order of request, are part of the evidence."""
        self._calls_ahead = 0
        """Calls of the requested cells that are not part of the evidence yet."""
        self._decision: Decision | None = None

    def next_cell(self) -> BlockCell | None:
        """Return the cell to run now; None until more results are in, and for good once `finished`."""
        while not self.finished:
            pending = self._used < len(self._requested)
            if not pending or self._calls_ahead < self._lookahead:
                cell = self._choose()
                if cell is not None:
                    self._open.remove(cell)
                    self._requested.append(cell)
                    self._calls_ahead += self._calls[cell.block]
                    return cell
                self.finished = not pending
            if pending and not self._use_next_result():
                return None
        return None

    def record(self, cell: BlockCell, score: BlockScore | None) -> None:
        """Record the score of a requested cell; None if every call of it failed."""
        self._results[cell] = score

    def is_complete(self, candidate: str) -> bool:
        """Return whether a candidate has been run on every block."""
        return all(BlockCell(candidate, block) not in self._open for block in range(len(self._layout.blocks)))

    def _use_next_result(self) -> bool:
        """Add the next result, in order of request, to the evidence; return False if it isn't there yet."""
        cell = self._requested[self._used]
        if cell not in self._results:
            return False
        score = self._results[cell]
        if score is None:
            # Candidates are compared on shared blocks, so a block that one of them can't have is void for all.
            self._void_blocks.add(cell.block)
        else:
            self._evidence[cell.candidate][cell.block] = score
        self._used += 1
        self._calls_ahead -= self._calls[cell.block]
        self._decision = None
        return True

    def _choose(self) -> BlockCell | None:
        valid_blocks = [block for block in range(len(self._layout.blocks)) if block not in self._void_blocks]
        if not valid_blocks:
            return None
        # The rule decides once per state of the evidence: it is the expensive part.
        self._decision = self._decision or self._decide(valid_blocks)
        decision = self._decision
        # The rule sees the valid blocks only, so its block numbers count those.
        wanted = [BlockCell(name, valid_blocks[index]) for name, index in decision.wanted]
        every_block = range(len(self._layout.blocks))
        useful = [BlockCell(name, block) for name, block in product(decision.ranking[: self._survivors], every_block)]
        if wanted:
            # All wanted cells may be requested already while workers are idle. The next best cells are those that the
            # leaders need in the end anyway, and then one more block of each candidate that is still in the race.
            contenders = [name for name in decision.ranking if name not in decision.stopped]
            useful += [BlockCell(name, block) for block, name in product(valid_blocks, contenders)]
        return next((cell for cell in (*wanted, *useful) if cell in self._open), None)

    def _decide(self, valid_blocks: Sequence[int]) -> Decision:
        sizes = tuple(self._layout.blocks[block] for block in valid_blocks)
        scores = {
            name: {index: row[block] for index, block in enumerate(valid_blocks) if block in row}
            for name, row in self._evidence.items()
        }
        return self._rule.decide(RaceLayout(candidates=self._layout.candidates, blocks=sizes), scores)

"""Cells, the calls to be made, and how they are handed out: in order, more of them while others are being run."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from askwell.types import Example, Prompt, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One call to be made: its place in the log is fixed before the work begins."""

    position: int
    step: int
    split: Split
    prompt: Prompt
    example: Example
    sample_index: int = 0
    temperature: float | None = None
    """Instead of the sampling's, for a search that wants several answers of a model otherwise asked at 0."""


class Feed:
    """Cells for the workers, in order; more may be put in while others are being run, until it is closed."""

    def __init__(self, cells: Iterable[Cell] = (), *, most: int | None = None) -> None:
        self._cells = deque(cells)
        self.most = most
        """How many cells there will be at the most, put in again ones aside; None: nobody knows."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def put(self, *cells: Cell) -> None:
        """Add cells at the end."""
        self._cells.extend(cells)
        for _ in cells:
            self._wake()

    def close(self) -> None:
        """Say that no more cells will come."""
        self._closed = True
        while self._waiting:
            self._wake()

    async def take(self, most: int) -> list[Cell]:
        """Return the next cell, waiting for one if need be, with up to `most` - 1 further draws of it that follow.

        Empty once the feed is closed and empty.
        """
        while not self._cells and not self._closed:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        taken = [self._cells.popleft()] if self._cells else []
        while taken and len(taken) < most and self._cells and is_a_draw_of(taken[0], self._cells[0]):
            taken.append(self._cells.popleft())
        return taken

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # cancelled workers wait for nothing any more
                turn.set_result(None)
                return


class Room:
    """Places for rollouts nobody has read yet. asyncio's semaphore looks through all who wait at each release."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Take a place, or wait for one."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn  # workers are only ever cancelled all together, so a place handed to one is never lost

    def give(self) -> None:
        """Free a place, or hand it to who waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def closed(cells: Iterable[Cell]) -> Feed:
    """Return a feed of these cells and no more."""
    waiting = list(cells)
    feed = Feed(waiting, most=len(waiting))
    feed.close()
    return feed


def is_a_draw_of(cell: Cell, other: Cell) -> bool:
    """Whether two cells ask the same question, but for which sample of it is wanted."""
    return (other.example.id, other.temperature) == (cell.example.id, cell.temperature) and other.prompt == cell.prompt

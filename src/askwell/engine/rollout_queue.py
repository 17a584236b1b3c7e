"""The calls to be made (slots), the queue that workers take them from, and the limit on unread results."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from askwell.core.types import Example, Prompt, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSlot:
    """One call to be made, with its position in the log.

    Positions are assigned before the work begins, so the log doesn't depend on which call is answered first.
    """

    position: int
    step: int
    split: Split
    prompt: Prompt
    example: Example
    sample_index: int = 0
    temperature: float | None = None
    """Overrides the temperature of `Sampling`: a search may need several samples of a target that runs at 0."""
    is_retry: bool = False
    """Whether the call failed once already."""


class RolloutQueue:
    """Slots for the workers, in order. More may be added while others run, until the queue is closed."""

    def __init__(self, slots: Iterable[RolloutSlot] = (), *, most: int | None = None) -> None:
        self._slots = deque(slots)
        self.most = most
        """Upper bound on the number of slots, not counting retries; None if unknown."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def put(self, *slots: RolloutSlot) -> None:
        """Append slots."""
        self._slots.extend(slots)
        for _ in slots:
            self._wake_one()

    def close(self) -> None:
        """Declare that no more slots will come."""
        self._closed = True
        while self._waiting:
            self._wake_one()

    async def take(self, most: int) -> list[RolloutSlot]:
        """Wait for the next slot; return it with up to `most` - 1 further samples of the same request.

        Returns an empty list once the queue is closed and empty.
        """
        while not self._slots and not self._closed:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        taken = [self._slots.popleft()] if self._slots else []
        while taken and len(taken) < most and self._slots and is_same_request(taken[0], self._slots[0]):
            taken.append(self._slots.popleft())
        return taken

    def _wake_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # a cancelled worker's future is done: skip it, or the wake-up would be lost
                turn.set_result(None)
                return


class Backpressure:
    """A limit on rollouts that are finished and not yet read.

    A semaphore, but releasing takes constant time: asyncio's scans all waiting tasks at each release.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Take a free place, or wait for one."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn  # workers are only ever cancelled all together, so a place passed on to one is never lost

    def release(self) -> None:
        """Free a place, or pass it on to the worker that has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def closed_queue(slots: Iterable[RolloutSlot]) -> RolloutQueue:
    """Return a queue of exactly these slots."""
    waiting = list(slots)
    queue = RolloutQueue(waiting, most=len(waiting))
    queue.close()
    return queue


def is_same_request(slot: RolloutSlot, other: RolloutSlot) -> bool:
    """Return whether two slots differ only in the sample index, so that one request can fetch both samples."""
    return (other.example.id, other.temperature) == (slot.example.id, slot.temperature) and other.prompt == slot.prompt

"""The one door to a server that several models share: in turn, at the pace the server lets itself be asked."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from dataclasses import dataclass, field

from askwell.core.types import Completion
from askwell.models.per_loop import PerLoop
from askwell.models.wrappers.rate_controller import RateController, Ticket

_LOG = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Queue:
    """The calls of one model that wait to be sent, and how many are on their way."""

    most: int
    waiting: deque[asyncio.Future[Ticket]] = field(default_factory=deque["asyncio.Future[Ticket]"])
    in_flight: int = 0


@dataclass(slots=True)
class _Turns:
    """What belongs to one event loop: whose turn it is, and the timer of the next request."""

    queues: deque[Queue] = field(default_factory=deque[Queue])
    timer: asyncio.TimerHandle | None = None
    wakes_at: float = 0.0
    """When the timer goes off, by the loop's clock (a handle of uvloop can't always tell)."""
    in_flight: int = 0


class SharedGate:
    """Let calls through one by one: models take turns, however many calls each has waiting.

    One gate for each (endpoint, key, model name), shared by the roles that use it: a provider counts them together.
    What it learns from refusals is kept as long as the object lives.
    """

    def __init__(self) -> None:
        self.throttle = RateController()
        self._turns = PerLoop(_Turns)

    def wait_s(self, queue: Queue) -> float:
        """Return how long a call of this model would wait if it came now; infinity until another one is answered."""
        if queue.waiting or queue.in_flight >= queue.most:
            return math.inf
        return self.throttle.wait_s(time.monotonic(), self._turns.get().in_flight)

    async def enter(self, queue: Queue) -> Ticket:
        """Wait for this call's turn; `leave` must follow."""
        turns = self._turns.get()
        if queue not in turns.queues:
            turns.queues.append(queue)
        if not queue.waiting and queue.in_flight < queue.most:
            now = time.monotonic()
            if turns.timer is None and self.throttle.wait_s(now, turns.in_flight) <= 0:
                return self._send(turns, queue, now)
        turn: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        queue.waiting.append(turn)
        self._pump(turns)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let through in the same moment
                self._release(turns, queue)
            raise

    def leave(self, queue: Queue, ticket: Ticket, completion: Completion, *, name: str) -> None:
        """Say what became of a call that was let through."""
        turns = self._turns.get()
        turns.in_flight -= 1
        queue.in_flight -= 1
        now = time.monotonic()
        if completion.fault == "rate_limit":
            was = self.throttle.rate
            if self.throttle.refused(ticket, now, completion.retry_after_s):
                level = logging.WARNING if was is None else logging.INFO
                _LOG.log(level, "%s is rate-limited: going on at %.3g requests a second", name, self.throttle.rate)
        elif completion.outcome != "failed":
            quota = completion.quota
            self.throttle.answered(
                ticket,
                now,
                turns.in_flight,
                left=None if quota is None else quota.remaining,
                reset_s=None if quota is None else quota.reset_s,
            )
        else:
            self.throttle.failed(ticket)
        self._pump(turns)

    def _release(self, turns: _Turns, queue: Queue) -> None:
        turns.in_flight -= 1
        queue.in_flight -= 1
        self._pump(turns)

    def _send(self, turns: _Turns, queue: Queue, now: float) -> Ticket:
        turns.in_flight += 1
        queue.in_flight += 1
        return self.throttle.sent(now)

    def _pump(self, turns: _Turns) -> None:
        """Let through whatever may go now, models in turn; set a timer for the rest."""
        now = time.monotonic()
        while (queue := self._next(turns)) is not None:
            wait = self.throttle.wait_s(now, turns.in_flight)
            if wait > 0:
                if math.isfinite(wait):
                    self._wake_at(turns, asyncio.get_running_loop().time() + wait)
                return
            queue.waiting.popleft().set_result(self._send(turns, queue, now))

    def _wake_at(self, turns: _Turns, when: float) -> None:
        """Set the timer, or set it earlier: an answer may end a wait before its time."""
        if turns.timer is not None:
            if turns.wakes_at <= when:
                return
            turns.timer.cancel()
        turns.wakes_at = when
        turns.timer = asyncio.get_running_loop().call_at(when, self._on_timer, turns)

    def _on_timer(self, turns: _Turns) -> None:
        turns.timer = None
        self._pump(turns)

    def _next(self, turns: _Turns) -> Queue | None:
        """Return the next model with a call that may go, and move it to the end of the row."""
        for _ in range(len(turns.queues)):
            queue = turns.queues[0]
            turns.queues.rotate(-1)
            while queue.waiting and queue.waiting[0].done():
                queue.waiting.popleft()
            if queue.waiting and queue.in_flight < queue.most:
                return queue
        return None


class SharedGates:
    """The gates of one run, made as they are asked for."""

    def __init__(self) -> None:
        self._gates: dict[tuple[str, ...], SharedGate] = {}

    def of(self, *key: str) -> SharedGate:
        """Return the gate of an endpoint, a key and a model's name."""
        return self._gates.setdefault(key, SharedGate())

"""One rate limit for all models that share a server: first come, first served per model, models in rotation."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from dataclasses import dataclass, field

from askwell.core.types import Completion
from askwell.models.per_loop import PerLoop
from askwell.models.wrappers.rate_controller import RateController, SentRequest

_LOG = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class ModelQueue:
    """The calls of one model: those that wait to be sent, and the number in flight."""

    max_in_flight: int
    waiting: deque[asyncio.Future[SentRequest]] = field(default_factory=deque["asyncio.Future[SentRequest]"])
    in_flight: int = 0


@dataclass(slots=True)
class _GateState:
    """The state of one event loop: the models in the order of their state, and the timer of the next request."""

    queues: deque[ModelQueue] = field(default_factory=deque[ModelQueue])
    timer: asyncio.TimerHandle | None = None
    wakes_at: float = 0.0
    """When the timer fires, by the loop's clock: a timer handle of uvloop does not always know."""
    in_flight: int = 0


class SharedGate:
    """Send calls one by one: models take state, however many calls each has waiting.

    There is one gate per (endpoint, key, model name), shared by the roles that use it: a provider counts them
    together. It keeps the learnt rate as long as the object exists, over several event loops.
    """

    def __init__(self) -> None:
        self.controller = RateController()
        self._states = PerLoop(_GateState)

    def wait_s(self, queue: ModelQueue) -> float:
        """Return how long a call made now would wait; infinity if it has to wait for another call's reply."""
        if queue.waiting or queue.in_flight >= queue.max_in_flight:
            return math.inf
        return self.controller.wait_s(time.monotonic(), self._states.get().in_flight)

    async def acquire(self, queue: ModelQueue) -> SentRequest:
        """Wait until this call may be sent; `release` must follow."""
        state = self._states.get()
        if queue not in state.queues:
            state.queues.append(queue)
        if not queue.waiting and queue.in_flight < queue.max_in_flight:
            now = time.monotonic()
            if state.timer is None and self.controller.wait_s(now, state.in_flight) <= 0:
                return self._send(state, queue, now)
        turn: asyncio.Future[SentRequest] = asyncio.get_running_loop().create_future()
        queue.waiting.append(turn)
        self._dispatch(state)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # sent in the same iteration of the loop
                self._undo_send(state, queue)
            raise

    def release(self, queue: ModelQueue, request: SentRequest, completion: Completion, *, name: str) -> None:
        """Record the reply of a call that was sent, and send what may go now."""
        state = self._states.get()
        state.in_flight -= 1
        queue.in_flight -= 1
        now = time.monotonic()
        if completion.fault == "rate_limit":
            rate_before = self.controller.rate
            if self.controller.record_refusal(request, now, completion.retry_after_s):
                level = logging.WARNING if rate_before is None else logging.INFO  # later cuts are routine
                _LOG.log(level, "%s is rate-limited: going on at %.3g requests a second", name, self.controller.rate)
        elif completion.outcome != "failed":
            quota = completion.quota
            self.controller.record_reply(
                request,
                now,
                state.in_flight,
                remaining=None if quota is None else quota.remaining,
                reset_s=None if quota is None else quota.reset_s,
            )
        else:
            self.controller.record_failure(request)
        self._dispatch(state)

    def _undo_send(self, state: _GateState, queue: ModelQueue) -> None:
        state.in_flight -= 1
        queue.in_flight -= 1
        self._dispatch(state)

    def _send(self, state: _GateState, queue: ModelQueue, now: float) -> SentRequest:
        state.in_flight += 1
        queue.in_flight += 1
        return self.controller.record_sent(now)

    def _dispatch(self, state: _GateState) -> None:
        """Send every call that may go now, models in turn; set a timer for the others."""
        now = time.monotonic()
        while (queue := self._next(state)) is not None:
            wait = self.controller.wait_s(now, state.in_flight)
            if wait > 0:
                if math.isfinite(wait):
                    self._wake_at(state, asyncio.get_running_loop().time() + wait)
                return
            queue.waiting.popleft().set_result(self._send(state, queue, now))

    def _wake_at(self, state: _GateState, when: float) -> None:
        """Set the timer, or move it forward: a reply may end a wait early."""
        if state.timer is not None:
            if state.wakes_at <= when:
                return
            state.timer.cancel()
        state.wakes_at = when
        state.timer = asyncio.get_running_loop().call_at(when, self._on_timer, state)

    def _on_timer(self, state: _GateState) -> None:
        state.timer = None
        self._dispatch(state)

    def _next(self, state: _GateState) -> ModelQueue | None:
        """Return the next model with a call that may go, and move it to the end of the rotation."""
        for _ in range(len(state.queues)):
            queue = state.queues[0]
            state.queues.rotate(-1)
            while queue.waiting and queue.waiting[0].done():  # cancelled calls
                queue.waiting.popleft()
            if queue.waiting and queue.in_flight < queue.max_in_flight:
                return queue
        return None


class SharedGates:
    """The gates of one run, each made at its first use."""

    def __init__(self) -> None:
        self._gates: dict[tuple[str, ...], SharedGate] = {}

    def get(self, *key: str) -> SharedGate:
        """Return the gate of (endpoint, API key, model name)."""
        return self._gates.setdefault(key, SharedGate())

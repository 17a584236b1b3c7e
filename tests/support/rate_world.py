"""Simulate a client with a rate controller, the network, and a server with a limiter, in simulated time.

`World` has the properties of real systems: where the latency is spent, refusals that arrive long before answers, event
loops that wake late and then handle all events at once, and machines that stall sometimes.
"""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

from askwell.models.wrappers.rate_controller import RateController, SentRequest
from tests.support.rate_servers import Limiter

_LONGEST_S = 400.0


@dataclass(frozen=True, kw_only=True)
class World:
    """All times in seconds."""

    before: float = 0.5
    """Share of the latency before the limiter's decision."""
    refusal: float = 1.0
    """Time from the limiter back to the client for a refusal, relative to that for an answer."""
    jitter: float = 0.1
    """Each half of a round trip takes up to this share longer."""
    tick_s: float = 0.0
    """Mean interval between the irregular times at which client and server each wake and handle events."""
    stall_s: float = 0.0
    """Duration of the stalls of client and server, one per second on average."""


WORLDS = {
    "even": World(),
    "decides late": World(before=1.0),
    "decides at once": World(before=0.0),
    "refuses at once": World(before=0.05, refusal=0.02),
    "wakes late": World(tick_s=0.004),
}


@dataclass
class Outcome:
    seconds: float
    accepted: int
    refused: int
    ended: float
    full_after_s: float = math.inf
    """Time until `max_in_flight` requests were first in flight."""


class _Loop:
    """The times at which a machine handles events."""

    def __init__(self, world: World, rng: random.Random, start: float) -> None:
        self._stall_s = world.stall_s
        self._stalls = _moments(start, 1.0, rng) if world.stall_s else []
        self._ticks = _moments(start, world.tick_s, rng) if world.tick_s else []

    def next_wake(self, moment: float) -> float:
        last = bisect_right(self._stalls, moment) - 1
        if last >= 0 and moment < self._stalls[last] + self._stall_s:
            moment = self._stalls[last] + self._stall_s
        tick = bisect_left(self._ticks, moment)
        return self._ticks[tick] if tick < len(self._ticks) else moment


def _moments(start: float, apart_s: float, rng: random.Random) -> list[float]:
    return list(accumulate((rng.uniform(0, 2 * apart_s) for _ in range(int(_LONGEST_S / apart_s))), initial=start))


_Event = tuple[float, int, SentRequest | None, bool, float | None, int]
"""(time, serial number, request or None for the timer, whether it is a response, wait if refused, remaining quota)."""


@dataclass
class _Simulation:
    limiter: Limiter
    world: World
    latency_s: float
    max_in_flight: int
    sends_retry_after: bool
    sends_quota: bool
    controller: RateController
    rng: random.Random
    waiting: int
    now: float
    client: _Loop
    server: _Loop
    events: list[_Event] = field(default_factory=list["_Event"])
    in_flight: int = 0
    accepted: int = 0
    refused: int = 0
    serial: int = 0
    has_timer: bool = False
    full_at: float = math.inf

    def run(self, requests: int) -> None:
        self._send_allowed()
        while self.accepted < requests:
            self.now, _, request, is_back, hint, remaining = heapq.heappop(self.events)
            if request is None:
                self.has_timer = False
                self._send_allowed()
            elif is_back:
                self._record(request, hint, remaining)
                self._send_allowed()
            else:
                hint = self.limiter.try_accept(self.now)
                seconds = self._trip_s(1 - self.world.before) * (1.0 if hint is None else self.world.refusal)
                self._push(
                    self.client.next_wake(self.now + seconds), request, True, hint, self.limiter.remaining(self.now)
                )

    def _record(self, request: SentRequest, hint: float | None, remaining: int) -> None:
        self.in_flight -= 1
        if hint is None:
            self.accepted += 1
            self.controller.record_reply(
                request, self.now, self.in_flight, remaining=remaining if self.sends_quota else None
            )
        else:
            self.refused, self.waiting = self.refused + 1, self.waiting + 1
            self.controller.record_refusal(request, self.now, hint if self.sends_retry_after else None)

    def _send_allowed(self) -> None:
        """Send every request that may go, as `SharedGate` does; set one timer for the others."""
        while self.waiting and self.in_flight < self.max_in_flight:
            wait = self.controller.wait_s(self.now, self.in_flight)
            if wait > 0:
                if math.isfinite(wait) and not self.has_timer:
                    self.has_timer = True
                    self._push(self.client.next_wake(self.now + wait), None)
                return
            request = self.controller.record_sent(self.now)
            self.waiting, self.in_flight = self.waiting - 1, self.in_flight + 1
            if self.in_flight == self.max_in_flight:
                self.full_at = min(self.full_at, self.now)
            self._push(self.server.next_wake(self.now + self._trip_s(self.world.before)), request)

    def _trip_s(self, share: float) -> float:
        return self.latency_s * share * self.rng.uniform(1, 1 + self.world.jitter)

    def _push(
        self,
        at: float,
        request: SentRequest | None,
        is_back: bool = False,
        hint: float | None = None,
        remaining: int = 0,
    ) -> None:
        self.serial += 1
        heapq.heappush(self.events, (at, self.serial, request, is_back, hint, remaining))


def simulate(
    limiter: Limiter,
    *,
    requests: int,
    latency_s: float,
    max_in_flight: int,
    sends_retry_after: bool = False,
    sends_quota: bool = False,
    world: World = WORLDS["even"],
    seed: int = 0,
    controller: RateController | None = None,
    start: float = 100.25,
) -> Outcome:
    """Send requests through a controller in simulated time; refused ones are sent again as soon as it permits."""
    simulation = _Simulation(
        limiter=limiter,
        world=world,
        latency_s=latency_s,
        max_in_flight=max_in_flight,
        sends_retry_after=sends_retry_after,
        sends_quota=sends_quota,
        controller=controller or RateController(),
        rng=random.Random(seed),
        waiting=requests,
        now=start,
        client=_Loop(world, random.Random(seed + 1), start),
        server=_Loop(world, random.Random(seed + 2), start),
    )
    simulation.run(requests)
    return Outcome(
        simulation.now - start, simulation.accepted, simulation.refused, simulation.now, simulation.full_at - start
    )

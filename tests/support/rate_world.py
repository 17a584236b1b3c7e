"""A client with a throttle, a server with a limiter and what lies between them, in simulated time.

What differs between a simulation and a real server is in `World`: where the time is spent, news of refusals that comes
long before answers, event loops that wake late and do everything at once, and machines that stand still now and then.
"""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

from askwell.models.wrappers.rate_controller import RateController, Ticket
from tests.support.rate_servers import Limiter

_LONGEST_S = 400.0


@dataclass(frozen=True, kw_only=True)
class World:
    """All times in seconds."""

    before: float = 0.5
    """Share of the latency that lies before the limiter."""
    refusal: float = 1.0
    """How long news of a refusal takes, of what an answer takes from the limiter back."""
    jitter: float = 0.1
    """Each half of a trip takes up to so much longer."""
    tick_s: float = 0.0
    """Client and server each wake at irregular moments, this far apart on average, and see only then what came."""
    stall_s: float = 0.0
    """Each stands still for so long, once a second on average."""


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
    """When for the first time as many were in flight as may be."""


class _Loop:
    """The moments at which a machine sees what has come."""

    def __init__(self, world: World, dice: random.Random, start: float) -> None:
        self._stall_s = world.stall_s
        self._stalls = _moments(start, 1.0, dice) if world.stall_s else []
        self._ticks = _moments(start, world.tick_s, dice) if world.tick_s else []

    def sees(self, moment: float) -> float:
        last = bisect_right(self._stalls, moment) - 1
        if last >= 0 and moment < self._stalls[last] + self._stall_s:
            moment = self._stalls[last] + self._stall_s
        tick = bisect_left(self._ticks, moment)
        return self._ticks[tick] if tick < len(self._ticks) else moment


def _moments(start: float, apart_s: float, dice: random.Random) -> list[float]:
    return list(accumulate((dice.uniform(0, 2 * apart_s) for _ in range(int(_LONGEST_S / apart_s))), initial=start))


_Event = tuple[float, int, Ticket | None, bool, float | None, int]
"""When; serial number; about which request (none: the timer); whether it comes back; the refusal; what is left."""


@dataclass
class _Simulation:
    limiter: Limiter
    world: World
    latency_s: float
    most_in_flight: int
    says_when: bool
    says_left: bool
    throttle: RateController
    dice: random.Random
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
        self._pump()
        while self.accepted < requests:
            self.now, _, ticket, is_back, hint, left = heapq.heappop(self.events)
            if ticket is None:
                self.has_timer = False
                self._pump()
            elif is_back:
                self._book(ticket, hint, left)
                self._pump()
            else:
                hint = self.limiter.admit(self.now)
                seconds = self._trip_s(1 - self.world.before) * (1.0 if hint is None else self.world.refusal)
                self._push(self.client.sees(self.now + seconds), ticket, True, hint, self.limiter.left(self.now))

    def _book(self, ticket: Ticket, hint: float | None, left: int) -> None:
        self.in_flight -= 1
        if hint is None:
            self.accepted += 1
            self.throttle.answered(ticket, self.now, self.in_flight, left=left if self.says_left else None)
        else:
            self.refused, self.waiting = self.refused + 1, self.waiting + 1
            self.throttle.refused(ticket, self.now, hint if self.says_when else None)

    def _pump(self) -> None:
        """Send what may go, as `Gate` does; one timer for the rest."""
        while self.waiting and self.in_flight < self.most_in_flight:
            wait = self.throttle.wait_s(self.now, self.in_flight)
            if wait > 0:
                if math.isfinite(wait) and not self.has_timer:
                    self.has_timer = True
                    self._push(self.client.sees(self.now + wait), None)
                return
            ticket = self.throttle.sent(self.now)
            self.waiting, self.in_flight = self.waiting - 1, self.in_flight + 1
            if self.in_flight == self.most_in_flight:
                self.full_at = min(self.full_at, self.now)
            self._push(self.server.sees(self.now + self._trip_s(self.world.before)), ticket)

    def _trip_s(self, share: float) -> float:
        return self.latency_s * share * self.dice.uniform(1, 1 + self.world.jitter)

    def _push(
        self, at: float, ticket: Ticket | None, is_back: bool = False, hint: float | None = None, left: int = 0
    ) -> None:
        self.serial += 1
        heapq.heappush(self.events, (at, self.serial, ticket, is_back, hint, left))


def simulate(
    limiter: Limiter,
    *,
    requests: int,
    latency_s: float,
    most_in_flight: int,
    says_when: bool = False,
    says_left: bool = False,
    world: World = WORLDS["even"],
    seed: int = 0,
    throttle: RateController | None = None,
    start: float = 100.25,
) -> Outcome:
    """Send requests through a throttle in simulated time; refused ones are sent again at once, as the throttle lets."""
    one = _Simulation(
        limiter=limiter,
        world=world,
        latency_s=latency_s,
        most_in_flight=most_in_flight,
        says_when=says_when,
        says_left=says_left,
        throttle=throttle or RateController(),
        dice=random.Random(seed),
        waiting=requests,
        now=start,
        client=_Loop(world, random.Random(seed + 1), start),
        server=_Loop(world, random.Random(seed + 2), start),
    )
    one.run(requests)
    return Outcome(one.now - start, one.accepted, one.refused, one.now, one.full_at - start)
